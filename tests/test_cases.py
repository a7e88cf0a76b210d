"""The right values of ../shared/cases: files on which an early version was wrong.

Those that stopped scans, masks and texts of native files are about have tests of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from afmsr_core import io
from afmsr_core.errors import ChannelNotFoundError


@pytest.fixture(scope="module")
def cases(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = shared / "cases" / "make_cases.py"
    if not script.is_file():
        pytest.skip(f"no cases: {script} is absent")
    folder = tmp_path_factory.mktemp("cases")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


def test_a_frame_captured_before_its_end(cases: Path) -> None:
    (channel,) = io.read(cases / "captured_early.spm")
    assert (channel.xres, channel.yres) == (512, 358)
    assert (channel.xreal, channel.yreal) == pytest.approx((300, 300 * 358 / 512), rel=1e-12)


def test_a_current_is_no_height(cases: Path) -> None:
    (channel,) = io.read(cases / "current_only.spm")
    assert (channel.title, channel.unit) == ("Current", "A")
    lowest, highest = channel.heights.min(), channel.heights.max()
    assert (lowest, highest) == pytest.approx((-2.56e-8, 6.10e-8), rel=1e-3)
    with pytest.raises(ChannelNotFoundError, match=r"no channel with heights; .*'Current' \(A\)"):
        io.select([channel])


def test_text_and_binary_of_agilent_are_equal(cases: Path) -> None:
    (text,) = io.read(cases / "text.mi")
    (binary,) = io.read(cases / "binary.mi")
    np.testing.assert_array_equal(text.heights, binary.heights)
    counts = np.frombuffer((cases / "binary.mi").read_bytes()[-2 * 24 * 32 :], "<i2")
    np.testing.assert_allclose(text.heights, counts.reshape(24, 32)[::-1] / 32768 * 125, rtol=1e-12)
    assert (text.xreal, text.yreal, text.unit) == (2000, 1500, "nm")


def test_a_label_of_asylum_ends_at_its_first_nul(cases: Path) -> None:
    channels = io.read(cases / "stale_label.ibw")
    assert [channel.title for channel in channels] == ["HeightRetrace", "ZSensorTrace"]
    waves = (np.random.default_rng(1).random((32, 24, 2)) * 1e-9).astype("<f4")
    np.testing.assert_allclose(channels[1].heights, waves[:, ::-1, 1].T * 1e9, rtol=1e-6)


def test_comments_in_latin_1(cases: Path) -> None:
    latin = io.read(cases / "latin1_comment.sxm")
    plain = io.read(cases / "ascii_comment.sxm")
    assert [channel.title for channel in latin] == [channel.title for channel in plain]
    for one, other in zip(latin, plain, strict=True):
        np.testing.assert_array_equal(one.heights, other.heights)
        assert (one.xreal, one.yreal, one.xoff, one.yoff) == (
            other.xreal,
            other.yreal,
            other.xoff,
            other.yoff,
        )
