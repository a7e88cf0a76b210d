"""Other releases of Debian, with their Gwyddion, beside the one that runs here.

``python3 tests/gwyddion/roots.py [RELEASE...]`` makes their roots, once, in the user's cache
folder: packages of Debian's mirror, found and checked by apt, unpacked and not installed, which
takes a quarter of debootstrap's time. ``python3 tests/gwyddion/roots.py enter RELEASE COMMAND...``
runs a command in one.

A process that enters a root has its own view of the mounted folders: it sees the root, and in it
the folder for temporary files, this checkout and this Python with its packages, at their places.
Nothing is imported that a bare Python 3 lacks: ``.ci/run`` makes the roots while pip works.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MIRROR = os.environ.get("AFMSR_DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
VARIABLE = "AFMSR_DEBIAN_ROOTS"
LIMIT = 600.0  # seconds for a root; one takes 50 on two processors
# What any program needs, and what shows text and icons.
BASE = ("base-files", "dash", "coreutils", "libc-bin", "sed", "grep", "fonts-dejavu-core")
# What no test needs and takes most of the room: papers, translations, 3D drivers.
LEFT_OUT = (
    *("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/gtk-doc"),
    *("*/dri/*", "*/libLLVM*", "*/libgallium*"),
)


class NoRootError(Exception):
    """A root cannot be made or entered here, and why."""


@dataclass(frozen=True)
class Release:
    """A release of Debian.

    Parameters
    ----------
    suite : str
        Its name on the mirror.
    program : str
        Gwyddion's name in it.
    packages : tuple of str
        What it has besides `BASE` and what these need.
    """

    suite: str
    program: str
    packages: tuple[str, ...]


GWYDDION_3 = (
    *("gwyddion", "libgwyddion-dev", "libgtk-3-dev", "librsvg2-common", "adwaita-icon-theme"),
    *("gcc", "libc6-dev", "pkgconf", "valgrind", "libc6-dbg"),
)
# Tk for the dialog, GL for OpenCV.
GWYDDION_2 = ("gwyddion", "libtk8.6", "libgl1")
RELEASES = {
    "trixie": Release("trixie", "gwyddion", GWYDDION_2),
    "forky": Release("forky", "gwyddion3", GWYDDION_3),
    "sid": Release("sid", "gwyddion3", GWYDDION_3),
}
NEWEST = os.environ.get("AFMSR_GWYDDION3_RELEASE", "forky")
"""Release that the tests of Gwyddion 3 run in; sid has what forky will have."""
TESTED = ("trixie", NEWEST)


@dataclass(frozen=True)
class Root:
    """A root that is ready.

    Parameters
    ----------
    folder : Path
        Where it is.
    release : Release
        What it holds.
    """

    folder: Path
    release: Release

    def command(self, *command: str | Path) -> list[str]:
        """Return the command that runs another one in the root, in the same process."""
        bound = " ".join(_quoted(path) for path in _seen_inside())
        script = f"""
            set -e
            root=$1; shift
            mount --rbind /proc "$root/proc"
            mount --rbind /dev "$root/dev"
            for path in {bound}; do
                if [ -d "$path" ]; then mkdir -p "$root$path"; else
                    mkdir -p "$root${{path%/*}}"; [ -e "$root$path" ] || : >"$root$path"; fi
                mount --rbind "$path" "$root$path"
            done
            exec chroot "$root" "$@"
        """
        how = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        return [*how, textwrap.dedent(script), "enter", str(self.folder), *map(str, command)]


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _seen_inside() -> list[Path]:
    """Return the places that are the same inside: temporary files, checkout, Python, packages."""
    wanted = [Path("/tmp"), Path(tempfile.gettempdir()), CHECKOUT, Path(sys.prefix)]
    if sys.base_prefix in ("/usr", "/usr/local"):  # not all of it: the root has its own
        wanted += [Path(os.path.realpath(sys.executable)), Path("/usr/lib/python3")]
        wanted += [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")]
        wanted += [Path(path) for path in sys.path if path.startswith(sys.base_prefix)]
    else:
        wanted.append(Path(sys.base_prefix))
    wanted += [Path(path) for path in sys.path if path]
    found: list[Path] = []
    for path in wanted:
        covered = any(path.is_relative_to(other) for other in found)
        if path.exists() and not covered and str(path) not in ("/", "/usr"):
            found.append(path)
    return found


def root(name: str) -> Root:
    """Return a root, made now if it is not there yet.

    Raises
    ------
    NoRootError
        If this machine has not what that takes.
    """
    release = RELEASES[name]
    _demand_rights()
    kept = "\n".join((MIRROR, *BASE, *release.packages, *LEFT_OUT))
    digest = hashlib.sha256(kept.encode()).hexdigest()[:12]
    cache = Path(os.environ.get(VARIABLE) or _cache_folder() / "afmsr-debian-roots")
    folder = cache / f"{name}-{digest}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with _alone(cache / f"{name}.lock"):
            if not folder.is_dir():
                _make(release, cache, folder)
    return Root(folder, release)


def _cache_folder() -> Path:
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return named if named.is_absolute() else Path.home() / ".cache"


def _demand_rights() -> None:
    missing = [tool for tool in ("unshare", "chroot", "apt-get", "dpkg-deb") if not _has(tool)]
    if missing:
        raise NoRootError(f"no root of Debian: no {', '.join(missing)} here")
    if os.geteuid() != 0:
        raise NoRootError("no right to mount a root of Debian: this user is not root")
    tried = _run("unshare", "--mount", "--propagation", "private", "true")
    if tried.returncode:
        raise NoRootError(f"no right to mount a root of Debian: {tried.stderr.strip()}")


def _has(tool: str) -> bool:
    return shutil.which(tool) is not None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        import fcntl  # which Windows has not

        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(release: Release, cache: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f"{release.suite}-", dir=cache) as name:
        packages = _downloaded(release, Path(name, "apt"))
        made = Path(name, "root")
        _unpack(packages, made)
        _finish(made)
        made.rename(folder)


def _downloaded(release: Release, folder: Path) -> list[Path]:
    """Let apt find what belongs together, fetch it and check it; nothing is installed."""
    for inner in ("state/lists/partial", "cache/archives/partial", "preferences"):
        (folder / inner).mkdir(parents=True)
    (folder / "status").touch()
    sources = f"deb [signed-by={KEYRING}] {MIRROR} {release.suite} main\n"
    (folder / "sources.list").write_text(sources)
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": folder / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": folder / "preferences",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
        "Acquire::Retries": 3,
    }
    apt = ["apt-get", "-qq", "-y"]
    apt += [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    wanted = (*BASE, *release.packages)
    for command in (["update"], ["--download-only", "install", *wanted]):
        done = _run(*apt, *command)
        if done.returncode:
            told = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise NoRootError(f"no root of Debian {release.suite} from {MIRROR}: {told}")
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _unpack(packages: Sequence[Path], folder: Path) -> None:
    """Unpack packages side by side, on all processors."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    left_out = " ".join(f"--exclude='{pattern}'" for pattern in LEFT_OUT)
    one = (
        f'for deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "{folder}" '
        f"--keep-directory-symlink --no-same-owner {left_out} || exit 255; done"
    )
    listed = "\0".join(map(str, packages))
    several = ["xargs", "-0", "-P", str(len(os.sched_getaffinity(0))), "-n", "8"]
    done = _run(*several, "bash", "-o", "pipefail", "-c", one, "unpack", given=listed)
    if done.returncode:
        raise NoRootError(f"no root of Debian: not unpacked: {done.stderr.strip()[-300:]}")


