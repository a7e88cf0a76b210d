"""Promise: the bicubic interpolation that the default network adds to is OpenCV's, to the bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from afmsr_core.methods.cubic import BLOCK, cubic


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 5), (3, 1), (2, 2), (37, 45), (64, 64), (7, BLOCK), (200, 150)]
)
@pytest.mark.parametrize(("offset", "scale"), [(0.0, 1.0), (-4e3, 1e-3)])
def test_it_is_opencvs(shape: tuple[int, int], offset: float, scale: float) -> None:
    field = np.random.default_rng(0).normal(offset, scale, shape)
    fine = (4 * shape[0], 4 * shape[1])
    theirs = cv2.resize(field, fine[::-1], interpolation=cv2.INTER_CUBIC).reshape(fine)
    np.testing.assert_array_equal(cubic(field, 4), theirs)


def test_views_are_taken_as_they_are() -> None:
    field = np.random.default_rng(0).normal(size=(30, 40))
    np.testing.assert_array_equal(cubic(field[3:20, 5:11], 4), cubic(field[3:20, 5:11].copy(), 4))
    np.testing.assert_array_equal(cubic(field.T, 4), cubic(field.T.copy(), 4))
