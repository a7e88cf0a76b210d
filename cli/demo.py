"""``afmsr demo``: the main job on the simulated scan that ships with afmsr."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  afmsr demo                       writes afmsr-demo/simulated_x4.gwy and a PNG
  afmsr demo -o somewhere --method bicubic
"""


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "demo",
        description="Upscale the simulated 128 x 128 scan that ships with afmsr.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("afmsr-demo"), metavar="FOLDER")
    parser.add_argument("--method", default="afm", help="default: %(default)s")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Upscale the example and say how far it is from the simulated truth."""
    import numpy as np

    from afmsr_core import io
    from afmsr_core.data import example_pair
    from afmsr_core.errors import OutputError
    from afmsr_core.io.results import write_results
    from afmsr_core.preview import write_preview
    from afmsr_core.upscale import upscale

    low_file, high_file = example_pair()
    file = io.as_gwy(low_file)
    low, high = file.channel(0), io.read(high_file)[0]
    result = upscale(low, method=args.method)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"-o {args.output}: the folder cannot be made ({error.strerror}); choose another"
        ) from error
    target = args.output / "simulated_x4.gwy"
    write_results(target, file, [result], force=True)
    write_preview(target.with_suffix(".png"), result, force=True)

    print(
        f"simulated scan: {low.xres} x {low.yres} px, "
        f"{low.xreal / 1000:g} x {low.yreal / 1000:g} µm"
    )
    for step in result.history:
        print(f"  {step.name}: {step.effect}")
    for method in dict.fromkeys(("bicubic", args.method)):
        error = upscale(low, method=method).heights - high.heights
        rmse = float(np.sqrt(np.mean((error - error.mean()) ** 2)))
        print(f"  RMSE against the simulated 512 x 512 scan, {method}: {rmse:.3f} nm")
    print(f"written: {target} (open it in Gwyddion) and {target.with_suffix('.png')}")
    return 0
