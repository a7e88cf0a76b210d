"""Put the plug-in into Gwyddion, and take it out again.

Only files that are written here are ever replaced or removed: a manifest in Gwyddion's user
folder lists them with their hashes. A file that somebody else made, or changed, stays.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from afmsr_core.errors import AfmsrError, MissingExtraError, OutputError, OutputExistsError
from gwyddion_plugin.installing import hosts, launcher, manifest, plugin_files
from gwyddion_plugin.installing.condition import INSTALL, MOVE, Condition, strange
from gwyddion_plugin.installing.hosts import Host
from gwyddion_plugin.installing.manifest import Manifest

__all__ = ["install", "uninstall"]

Say = Callable[[str], None]


def install(folder: Path | None = None, dry_run: bool = False, say: Say = print) -> None:
    """Write what each Gwyddion of this user can use.

    Parameters
    ----------
    folder : Path, optional
        The only user folder to write to; all that are found by default.
    dry_run : bool
        Say what would be done, and do nothing.
    say : callable
        Takes lines for the user.

    Raises
    ------
    UsageError
        If no Gwyddion is found.
    MissingExtraError
        If this interpreter cannot run the plug-in, or Gwyddion 3 is the only one and there is
        nothing to compile its module with.
    OutputExistsError
        If a file is in the way that the installer did not write.
    OutputError
        If the system refuses to write.
    """
    found = hosts.find(folder)
    interpreter = launcher.examine()
    if interpreter.paths:
        say(f"Python: {interpreter.python}, with packages of {', '.join(interpreter.paths)}")
        say("  (an isolated interpreter, python -I, does not find them: the paths are written out)")
    else:
        say(f"Python: {interpreter.python}, isolated")
    if not interpreter.tk and any(host.generation == 2 for host in found):
        say(f"note: {launcher.NO_TK}")
    refused: list[MissingExtraError] = []
    for host in found:
        try:
            _install(host, interpreter, dry_run, say)
        except MissingExtraError as error:
            refused.append(error)
            if len(found) > 1:
                say(f"{host.folder}: {error}")
    if len(refused) == len(found):
        raise refused[0]


def _install(host: Host, interpreter: launcher.Interpreter, dry_run: bool, say: Say) -> None:
    files: dict[str, plugin_files.File] = {}
    shown = []
    for item in plugin_files.MENU_ITEMS:
        of_item = item.files(host, interpreter)
        files |= of_item
        shown += [item.shown] if of_item else []
    _write(host, files, dry_run, say)
    say(f"in Gwyddion, after a restart: {', '.join(shown)}")


def _write(host: Host, files: plugin_files.Files, dry_run: bool, say: Say) -> None:
    old = Manifest.of(host.folder) or Manifest()
    for name in files:
        _refuse_foreign(host.folder / name, old.files.get(name))
    stale = [name for name in old.files if name not in files]
    left = [name for name in stale if strange(host.folder / name, old.files[name])]
    new = Manifest({name: manifest.digest(file.content) for name, file in files.items()})
    new.files |= {name: old.files[name] for name in left}
    new.folders = old.folders + _missing_folders(host.folder, files, old.folders)
    changed = [name for name, file in files.items() if not _is_there(host.folder / name, file)]
    for name in changed:
        say(f"{'would write' if dry_run else 'writing'} {host.folder / name}")
    for name in left:
        say(f"leaving {host.folder / name}: {strange(host.folder / name, old.files[name])}; {MOVE}")
    stale = [name for name in stale if name not in left]
    for name in stale:
        say(f"{'would remove' if dry_run else 'removing'} {host.folder / name}")
    if not changed and not stale and new == old:
        say(f"{host.folder}: up to date")
        return
    if not changed and not stale:
        say(f"{'would update' if dry_run else 'updating'} {host.folder / manifest.NAME}")
    if dry_run:
        return
    # The list of everything first: an installation that was interrupted can be taken out again.
    _make_folders(host.folder, new.folders)
    both = Manifest(old.files | new.files, new.folders)
    _write_file(host.folder / manifest.NAME, plugin_files.File(both.content()))
    for name in changed:
        _write_file(host.folder / name, files[name])
    for name in stale:
        _remove(host.folder / name, say)
    if both != new:
        _write_file(host.folder / manifest.NAME, plugin_files.File(new.content()))


def _refuse_foreign(path: Path, written: str | None) -> None:
    """Raise if there is a file that is not as the installer left it."""
    if why := strange(path, written):
        raise OutputExistsError(f"{path}: {why}; {MOVE}, then {INSTALL} again")


def _is_there(path: Path, file: plugin_files.File) -> bool:
    if manifest.digest_of(path) != manifest.digest(file.content):
        return False
    return sys.platform == "win32" or bool(path.stat().st_mode & 0o100) == file.executable


def _missing_folders(root: Path, files: plugin_files.Files, known: Sequence[str]) -> list[str]:
    """Return the folders to be made, outermost first."""
    wanted = {PurePosixPath(".")}
    for name in files:
        wanted |= set(PurePosixPath(name).parents)
    ordered = sorted(wanted, key=lambda folder: len(folder.parts))
    return [str(f) for f in ordered if str(f) not in known and not (root / f).is_dir()]


def _make_folders(root: Path, folders: Sequence[str]) -> None:
    for folder in folders:
        try:
            # Above Gwyddion's own folder nothing is made: a slip of the user's would stay.
            (root / folder).mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{root / folder}: cannot be made ({error.strerror}); check --gwyddion-dir and "
                f"its permissions"
            ) from error


def _write_file(path: Path, file: plugin_files.File) -> None:
    from afmsr_core.io.atomic import writing

    with writing(path, force=True) as target:
        target.write(file.content)
        with contextlib.suppress(OSError):
            Path(target.name).chmod(0o755 if file.executable else 0o644)


def uninstall(folder: Path | None = None, dry_run: bool = False, say: Say = print) -> None:
    """Remove exactly what `install` wrote, and end the worker that is in memory.

    Parameters as for `install`.

    Raises
    ------
    OutputError
        If the system refuses to remove a file; or, when all else is removed, if there is one that
        the installer did not write as it is. Gwyddion may load it.
    """
    try:
        found = hosts.find(folder)
    except AfmsrError:
        found = []  # Gwyddion is gone; then there is nothing of ours either
    nothing, left = True, []
    for host in found:
        condition = Condition.of(host)
        if Manifest.of(host.folder) is not None or condition.strange:
            nothing = False
            left += _uninstall(host, condition, dry_run, say)
    if nothing:
        say("nothing is installed")
    if not dry_run:
        from gwyddion_plugin.worker import resident

        resident.stop_all()
    if left and not dry_run:
        raise OutputError("\n".join(left))


def _uninstall(host: Host, condition: Condition, dry_run: bool, say: Say) -> list[str]:
    """Remove what is ours from a folder, and return what is left there, with the cure."""
    old = Manifest.of(host.folder) or Manifest()
    for name in old.files:
        if name in condition.strange or name in condition.missing:
            continue
        if dry_run:
            say(f"would remove {host.folder / name}")
        else:
            _remove(host.folder / name, say)
    if dry_run:
        for name, why in condition.strange.items():
            say(f"would leave {host.folder / name}: {why}")
        return []
    # What is left stays in the list: it is ours, and to be told of until it is gone.
    rest = {name: kept for name, kept in old.files.items() if name in condition.strange}
    listed = host.folder / manifest.NAME
    if not rest:
        _remove(listed, say)
    elif rest != old.files:
        kept = Manifest(rest, old.folders, old.version)
        _write_file(listed, plugin_files.File(kept.content()))
    for inner in reversed(old.folders):
        with contextlib.suppress(OSError):  # others put something there
            (host.folder / inner).rmdir()
    again = f"{MOVE}, then run `afmsr plugin uninstall` again"
    return [
        f"{host.folder / name}: {why}, and is left; {again}"
        for name, why in condition.strange.items()
    ]


def _remove(path: Path, say: Say) -> None:
    if not os.path.lexists(path):
        return
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(
            f"{path}: not removed ({error.strerror}); close Gwyddion, see that you may write to "
            f"its folder, and try again"
        ) from error
    say(f"removed {path}")
