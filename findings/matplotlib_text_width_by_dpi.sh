#!/bin/sh
# Matplotlib 3.11.2 draws the same line of text 9 % wider at 96 dpi than at 300 dpi.
#
# A figure has its size in inches and a font its size in points, so one expects that a label takes
# the same share of the figure whatever the dpi. With the default hinting every letter's width is
# rounded to whole pixels: small text at 96 dpi is 9 % wider than at 300 dpi, and a label that
# fits into a figure for a paper is cut off in its preview. With text.hinting "none" it is not.
#
# Seen on 2026-11-27 with Python 3.11, matplotlib 3.11.2, 6.5 points of DejaVu Sans:
#     default: 96 dpi 258.0 pt, 300 dpi 236.2 pt, 9.2 % wider
#     none:    96 dpi 233.2 pt, 300 dpi 233.3 pt, -0.0 % wider
#
# Exits 0 while it is so, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2
MPLCONFIGDIR="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WORDS = "Colours span 0.5 to 99.5 % of the heights. Less the least-squares plane."


def points(hinting, dpi):
    """Return the width of the words on the canvas, in points."""
    with mpl.rc_context({"text.hinting": hinting}):
        figure = Figure(figsize=(9, 1), dpi=dpi)
        canvas = FigureCanvasAgg(figure)
        figure.text(0.01, 0.5, WORDS, fontsize=6.5, family="DejaVu Sans")
        canvas.draw()
        ink = (np.asarray(canvas.buffer_rgba())[..., 0] < 200).any(axis=0)
    columns = np.flatnonzero(ink)
    return (columns[-1] - columns[0] + 1) / dpi * 72


print(f"matplotlib {version('matplotlib')}, Python {sys.version.split()[0]}")
wider = {}
for hinting in ("default", "none"):
    coarse, fine = points(hinting, 96), points(hinting, 300)
    wider[hinting] = 100 * (coarse / fine - 1)
    print(f"{hinting + ':':<9}96 dpi {coarse:.1f} pt, 300 dpi {fine:.1f} pt, {wider[hinting]:.1f} % wider")
sys.exit(0 if wider["default"] > 5 and abs(wider["none"]) < 1 else 1)
PYTHON
