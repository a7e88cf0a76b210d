"""The Tab key completes commands, options, methods, channels and files, in three shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import Terminal, at_terminal

from afmsr_core.data import example_pair

BEGIN = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(afmsr completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit && compinit -u -D; source <(afmsr completion zsh)",
    ),
    "fish": (["fish", "--no-config", "-c"], "afmsr completion fish | source"),
}
ASKED = (  # what is typed before Tab, and what stands there after it
    ("afmsr upsc", "afmsr upscale "),
    ("afmsr upscale scan.gwy --resi", "--residual "),
    ("afmsr upscale scan.gwy --method bic", "--method bicubic "),
    ("afmsr upscale scan.gwy --channel H", r"--channel Height\\ \\\("),
    ("afmsr upscale sca", "upscale scan.gwy "),
    ("afmsr-eval --methods bilinear,bic", "--methods bilinear,bicubic "),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scan, and with this very afmsr under its names."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copy(example_pair()[0], folder / "scan.gwy")
    for name, module in (("afmsr", "main"), ("afmsr-eval", "eval")):
        program = folder / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f"#!{sys.executable}\nimport sys\nfrom afmsr_cli.{module} import main\n"
            "sys.exit(main())\n"
        )
        program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def env(home: Path) -> dict[str, str]:
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "HOME": str(home), "PATH": path, "PS1": "", "TERM": "dumb"}


@pytest.fixture(scope="module", params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, home: Path, env: dict[str, str]) -> Iterator[Terminal]:
    """A shell at a terminal that knows our completions."""
    command, begin = BEGIN[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with at_terminal(command, env) as terminal:
        terminal.type(f"stty cols 200; cd {home}; {begin}; echo READ''Y\n")
        terminal.read("READY")
        yield terminal


@pytest.mark.parametrize(("typed", "expected"), ASKED, ids=[typed for typed, _ in ASKED])
def test_tab_completes(shell: Terminal, typed: str, expected: str) -> None:
    shell.seen = ""
    shell.type(f"{typed}\t")
    shell.read(expected)
    shell.type("\x15")  # Ctrl+U: the line away


def test_fish_asks_for_the_same(home: Path, env: dict[str, str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    command, begin = BEGIN["fish"]
    asked = "; ".join(f"echo '= {typed}'; complete -C '{typed}'" for typed, _ in ASKED)
    done = subprocess.run(
        [*command, f"cd {home}; {begin}; {asked}"],
        env=env, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    answers = done.stdout.split("= afmsr")[1:]
    for found, answer in zip(
        ("upscale", "--residual", "bicubic", "Height", "scan.gwy", "bilinear,bicubic"),
        answers,
        strict=True,
    ):
        assert any(line.startswith(found) for line in answer.splitlines()[1:]), done.stderr


def test_who_looks_at_the_script_is_told_where_it_goes(env: dict[str, str]) -> None:
    command = [sys.executable, "-m", "afmsr_cli.main", "completion", "zsh"]
    with at_terminal(command, env) as terminal:
        told = terminal.rest()
    assert "afmsr completion zsh > ~/.zfunc/_afmsr" in told
    piped = subprocess.run(command, capture_output=True, text=True, env=env, timeout=100)
    assert (piped.returncode, piped.stderr) == (0, "") and piped.stdout.startswith("#compdef afmsr")
