#!/bin/sh
# SurfaceTopography 1.27.1 takes the unit "A" of an Agilent image (.mi) for ångström.
#
# A tunnelling current whose buffer says "A", ampere, comes back as a topography with heights in Å,
# and so do currents in Bruker Nanoscope and Nanosurf files; in its reader of Igor waves alone "A" is
# ampere. Users meet a current map that passes for a scan of heights.
#
# Seen on 2026-11-27 with Python 3.11, SurfaceTopography 1.27.1:
#     channel 'Current': unit Å, data kind height, 0.25 of the file is 0.25
#
# Exits 0 while it is so, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check SurfaceTopography==1.27.1
"$folder/venv/bin/python" - "$folder/current.mi" <<'PYTHON'
import struct
import sys
from importlib.metadata import version

from SurfaceTopography.IO import open_topography

keys = {
    "fileType": "Image", "xPixels": 2, "yPixels": 2, "xLength": 1e-6, "yLength": 1e-6,
    "scanUp": "TRUE", "bufferLabel": "Current", "bufferUnit": "A", "bufferRange": 0.5,
    "data": "BINARY",
}
header = "".join(f"{key:<14}{value}\n" for key, value in keys.items())
with open(sys.argv[1], "wb") as file:
    file.write(header.encode() + struct.pack("<4h", 16384, 0, 0, 16384))  # 0.25 A at two corners

with open_topography(sys.argv[1]) as reader:
    (channel,) = reader.channels
    largest = float(reader.topography().heights().max())
    kind = str(getattr(channel.data_kind, "value", channel.data_kind))
    print(
        f"SurfaceTopography {version('SurfaceTopography')}: channel {channel.name!r}: "
        f"unit {channel.data_unit}, data kind {kind}, 0.25 of the file is {largest:g}"
    )
    sys.exit(0 if channel.data_unit == "Å" and largest == 0.25 else 1)
PYTHON
