"""Make the pictures of the tutorial and of Gwyddion: ``python -m docs.photographs``.

The dialogs are photographed by their own tests, in the real Gwyddion 2 and 3, so what is shown is
what was tested; pages and reports in a real Chromium, after the commands that make them have run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
TESTS = (
    "tests/gwyddion/test_window.py::test_ok_adds_a_channel_and_ctrl_f_another",
    "tests/gwyddion/test_window.py::test_the_preview_grows_with_the_window_and_what_is_shown_is_kept",
    "tests/gwyddion/test_gwyddion3_window.py",
)
PICTURES = {
    "dialog.png": "gwyddion-dialog.png",
    "dialog-grown.png": "gwyddion-difference.png",
    "result.png": "gwyddion-result.png",
    "gwyddion3-dialog.png": "gwyddion3-dialog.png",
    "gwyddion3-difference.png": "gwyddion3-difference.png",
    "gwyddion3-sharpness.png": "gwyddion3-sharpness.png",
    "gwyddion3-result.png": "gwyddion3-result.png",
    "gwyddion3-progress.png": "gwyddion3-progress.png",
}
WINDOW = (1280, 860)  # pixels of the page that is shown
SCAN = "afmsr-demo/example_low.gwy"
COMMANDS = (
    ("demo",),
    ("upscale", SCAN, "-o", "fine.gwy"),
    ("picture", "fine.gwy", "--all-channels", "--level", "plane", "-o", "figure.png"),
    ("upscale", SCAN, "-o", "checked.gwy", "--confidence", "--residual", "--report"),
)

PAIRS = (
    ("simulate", "-o", "pairs/", "--pairs", "8", "--size", "256", "--seed", "1"),
    ("eval", "pairs/", "--methods", "bilinear,bicubic,lanczos4,afm"),
)


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        _gwyddion(Path(folder))
        _page(Path(folder))
        _report(Path(folder))


def _gwyddion(folder: Path) -> None:
    environment = os.environ | {"AFMSR_TEST_PICTURES": str(folder), "AFMSR_NO_SKIPS": "1"}
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *TESTS], cwd=ROOT, env=environment, check=True
    )
    for taken, kept in PICTURES.items():
        shutil.copy(folder / taken, IMAGES / kept)


def _page(folder: Path) -> None:
    from chromium import browsing

    _run(folder, COMMANDS)
    with browsing(folder / "profile") as tab:
        tab.size(*WINDOW)
        tab.go((folder / "checked.html").as_uri())
        tab.until("document.querySelector('#views[data-ready]')")
        x, y = tab.js(
            "(() => { const box = document.querySelector('#views canvas').getBoundingClientRect();"
            " return [box.x + box.width * 0.45, box.y + box.height * 0.4]; })()"
        )
        tab.mouse("mouseMoved", x, y)  # reads heights there, and draws the profile across
        time.sleep(0.5)
        tab.picture(folder / "page.png")
    for name in ("figure", "page"):
        _keep(folder / f"{name}.png", f"tutorial-{name}.webp")


def _report(folder: Path) -> None:
    from chromium import browsing

    _run(folder, PAIRS)
    with browsing(folder / "another profile") as tab:
        tab.size(*WINDOW)
        tab.go((folder / "pairs-results" / "report.html").as_uri())
        tab.until("document.readyState == 'complete'")
        tab.picture(folder / "report.png")
    _keep(folder / "report.png", "report.webp")


def _run(folder: Path, commands: Sequence[Sequence[str]]) -> None:
    for command in commands:
        subprocess.run([Path(sys.executable).with_name("afmsr"), *command], cwd=folder, check=True)


def _keep(taken: Path, name: str) -> None:
    with Image.open(taken) as picture:
        shown = picture.convert("RGB")
        shown.thumbnail(WINDOW)
        shown.save(IMAGES / name, quality=88, method=6)


if __name__ == "__main__":
    main()
