"""Gwyddion's start does not wait for the plug-in: the description is read, nothing is started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from homes import FUNCTION, HARNESS

EXAMPLE = Path(__file__).parents[2] / "afmsr_core" / "data" / "example_low.gwy"


def start(home) -> dict:
    done = home.call(sys.executable, HARNESS, FUNCTION, EXAMPLE, "-")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_description_is_read_and_the_program_not_started(installed, gwyddion):
    marker = installed.runtime / "was-started"
    installed.launcher.write_text(f"#!/bin/sh\ntouch '{marker}'\nexit 1\n")
    told = start(installed)
    assert told["exists"]
    assert told["menu"] == "/_Plug-Ins/_AFM Super-Resolution..."
    assert not marker.exists()


def test_without_the_description_it_would_be_started(installed, gwyddion):
    """So that the test above can fail."""
    marker = installed.runtime / "was-started"
    installed.launcher.with_suffix(".rgi").unlink()
    installed.launcher.write_text(f"#!/bin/sh\ntouch '{marker}'\nexit 1\n")
    assert not start(installed)["exists"]
    assert marker.exists()
