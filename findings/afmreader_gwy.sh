#!/bin/sh
# AFMReader 0.0.7 tears up a .gwy scan that is not square, and takes all values for metres.
#
# A field of 4 lines of 8 points comes out as 8 lines of 4: the values are laid out by (xres, yres),
# though the file has them line by line. The second half of the first line becomes the second line,
# and the pixel size is the width over the number of lines: 20 nm instead of 10. Values are handed on
# in nm whatever their unit, because only that of the lateral axes is looked at: a phase of 30 deg is
# 3e10, a current of 1 nA is 1. Nothing is said about either.
#
# Seen on 2026-11-28 with Python 3.11, AFMReader 0.0.7, gwyfile 0.2.0:
#     4 lines of 8 are 8 of 4, pixels of 10 nm 20 nm; 2e-09 m is 2, 30 deg is 3e+10, 1e-09 A is 1
#
# Exits 0 while it is so, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check AFMReader==0.0.7 gwyfile==0.2.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gwyfile.objects import GwyContainer, GwyDataField, GwySIUnit
from loguru import logger

from AFMReader.gwy import load_gwy

logger.remove()
told = {"Height": (2e-9, "m"), "Phase": (30.0, "deg"), "Current": (1e-9, "A")}
ramp = np.arange(32.0).reshape(4, 8)
content = GwyContainer()
for number, (title, (value, unit)) in enumerate(told.items()):
    content[f"/{number}/data/title"] = title
    content[f"/{number}/data"] = GwyDataField(
        value * ramp, xreal=8 * 10e-9, yreal=4 * 10e-9,
        si_unit_xy=GwySIUnit(unitstr="m"), si_unit_z=GwySIUnit(unitstr=unit),
    )
path = Path(sys.argv[1], "scan.gwy")
content.tofile(str(path))

read = {title: load_gwy(path, title) for title in told}
image, pixel = read["Height"]
heard = [float(values.ravel()[1]) for values, _ in read.values()]
seen = ", ".join(
    f"{value:g} {unit} is {found:g}"
    for (value, unit), found in zip(told.values(), heard, strict=True)
)
print(
    f"AFMReader {version('AFMReader')}: 4 lines of 8 are {len(image)} of {len(image[0])}, "
    f"pixels of 10 nm {pixel:g} nm; {seen}"
)
torn = image.shape == (8, 4) and np.allclose(image[1], 2 * ramp[0, 4:])
sys.exit(0 if torn and abs(pixel - 20) < 1e-9 and np.allclose(heard, [2.0, 3e10, 1.0]) else 1)
PYTHON