def _finish(folder: Path) -> None:
    """Do what the packages' own scripts would have done, as far as Gwyddion needs it."""
    for name in ("proc", "dev", "tmp", "root"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (folder / "etc" / "group").write_text("root:x:0:\n")
    script = """
        ldconfig
        [ ! -e /usr/bin/gcc ] || ln -sf gcc /usr/bin/cc
        glib=$(echo /usr/lib/*/glib-2.0/glib-compile-schemas)
        [ ! -x "$glib" ] || "$glib" /usr/share/glib-2.0/schemas
        query=$(echo /usr/lib/*/gdk-pixbuf-2.0/gdk-pixbuf-query-loaders)
        [ ! -x "$query" ] || "$query" --update-cache
        [ ! -x /usr/bin/update-mime-database ] || update-mime-database /usr/share/mime
    """
    done = _run("chroot", str(folder), "sh", "-c", script)
    if done.returncode:
        raise NoRootError(f"no root of Debian: not finished: {done.stderr.strip()[-300:]}")


def _run(*command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=LIMIT, check=False
    )


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["enter"]:
        command = root(arguments[1]).command(*arguments[2:])
        os.execvp(command[0], command)
    for name in arguments or TESTED:
        print(root(name).folder, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NoRootError as error:
        sys.exit(str(error))
