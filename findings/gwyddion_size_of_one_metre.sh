#!/bin/sh
# Gwyddion 2.67 (in gwyddionpy-converter 0.1.0) takes 1 m x 1 m for a scan whose file gives a range
# of zero, and gwyddionpy hands that on without a word.
#
# The converter says "Real x size is 0.0 or not finite, fixing it to 1.0" on its standard error, which
# gwyddionpy drops because the conversion succeeds; the channel looks like any other.
#
# Seen on 2026-11-27 with Python 3.11, gwyddionpy 0.1.0, gwyddionpy-converter 0.1.0:
#     range 1e-06 m is 1e-06 m, range 0 is 1 m, 0 warnings
#
# Exits 0 while it is so, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    gwyddionpy==0.1.0 gwyddionpy-converter==0.1.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import struct
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

import gwyddionpy


def sxm(size: float) -> bytes:
    keys = {
        "NANONIS_VERSION": "2", "SCANIT_TYPE": "FLOAT MSBFIRST", "REC_DATE": "01.01.2024",
        "REC_TIME": "10:00:00", "SCAN_PIXELS": "4 4", "SCAN_FILE": "a.sxm",
        "SCAN_TIME": "1.0E+0 1.0E+0", "SCAN_RANGE": f"{size:E} {size:E}",
        "SCAN_OFFSET": "0.0E+0 0.0E+0", "SCAN_ANGLE": "0.0E+0", "SCAN_DIR": "down",
        "BIAS": "1.0E+0", "DATA_INFO": "\tChannel\tName\tUnit\tDirection\tCalibration\tOffset\n"
        "\t14\tZ\tm\tboth\t1.0E+0\t0.0E+0\n",
    }
    text = "".join(f":{name}:\n{value}\n" for name, value in keys.items())
    pixels = struct.pack(">32f", *(n * 1e-10 for n in range(32)))
    return f"{text}:SCANIT_END:\n\n\n".encode() + b"\x1a\x04" + pixels


seen = []
with warnings.catch_warnings(record=True) as heard:
    warnings.simplefilter("always")
    for size in (1e-6, 0.0):
        path = Path(sys.argv[1], f"{size}.sxm")
        path.write_bytes(sxm(size))
        channel = next(iter(gwyddionpy.load(path).channels.values()))
        seen.append(float(channel.xreal))
print(
    f"gwyddionpy {version('gwyddionpy')}, gwyddionpy-converter {version('gwyddionpy-converter')}: "
    f"range 1e-06 m is {seen[0]:g} m, range 0 is {seen[1]:g} m, {len(heard)} warnings"
)
sys.exit(0 if abs(seen[0] - 1e-6) < 1e-12 and seen[1] == 1.0 and not heard else 1)
PYTHON
