"""Users without a past, for tests and measurements."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HARNESS = Path(__file__).with_name("harness.py")
FUNCTION = "afmsr_super_resolution"


@dataclass
class Home:
    """A user without a past: home folder, settings, and how their programs are started."""

    folder: Path
    runtime: Path
    python: str = sys.executable
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def gwyddion_dir(self) -> Path:
        return self.folder / ".gwyddion"

    @property
    def gwyddion3_dir(self) -> Path:
        return self.folder / ".gwyddion3"

    @property
    def launcher(self) -> Path:
        return self.gwyddion_dir / "plugins" / "process" / "afmsr" / "afmsr"

    @property
    def log(self) -> Path:
        return self.folder / ".local" / "state" / "afmsr" / "gwyddion.log"

    @property
    def settings_file(self) -> Path:
        return self.folder / ".config" / "afmsr" / "gwyddion.json"

    @property
    def environment(self) -> dict[str, str]:
        dropped = ("XDG_", "AFMSR_", "PYTHON", "LC_", "DISPLAY", "WAYLAND", "DBUS")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(dropped)}
        temporary = self.runtime / "tmp"
        temporary.mkdir(exist_ok=True)
        return kept | {
            "HOME": str(self.folder),
            "TMPDIR": str(temporary),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "AFMSR_WARM_MINUTES": "0",
            "AFMSR_MODEL_DIR": str(self.runtime / "models"),
            "LC_ALL": "C",
            **self.variables,
        }

    @property
    def left_over(self) -> list[str]:
        """Files that a run should have removed (torch leaves a folder of its own)."""
        return sorted(str(path) for path in (self.runtime / "tmp").rglob("afmsr*"))

    def call(
        self, *command: str | Path, limit: float = 60, file_size: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        def limited() -> None:
            import resource  # which Windows has not

            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

        return subprocess.run(
            [str(part) for part in command],
            env=self.environment,
            cwd=self.runtime,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            preexec_fn=None if file_size is None else limited,
        )

    def install(self, *options: str) -> str:
        module = ("-m", "gwyddion_plugin.installing")
        done = self.call(self.python, *module, "--gwyddion-dir", self.gwyddion_dir, *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def choose(self, **choices: Any) -> None:
        self.settings_file.parent.mkdir(parents=True, exist_ok=True)
        self.settings_file.write_text(json.dumps(choices))
