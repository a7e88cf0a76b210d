"""Promise: the bicubic interpolation that the default network adds to is OpenCV's, to the bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from afmsr_core.grid import LINES_X2, LINES_X4, SQUARE, Scale
from afmsr_core.methods.cubic import BLOCK, cubic


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5), (3, 1), (2, 2), (37, 45), (64, 64), (7, BLOCK), (200, 150)]
)
@pytest.mark.parametrize(("offset", "spread"), [(0.0, 1.0), (-4e3, 1e-3)])
@pytest.mark.parametrize("scale", [SQUARE, LINES_X4, LINES_X2, LINES_X4.turned])
def test_it_is_opencvs(shape: tuple[int, int], offset: float, spread: float, scale: Scale) -> None:
    field = np.random.default_rng(0).normal(offset, spread, shape)
    fine = scale.shape(*shape)
    theirs = cv2.resize(field, fine[::-1], interpolation=cv2.INTER_CUBIC).reshape(fine)
    np.testing.assert_array_equal(cubic(field, scale), theirs)


@pytest.mark.parametrize("scale", [SQUARE, LINES_X4])
def test_views_are_taken_as_they_are(scale: Scale) -> None:
    field = np.random.default_rng(0).normal(size=(30, 40))
    part = field[3:20, 5:11]
    np.testing.assert_array_equal(cubic(part, scale), cubic(part.copy(), scale))
    np.testing.assert_array_equal(cubic(field.T, scale), cubic(field.T.copy(), scale))
