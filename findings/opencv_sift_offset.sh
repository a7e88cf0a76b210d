#!/bin/sh
# OpenCV's SIFT puts every key point 0.25 px to the lower right, unless told not to.
#
# Version: opencv-python-headless 4.10.0.84 (5.0.0.93 does the same; Python 3.11, Linux x86-64).
# Behaviour: with the default settings of cv2.SIFT.create the image is doubled about the corner of
#   its first pixel, not about its centre, for the first octave. Key points then lie 0.25 px too far
#   right and down, in pixels of whatever grid they were found on. Between two images on equal grids
#   this cancels. Between a coarse and a fine image of one scene it is a shift of almost 0.25 coarse
#   pixels (0.19 at a ratio of 4). `enable_precise_upscale=True` (since 4.8) removes it.
# Seen: a Gaussian spot, its centre known, drawn at 400 places of any fraction of a pixel:
#   default: mean offset x +0.249, y +0.249 px; precise: x +0.000, y -0.002 px.
# Exit status: 0 while both still hold, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'opencv-python-headless==4.10.0.84' 'numpy==2.2.6'
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np

SIDE, SIGMA, SPOTS = 96, 4.0, 400
rng = np.random.default_rng(0)
y, x = np.mgrid[:SIDE, :SIDE].astype(float)


def offsets(precise: bool) -> np.ndarray:
    """Return x and y of the nearest key point less those of the spot, for every spot."""
    sift = cv2.SIFT.create(enable_precise_upscale=precise)
    found = []
    for centre in rng.uniform(40, 56, (SPOTS, 2)):
        spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * SIGMA**2))
        points = sift.detect(np.rint(255 * spot).astype(np.uint8), None)
        places = np.array([point.pt for point in points]).reshape(-1, 2) - centre
        if len(places):
            found.append(places[np.argmin(np.hypot(*places.T))])
    return np.array(found)


print("OpenCV", cv2.__version__)
means = {}
for precise in (False, True):
    off = offsets(precise)
    means[precise] = off.mean(axis=0)
    print(
        f"enable_precise_upscale={precise}: {len(off)} of {SPOTS} spots found, "
        f"mean offset x {means[precise][0]:+.3f}, y {means[precise][1]:+.3f} px"
    )
as_described = np.abs(means[False] - 0.25).max() < 0.05 and np.abs(means[True]).max() < 0.05
print("as described" if as_described else "the behaviour changed")
sys.exit(0 if as_described else 1)
PYTHON
