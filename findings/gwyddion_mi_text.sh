#!/bin/sh
# Gwyddion 2.67 (in gwyddionpy-converter 0.1.0) gives Agilent images (.mi) that are stored as text
# 32768 / 23768 = 1.3787 times too high.
#
# The same counts as 16-bit binary come out right, so heights of one scan depend on how the
# instrument's program saved it. Nothing is said about it.
#
# Seen on 2026-11-27 with Python 3.11, gwyddionpy 0.1.0, gwyddionpy-converter 0.1.0:
#     binary 62.5 nm, text 86.1663 nm: 1.37866 times as high
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
from importlib.metadata import version
from pathlib import Path

import gwyddionpy

counts = [16384, 0, 0, 8192]  # half of the full range is the highest
keys = {
    "fileType": "Image", "xPixels": 2, "yPixels": 2, "xLength": 1e-6, "yLength": 1e-6,
    "scanUp": "TRUE", "bufferLabel": "Topography", "bufferUnit": "um", "bufferRange": 0.125,
}
header = "".join(f"{key:<14}{value}\n" for key, value in keys.items()).encode()
folder = Path(sys.argv[1])
(folder / "binary.mi").write_bytes(header + b"data          BINARY\n" + struct.pack("<4h", *counts))
(folder / "text.mi").write_bytes(
    header + b"data          ASCII\n" + "".join(f"{count}\n" for count in counts).encode()
)

highest = {
    kind: max(c.data.max() for c in gwyddionpy.load(folder / f"{kind}.mi").channels.values()) * 1e9
    for kind in ("binary", "text")
}
ratio = highest["text"] / highest["binary"]
print(
    f"gwyddionpy {version('gwyddionpy')}, gwyddionpy-converter {version('gwyddionpy-converter')}: "
    f"binary {highest['binary']:g} nm, text {highest['text']:g} nm: {ratio:.5f} times as high"
)
sys.exit(0 if abs(ratio - 32768 / 23768) < 1e-4 and abs(highest["binary"] - 62.5) < 1e-9 else 1)
PYTHON
