"""``afmsr demo``: the main job on the simulated scan that ships with afmsr."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afmsr_core.errors import AfmsrError, OutputError, OutputExistsError
from afmsr_core.quantity import readable, sides

if TYPE_CHECKING:
    from afmsr_core.io.gwy import GwyFile

__all__ = ["add_parser", "run"]

_HEAD = 21  # bytes of a .gwy up to the end of the number that tells its length

_EPILOG = """\
examples:
  afmsr demo
      writes afmsr-demo/simulated_x4.gwy and a PNG, and beside them what they are made from:
      example_low.gwy, example_high.gsf
  afmsr demo -o somewhere --method bicubic
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo",
        description="Upscale the simulated 128 x 128 scan that ships with afmsr.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("afmsr-demo"),
        metavar="FOLDER",
        help="default: %(default)s",
    )
    parser.add_argument("--method", default="afm", help="default: %(default)s")
    parser.add_argument(
        "--force", action="store_true", help="replace files that the demo did not write, too"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale the example and say how far it is from the simulated truth."""
    import numpy as np

    from afmsr_core import io
    from afmsr_core.data import example_pair
    from afmsr_core.io.atomic import writing
    from afmsr_core.io.files import contents
    from afmsr_core.io.results import write_results
    from afmsr_core.upscale import upscale

    low_file, high_file = example_pair()
    target = args.output / "simulated_x4.gwy"
    picture = target.with_suffix(".png")
    before = [path for path in (target, picture) if path.exists()]
    copies = {args.output / source.name: source for source in (low_file, high_file)}
    if not args.force:
        _check_copies(copies)
        if before:
            _check_own(target, picture, low_file)
    file = io.as_gwy(low_file)
    low, high = file.channel(0), io.read(high_file)[0]
    result = upscale(low, method=args.method)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"-o {args.output}: the folder cannot be made ({error.strerror}); choose another"
        ) from error
    write_results(target, file, [result], force=True)
    for path, content in {
        picture: result.as_png(),
        **{copy: contents(source) for copy, source in copies.items()},
    }.items():
        with writing(path, force=True) as stream:
            stream.write(content)

    print(f"simulated scan: {low.xres} x {low.yres} px, {sides(low.xreal, low.yreal, 'nm')}")
    for step in result.history:
        print(f"  {step.name}: {step.effect}")
    for method in dict.fromkeys(("bicubic", args.method)):
        off = upscale(low, method=method).heights - high.heights
        rmse = float(np.sqrt(np.mean((off - off.mean()) ** 2)))
        print(f"  RMSE against the simulated 512 x 512 scan, {method}: {readable(rmse, 'nm', 3)}")
    print(f"written: {target} (open it in Gwyddion) and {picture}")
    print("beside them the scan, example_low.gwy, and a finer scan of it, example_high.gsf")
    if before:
        print(f"replaced, from before: {' and '.join(path.name for path in before)}")
    return 0


def _check_copies(copies: Mapping[Path, Path]) -> None:
    """Refuse to replace a file that has the name of one of the example, but is another."""
    from afmsr_core.io.files import contents

    for path, source in copies.items():
        if path.exists() and contents(path) != contents(source):
            raise _not_ours(path)


def _not_ours(path: Path) -> OutputExistsError:
    return OutputExistsError(
        f"{path}: the demo did not write what is there; choose another folder with -o, or "
        f"replace it with --force"
    )


def _check_own(target: Path, picture: Path, example: Path) -> None:
    """Refuse to replace what no earlier run of the demo left here, or what was changed since."""
    from afmsr_core.io.files import contents
    from afmsr_core.io.gwy import GwyFile

    foreign = target if target.exists() else picture
    try:
        file = GwyFile.open(target)
        if _made_from(example, file, target):
            foreign = picture
            again = file.channel(file.numbers[1]).as_png()
            if not picture.exists() or contents(picture) == again:
                return
    except AfmsrError:
        pass  # whatever it is, it is not ours
    raise _not_ours(foreign)


def _made_from(example: Path, file: GwyFile, path: Path) -> bool:
    """Whether it holds the bytes of the example, and one channel to which only we did things."""
    from afmsr_core.io.files import contents

    return (
        len(file.numbers) == 2
        and contents(path).startswith(contents(example)[_HEAD:], _HEAD)
        and all(line.startswith("proc::afmsr_") for line in file.log(file.numbers[1]))
    )
