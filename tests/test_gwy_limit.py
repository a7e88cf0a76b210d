"""What will not fit in the 4 GiB of a .gwy is refused before anything is computed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from afmsr_cli.main import main
from afmsr_core.channel import Channel
from afmsr_core.errors import OutputError, UsageError
from afmsr_core.io.gwy import GwyFile
from afmsr_core.io.results import Planned, check_results

SIDE = 4096  # becomes 16384: 2 GiB of doubles, and as many for a mask
BEFORE_ANY_WORK = 20.0  # seconds; the work would take minutes


def scan(folder: Path, masked: bool) -> Path:
    """Write a scan of zeros that takes no room on the disk."""
    path = folder / "large.npy"
    for name in (path.name, "large.mask.npy")[: 1 + masked]:
        np.lib.format.open_memmap(folder / name, "w+", np.uint8, (SIDE, SIDE))
    notes = {"unit": "nm", "xreal": 1000, "yreal": 1000}
    if masked:
        notes["mask"] = "large.mask.npy"
    path.with_suffix(".json").write_text(json.dumps(notes))
    return path


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["", "dry"])
@pytest.mark.parametrize(("masked", "options"), [(True, []), (False, ["--confidence"])])
def test_a_result_that_is_too_large_is_refused_before_it_is_computed(
    masked: bool,
    options: list[str],
    dry: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = scan(tmp_path, masked)
    before = sorted(tmp_path.iterdir())
    start = time.monotonic()
    assert main(["upscale", str(path), "--method", "bicubic", *options, *dry]) == 1
    assert time.monotonic() - start < BEFORE_ANY_WORK
    said = capsys.readouterr().err
    assert "large_x4.gwy" in said and "do not fit in a .gwy file" in said and ".npy" in said
    assert sorted(tmp_path.iterdir()) == before


def test_what_fits_is_not_refused(tmp_path: Path) -> None:
    path = scan(tmp_path, masked=False)
    assert main(["upscale", str(path), "--method", "bicubic", "--dry-run", "--quiet"]) == 0
    path = scan(tmp_path, masked=True)
    # An array has no such limit.
    target = str(tmp_path / "out.npy")
    command = ["upscale", str(path), "--method", "bicubic", "--dry-run", "--quiet", "-o", target]
    assert main(command) == 0


def test_what_the_file_holds_already_counts() -> None:
    flat = Channel(np.zeros((10, 10)), 1.0, 1.0)
    # Doubles that fill the format to the last byte, less what stands around them.
    most = (2**32 - 1) // 8
    GwyFile.new([]).check_room(most, "new.gwy")
    for file in (GwyFile.new([flat]), GwyFile.new([flat]).with_channel(flat)):
        with pytest.raises(OutputError, match=r"^new.gwy: 4.0 GiB do not fit"):
            file.check_room(most - 100, "new.gwy")


def test_a_mask_counts_as_a_field() -> None:
    flat = Channel(np.zeros((4, 8)), 1.0, 1.0)
    holes = flat.replace(heights=np.where(np.eye(4, 8), np.nan, 0.0))
    assert Planned.of(flat, (16, 32)) == (16, 32, False)
    assert Planned.of(holes) == Planned.of(flat.replace(mask=np.zeros((4, 8))))
    assert Planned.of(holes).masked


def test_a_format_of_one_channel_is_not_planned_for_two(tmp_path: Path) -> None:
    planned = [Planned(4, 4, False)] * 2
    with pytest.raises(UsageError, match="holds one channel, 2 would be written"):
        check_results(tmp_path / "a.gsf", GwyFile.new([]), planned)


def test_the_size_is_the_one_that_is_written(tmp_path: Path) -> None:
    """What is counted before is what comes, but for names, units, log and history."""
    low = Channel(np.zeros((40, 30)), 1.0, 1.0, mask=np.zeros((40, 30), bool))
    file = GwyFile.new([low])
    file.save(tmp_path / "before.gwy")
    file.with_channel(low, like=0).save(tmp_path / "after.gwy")
    grown = (tmp_path / "after.gwy").stat().st_size - (tmp_path / "before.gwy").stat().st_size
    planned = Planned.of(low)
    assert 0 <= grown - 8 * planned.yres * planned.xres * 2 < 1000
