#!/usr/bin/env bash
# gwyfile 0.3.0 and gsffile 0.5.5 (PyPI): text in sound files that their readers refuse.
#
# Gwyddion keeps the bytes of an instrument's header when it imports a scan and saves it: a
# plus-minus or degree sign of a Bruker or Nanonis header stands in the metadata of the .gwy as one
# byte of Latin-1. Gwyddion 2.62 opens such files, and `gwyddion --check` says nothing of them.
#
# Seen:
#   gwyfile   a .gwy with one such byte in the metadata        UnicodeDecodeError: no channel is read
#   gwyfile   the same file with ASCII there                   read
#   gsffile   a .gsf with the title "a=b"                     ValueError
#   gsffile   a .gsf with a title in Latin-1                   UnicodeDecodeError
#   gsffile   write_gsf of a title of two lines                written, and then refused by read_gsf
#
# Exit status 0 while that is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gwyfile==0.3.0 gsffile==0.5.5 'numpy==2.2.6'

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import struct
import sys
from importlib.metadata import version

import gsffile
import gwyfile
import numpy


def component(name, code, value):
    return name + b"\0" + code + value


def gwy_object(kind, *components):
    body = b"".join(components)
    return kind + b"\0" + struct.pack("<I", len(body)) + body


def gwy(sensitivity):
    side = struct.pack("<i", 2)
    field = gwy_object(
        b"GwyDataField",
        component(b"xres", b"i", side),
        component(b"yres", b"i", side),
        component(b"data", b"D", struct.pack("<I4d", 4, 1, 2, 3, 4)),
    )
    meta = gwy_object(b"GwyContainer", component(b"Sensitivity", b"s", sensitivity + b"\0"))
    return b"GWYP" + gwy_object(
        b"GwyContainer",
        component(b"/0/data", b"o", field),
        component(b"/0/meta", b"o", meta),
    )


def gsf(title):
    head = b"Gwyddion Simple Field 1.0\nXRes = 2\nYRes = 2\nTitle = " + title + b"\n"
    return head + b"\0" * (4 - len(head) % 4) + numpy.ones(4, "<f4").tobytes()


def outcome(read, data, name):
    with open(name, "wb") as file:
        file.write(data)
    try:
        read(name)
    except Exception as error:
        return type(error).__name__
    return "read"


def written(name):
    gsffile.write_gsf(name, numpy.ones((2, 2), "f4"), {"Title": "two\nlines"})
    with open(name, "rb") as file:
        return file.read()


seen = {
    "gwyfile, metadata in Latin-1": outcome(gwyfile.load, gwy(b"691 nm\xb1/V"), "a.gwy"),
    "gwyfile, metadata in ASCII": outcome(gwyfile.load, gwy(b"691 nm/V"), "b.gwy"),
    "gsffile, the title a=b": outcome(gsffile.read_gsf, gsf(b"a=b"), "a.gsf"),
    "gsffile, a title in Latin-1": outcome(gsffile.read_gsf, gsf(b"H\xf6he"), "b.gsf"),
    "gsffile, its own title of two lines": outcome(gsffile.read_gsf, written("c.gsf"), "c.gsf"),
    "gsffile, a plain title": outcome(gsffile.read_gsf, gsf(b"Height"), "d.gsf"),
}
expected = ["UnicodeDecodeError", "read", "ValueError", "UnicodeDecodeError", "ValueError", "read"]
print("gwyfile", version("gwyfile"), "gsffile", version("gsffile"))
for what, found in seen.items():
    print(f"{what:40} {found}")
sys.exit(list(seen.values()) != expected)
PYTHON
