"""In the real program, too, lines that were never measured are masked and decide nothing."""

from __future__ import annotations

import numpy as np

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile


def test_in_gwyddion(installed, run_in_gwyddion, scan_file, tmp_path):
    y, x = np.mgrid[:48, :64]
    relief = 5 * np.sin(x / 4.0) * np.cos(y / 5.0) + np.random.default_rng(0).normal(
        0, 0.3, x.shape
    )
    heights = relief.copy()
    heights[20:] = -2200.0
    source, target = scan_file(Channel(heights, 640.0, 480.0, title="Z")), tmp_path / "out.gwy"
    (number,) = run_in_gwyddion(installed, source, target).added
    file = GwyFile.open(target)
    kept = file.channels(as_stored=True)[0]
    np.testing.assert_allclose(kept.heights, heights, rtol=1e-12)  # the scan is as it was
    assert kept.mask is None
    made = next(one for one in file.channels(as_stored=True) if one.number == number)
    assert made.mask is not None and made.mask[80:].all() and not made.mask[:80].any()
    assert np.ptp(made.heights) < 1.3 * np.ptp(relief)  # nothing of -2200 is left in it
    assert abs(made.heights[:80].mean() - relief[:20].mean()) < 0.01
