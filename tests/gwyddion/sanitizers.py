"""The module of Gwyddion 3 under AddressSanitizer and valgrind, in a run of its own.

``python tests/gwyddion/sanitizers.py`` compiles it with the first, which brings its brother for
undefined behaviour, and runs it in the real program, headless: an image with a mask, with its
retrace, with all that says how far to trust it; a method that is not there; another scale; a result
with detail drawn at random. Then it does so under valgrind. Whatever they say of our code is a
failure. Leaks of GTK and of Gwyddion, which keep their types and modules for ever, are not looked
for by the first, and those without a line of ours are left out of what the second says.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import gwyddion3
import numpy as np
from homes import FUNCTION, Home
from roots import NEWEST, Root, root

from afmsr_core.channel import Channel
from afmsr_core.io.gwy import GwyFile

SANITIZERS = (
    "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g"
)
OURS = re.compile(r"\b(json|worker|scan|choices|result|retrace|dialog|preview|module)\.c:\d+")
RUNS = (
    {"method": "bicubic", "confidence": True, "join_retrace": True},
    {"method": "magic"},
    {"method": "bicubic", "scale": 3, "confidence": False},
    {"method": "afm", "scale": 0, "sharpness": 0.5, "realisations": 2},
)


def main() -> None:
    newer = root(NEWEST)
    with tempfile.TemporaryDirectory(prefix="afmsr-test-") as name:
        source = _scans(Path(name, "scan.gwy"))
        said = _sanitized(_home(Path(name, "a"), SANITIZERS, newer), newer, source)
        failed = "ERROR: AddressSanitizer" in said or "runtime error" in said
        print(f"AddressSanitizer, UndefinedBehaviorSanitizer: {'faults' if failed else 'nothing'}")
        found = _under_valgrind(_home(Path(name, "b"), "-g", newer), newer, source)
        print(f"valgrind: {len(found)} faults or leaks in our code")
        for block in found:
            print(block, end="\n\n")
        if failed:
            print(said)
        sys.exit(failed or bool(found))


def _scans(path: Path) -> Path:
    rng = np.random.default_rng(1)
    clean = rng.normal(0, 2, (48, 48)).cumsum(axis=1)
    both = [
        Channel(
            clean + rng.normal(0, 0.5, clean.shape),
            *(1000.0, 1000.0),
            title=f"Height ({way})",
            mask=clean > 5,
        )
        for way in ("Trace", "Retrace")
    ]
    GwyFile.new(both).save(path)
    return path


def _home(folder: Path, flags: str, newer: Root) -> Home:
    runtime = folder.with_name(f"{folder.name}-run")
    for made in (folder, runtime, folder / ".gwyddion3"):
        made.mkdir()
    home = Home(folder, runtime)
    home.variables |= {"CFLAGS": f"-Werror {flags}", "AFMSR_WARM_MINUTES": "1"}
    gwyddion3.install(home, newer)
    return home


def _job(newer: Root, source: Path) -> str:
    runs = [{"function": FUNCTION, "number": 0, "settings": settings} for settings in RUNS]
    job = {"source": str(source), "target": None, "runs": runs}
    return json.dumps(job | {"libraries": gwyddion3.libraries(newer)})


def _sanitized(home: Home, newer: Root, source: Path) -> str:
    library = next(newer.folder.glob("usr/lib/gcc/*/*/libasan.so")).relative_to(newer.folder)
    home.variables |= {"ASAN_OPTIONS": "detect_leaks=0"}
    preload = f"LD_PRELOAD=/{library}"
    command = ("env", preload, sys.executable, gwyddion3.HARNESS3, _job(newer, source))
    return _ran(home.call(*newer.command(*command), limit=600))


def _under_valgrind(home: Home, newer: Root, source: Path) -> list[str]:
    home.variables |= {"G_SLICE": "always-malloc", "PYTHONMALLOC": "malloc"}
    options = ("--leak-check=full", "--show-leak-kinds=definite", "--num-callers=30")
    command = ("valgrind", *options, sys.executable, gwyddion3.HARNESS3, _job(newer, source))
    said = _ran(home.call(*newer.command(*command), limit=1200))
    blocks = re.split(r"\n==\d+== \n", said)
    return [block for block in blocks if OURS.search(block)]


def _ran(done) -> str:
    told = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}
    if len(told.get("after", ())) < 10:
        sys.exit(f"the runs did not add what they should:\n{done.stdout}\n{done.stderr}")
    return done.stderr


if __name__ == "__main__":
    main()
