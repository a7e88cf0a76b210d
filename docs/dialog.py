"""Photograph the dialog and its result inside the real Gwyddion: ``python -m docs.dialog``.

It is the test of the dialog that takes the photographs, so they show what was tested. Needs what
that test needs: Gwyddion 2, and the tools of ``tests/gwyddion/screen.py``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEST = "tests/gwyddion/test_window.py::test_ok_adds_a_channel_and_ctrl_f_another"
PICTURES = {"dialog.png": "gwyddion-dialog.png", "result.png": "gwyddion-result.png"}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"AFMSR_TEST_PICTURES": folder, "AFMSR_NO_SKIPS": "1"}
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", TEST], cwd=ROOT, env=environment, check=True
        )
        for taken, kept in PICTURES.items():
            shutil.copy(Path(folder) / taken, ROOT / "docs" / "images" / kept)


if __name__ == "__main__":
    main()
