"""Files and folders in, pairs of an input and its output out, before anything is done."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from afmsr_core.errors import OutputExistsError, UsageError

__all__ = ["RESULT", "Job", "check_output", "plan", "sha256_of"]

RESULT = re.compile(r"_(x[1-4]|1x[24]|4x4|[1-9][0-9]*px)$")
"""How the name of a result ends, by :attr:`afmsr_core.grid.Grid.suffix`."""

_WRITTEN = (".gwy", ".gsf", ".npy")
"""Endings of what afmsr writes and could read as a scan."""

_BESIDE = (".png", ".html")
"""Endings of what is written beside results."""

_AREA = re.compile(r"_\dx\d$")
"""Of such endings, what people call scans by, too: 4x4 µm. There, the contents decide."""

_NUMBERED = re.compile(r"_[0-9]+$")
"""How the name of a conversion ends that holds one channel of several."""


@dataclass(frozen=True)
class Job:
    """One file to read and where its result goes.

    Attributes
    ----------
    source, target : Path
        The files.
    found : bool
        Whether the source was found in a folder; what afmsr wrote there is no scan.
    """

    source: Path
    target: Path
    found: bool = False


def plan(
    files: Sequence[Path],
    output: str | Path | None,
    *,
    suffix: str,
    extension: str,
    allowed: Iterable[str],
    force: bool,
    companions: Iterable[str] = (),
) -> list[Job]:
    """Pair every input with its output before anything is done.

    Parameters
    ----------
    files : sequence of Path
        Files and folders as given. Results and conversions of an earlier run that lie in a folder
        are left out as far as their names tell, unless they are named themselves; what only their
        contents tell, such as a result of another name, whoever reads a job with ``found`` sees.
    output : path or None
        As given with ``-o``. What is there tells whether it is a file or a folder; of a new one,
        a suffix tells a file, and a slash at the end a folder in any case.
    suffix : str
        Put behind the stem of an input that is given no output name; behind its whole name if
        what follows the stem is a number (``film.001``), or if inputs differ in nothing else.
    extension : str
        Of such outputs, with its dot.
    allowed : iterable of str
        Extensions that a named output file may have.
    force : bool
        Whether outputs may exist.
    companions : iterable of str
        Extensions of further files that are written beside each output.

    Raises
    ------
    UsageError
        If outputs collide or ``-o`` does not fit the inputs.
    OutputExistsError
        If an output exists.
    OutputError
        If an output cannot be written to by its very name: one that is too long, or a device.
    """
    from afmsr_core import io
    from afmsr_core.io.atomic import check_target

    allowed, companions = tuple(allowed), tuple(companions)
    named = {_real(file) for file in files if not io.is_folder(file)}
    once: dict[Path, Path] = {}
    for file in io.find_files(files):
        once.setdefault(_real(file), file)
    sources = list(once.values())
    jobs = _jobs(sources, files, output, allowed, suffix, extension)
    jobs = [replace(job, found=_real(job.source) not in named) for job in jobs]
    made = _made(jobs, suffix)
    made |= _converted([job for job in jobs if _real(job.source) not in made], suffix)
    jobs = [job for job in jobs if not job.found or _real(job.source) not in made]
    jobs = _apart(jobs, suffix, extension)
    taken: dict[Path, Path] = {_real(job.source): job.source for job in jobs}
    for job in jobs:
        target = _real(job.target)
        if target == _real(job.source):
            raise UsageError(f"{job.source}: the output would replace the input; choose another -o")
        if (other := taken.setdefault(target, job.source)) != job.source:
            what = (
                f"the output of {job.source} would replace the input {other}"
                if _real(other) == target
                else f"{other} and {job.source} would both be written to {job.target}"
            )
            raise UsageError(f"{what}; run them one by one with -o")
    written = [path for job in jobs for path in _written(job, companions)]
    for path in written:
        check_target(path, force=True)
    existing = [path for path in written if path.exists()]
    if existing and not force:
        more = f" and {len(existing) - 1} more exist" if len(existing) > 1 else " exists"
        raise OutputExistsError(f"{existing[0]}{more} already; --force overwrites")
    return jobs


def check_output(output: Path, suffix: str, force: bool, option: str = "-o") -> None:
    """Refuse an output file that cannot be written, before anything is read and computed.

    Parameters
    ----------
    output : Path
        As given with `option`.
    suffix : str
        That its name must have.
    force : bool
        Whether it may exist.
    option : str
        Of the command line, for messages.

    Raises
    ------
    UsageError
        If it has another suffix, is a folder, or its own folder does not exist.
    OutputExistsError
        If it exists.
    """
    from afmsr_core import io
    from afmsr_core.io.atomic import check_target

    if output.suffix.lower() != suffix:
        raise UsageError(f"{option} {output}: the name must end with {suffix}")
    if io.is_folder(output):
        raise UsageError(f"{option} {output}: this is a folder; give the name of a file")
    if not io.is_folder(output.parent):
        raise UsageError(f"{option} {output}: there is no folder {output.parent}; make it first")
    check_target(output, force)


def _real(path: Path) -> Path:
    """Return what a path leads to; links in a circle are no error, as with `Path.resolve`."""
    return Path(os.path.realpath(path))


def _written(job: Job, companions: Iterable[str]) -> list[Path]:
    if job.target.suffix.lower() == ".npy":
        companions = (".json", *companions)
    return [job.target, *(job.target.with_suffix(extension) for extension in companions)]


def _made(jobs: Sequence[Job], suffix: str) -> set[Path]:
    """Return the inputs that an earlier run made, by their names or by what will be written."""
    stems = {name for job in jobs for name in (job.source.stem, job.source.name)}
    made = set()
    for job in jobs:
        made |= {_real(job.target), *map(_real, map(job.target.with_suffix, _BESIDE))}
        stem = job.source.stem
        if not (suffix and (ending := RESULT.search(stem)) and stem[: ending.start()] in stems):
            continue
        if not _AREA.search(stem) or _holds_result(job.source):
            made.add(_real(job.source))
    return made


def _holds_result(path: Path) -> bool:
    """Return whether a file is a result or a picture of one, as far as it can be read."""
    from afmsr_core import io
    from afmsr_core.errors import AfmsrError
    from afmsr_core.io.results import is_result

    kind = path.suffix.lower()
    if kind not in _WRITTEN:
        return kind in _BESIDE
    try:
        return is_result(io.read(path))
    except AfmsrError:  # whoever reads it again will tell
        return False


def _converted(jobs: Sequence[Job], suffix: str) -> set[Path]:
    """Return the inputs that afmsr wrote from others among them, as their contents tell.

    Only those are looked into whose names let it be so: what stands before the ending is what
    stands there, or the whole name, of another input. Where results are made (with a suffix),
    results are no inputs either.
    """
    from afmsr_core import io
    from afmsr_core.errors import AfmsrError
    from afmsr_core.io.results import converted_from, is_result

    by_name: dict[str, list[Path]] = {}
    times = Counter(name for job in jobs for name in {job.source.stem, job.source.name})
    for job in jobs:
        by_name.setdefault(job.source.name, []).append(job.source)
    found = set()
    for job in jobs:
        stem = job.source.stem
        base = _NUMBERED.sub("", stem)
        alike = times[stem] > 1 or (base != stem and base in times)
        if not (job.found and alike and job.source.suffix.lower() in _WRITTEN):
            continue
        try:
            channels = io.read(job.source)
        except AfmsrError:  # whoever reads it again will tell
            continue
        name, digest = converted_from(channels) or ("", "")
        others = [one for one in by_name.get(name, ()) if one != job.source]
        if (suffix and is_result(channels)) or any(
            one.parent == job.source.parent or sha256_of(one) == digest for one in others
        ):
            found.add(_real(job.source))
    return found


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file. Raises as :func:`afmsr_core.io.files.contents` does."""
    import hashlib

    from afmsr_core.io.files import contents

    return hashlib.sha256(contents(path)).hexdigest()


def _jobs(
    sources: Sequence[Path],
    files: Sequence[Path],
    output: str | Path | None,
    allowed: tuple[str, ...],
    suffix: str,
    extension: str,
) -> list[Job]:
    """Pair inputs with outputs as ``-o`` has it, whatever is there already."""
    from afmsr_core import io

    if output is not None and not _is_folder(output):
        path = Path(output)
        if len(files) == 1 and not io.is_folder(files[0]):
            if path.suffix.lower() not in allowed:
                raise UsageError(
                    f"-o {output}: the name must end with one of {', '.join(allowed)}, "
                    f"or with / for a folder"
                )
            return [Job(sources[0], path)]
        if path.is_file() or path.suffix.lower() in (*allowed, *io.SUFFIXES):
            raise UsageError(
                f"-o {output}: several inputs need a folder, and this names a file; "
                f"give a name without suffix, or with / at its end"
            )
    return _named(sources, files, output, suffix, extension)


def _is_folder(output: str | Path) -> bool:
    path = Path(output)
    with contextlib.suppress(OSError):  # such as a name that is too long
        if path.exists():
            return path.is_dir()
    return str(output).endswith(("/", os.sep)) or not path.suffix


def _apart(jobs: Sequence[Job], suffix: str, extension: str) -> list[Job]:
    """Name those that would be written to one file by the whole names of their inputs."""
    times = Counter(_real(job.target) for job in jobs)
    return [
        job
        if times[_real(job.target)] == 1
        else replace(job, target=job.target.with_name(f"{job.source.name}{suffix}{extension}"))
        for job in jobs
    ]


def _named(
    sources: Sequence[Path],
    files: Sequence[Path],
    output: str | Path | None,
    suffix: str,
    extension: str,
) -> list[Job]:
    from afmsr_core import io

    folders = [folder for folder in files if io.is_folder(folder)]
    jobs = []
    for source in sources:
        number = source.suffix[1:].isdecimal()  # film.000, film.001: Bruker counts its scans so
        name = f"{source.name if number else source.stem}{suffix}{extension}"
        target = source.with_name(name)
        if output is not None:
            # Below a folder that was given, the structure is kept.
            inside = next((folder for folder in folders if folder in source.parents), None)
            below = source.parent.relative_to(inside) if inside else Path()
            target = Path(output) / below / name
        jobs.append(Job(source, target))
    return jobs
