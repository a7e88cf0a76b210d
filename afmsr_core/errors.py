"""The errors that afmsr raises: one base, named children.

A message names the file or option, says what was found there, and ends with the cure.
``exit_status`` is what the command line leaves with when the error reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:  # the plug-in starts without it
    from collections.abc import Iterable
    from pathlib import Path

__all__ = [
    "AfmsrError",
    "Cancelled",
    "ChannelNotFoundError",
    "CorruptFileError",
    "DownloadError",
    "FieldError",
    "MissingExtraError",
    "MissingReaderError",
    "MissingWeightsError",
    "OutputError",
    "OutputExistsError",
    "PairError",
    "ReadError",
    "UnknownFormatError",
    "UnknownMethodError",
    "UnreadableFileError",
    "UnsupportedContentError",
    "UsageError",
    "WeightsError",
    "described",
    "did_you_mean",
    "naming",
    "needed",
    "pip_install",
    "traceback_of",
]

MEMORY = "try --tile 128, or crop the scan"


class AfmsrError(Exception):
    """Base of every error that afmsr raises on purpose."""

    exit_status: ClassVar[int] = 1


class UsageError(AfmsrError):
    """An option or argument makes no sense; nothing was done."""

    exit_status = 2


class Cancelled(AfmsrError):
    """The user asked to stop; nothing was written."""

    exit_status = 130


# --- reading: five ways in which it can fail ---------------------------------------------


class ReadError(AfmsrError):
    """A file could not be read; the five children say in which way."""


class UnreadableFileError(ReadError):
    """The file is absent, is a folder, or the system does not let us read it."""


class UnknownFormatError(ReadError):
    """The content is of no format that we know."""


class CorruptFileError(ReadError):
    """The format is known, but the bytes are cut short or contradict themselves."""


class UnsupportedContentError(ReadError):
    """The file is sound but holds nothing that we can use, such as spectra only."""


class MissingReaderError(ReadError):
    """The format is known, but its reader is not installed; the message says how to get it."""


class ChannelNotFoundError(AfmsrError):
    """The file is readable but lacks the channel that was asked for."""


class FieldError(AfmsrError):
    """The heights themselves cannot be processed, such as a field without one finite value."""


class PairError(AfmsrError):
    """Two scans that cannot be compared, or a list of pairs that contradicts itself."""


# --- writing ---------------------------------------------------------------------------


class OutputError(AfmsrError):
    """A result could not be written; what was there before is untouched."""


class OutputExistsError(OutputError):
    """The output exists already and overwriting was not asked for."""

    exit_status = 2


# --- methods and weights ---------------------------------------------------------------


class UnknownMethodError(UsageError):
    """No upscaling method has this name."""


class MissingExtraError(AfmsrError):
    """An optional part of afmsr is not installed; the message holds the command."""

    exit_status = 4


class MissingWeightsError(AfmsrError):
    """The weights of a network are not on this machine; the message says how to get them."""

    exit_status = 4


class WeightsError(AfmsrError):
    """Weights are damaged, of another network, or not what their hash promises."""

    exit_status = 4


class DownloadError(AfmsrError):
    """A download failed; nothing of it was kept as if it were whole."""

    exit_status = 4


def described(error: BaseException, with_what: str = "", memory: str = MEMORY) -> str:
    """Return what an error says to the user: ours all, others what they are and what to do.

    Parameters
    ----------
    error : exception
        Any.
    with_what : str
        What to report beside it, such as ``"with the file"``.
    memory : str
        What helps where there is not enough.
    """
    if isinstance(error, AfmsrError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory; {memory}"
    if _is_adrift(error):
        return "the folder in which you are is no longer there; change to one that is (cd)"
    if isinstance(error, OSError):
        reason = error.strerror or str(error) or type(error).__name__
        return reason if error.filename is None else f"{error.filename}: {reason}"
    said = ": ".join(filter(None, (type(error).__name__, " ".join(str(error).split()))))
    return f"{said}; this is a fault of afmsr, please report it {with_what}".rstrip()


def _is_adrift(error: BaseException) -> bool:
    """Whether an error comes of a working folder that was removed."""
    if not isinstance(error, FileNotFoundError) or error.filename is not None:
        return False
    from pathlib import Path

    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean ...?"`` for the name most like one that is not known, or nothing.

    Capitals, and what stands between words, make no difference; a long name, such as the title of
    a channel, is recognised by its beginning.

    Examples
    --------
    >>> did_you_mean("upscal", ["upscale", "models"]), did_you_mean("NinaSR-B0", ["ninasr_b0"])
    (' Did you mean upscale?', ' Did you mean ninasr_b0?')
    >>> did_you_mean("afn", ["lanczos4", "afm"]), did_you_mean("xyz", ["upscale"])
    (' Did you mean afm?', '')
    """
    import difflib

    def folded(name: str) -> str:
        return name.casefold().replace("_", "-").replace(" ", "-")

    given = folded(given.strip("*"))
    whole = {folded(name): name for name in known}
    begun = {one[: len(given)]: name for one, name in whole.items()}
    for names in (whole, begun):
        if close := difflib.get_close_matches(given, names, n=1):
            return f" Did you mean {names[close[0]]}?"
    return ""


def naming(source: Path, message: str) -> str:
    """Return a message that begins with the path of the file that it is about.

    Its name alone would not do: many a lab has a ``scan.spm`` in every folder.
    """
    for name in (str(source), source.name):
        if message.startswith((f"{name}:", f"{name},")):
            return f"{source}{message[len(name) :]}"
    return f"{source}: {message}"


def traceback_of(error: BaseException) -> str | None:
    """Return the traceback of what no one foresaw; None of an error that says what to do."""
    if isinstance(error, AfmsrError) or _is_adrift(error):
        return None
    import traceback

    return "".join(traceback.format_exception(error))


def needed(module: str, what: str, extra: str = "eval") -> Any:
    """Import a module of an optional part when it is needed, not before.

    Parameters
    ----------
    module : str
        Such as ``"scipy.special"``.
    what : str
        What needs it, for the message.
    extra : str
        The optional part.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message holds the command.
    """
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {module.partition('.')[0]}, which cannot be imported ({error}): "
            f"{pip_install(extra)}"
        ) from error


def pip_install(extra: str = "") -> str:
    """Return the command that installs afmsr once more, with an optional part.

    An installation that pip made of a folder, a file or a repository is named as such: only a
    release is found under its bare name.

    Parameters
    ----------
    extra : str
        Such as ``"torch"``, or several with commas.
    """
    from importlib import metadata

    wanted = f"[{extra}]" if extra else ""
    # In a checkout there may be two, of which only pip's own says where it came from.
    found = (one.read_text("direct_url.json") for one in metadata.distributions(name="afmsr"))
    told = next(filter(None, found), None)
    if told is None:
        return f"pip install 'afmsr{wanted}'"
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    origin = json.loads(told)
    url = str(origin["url"])
    if origin.get("dir_info", {}).get("editable"):
        return f"pip install -e '{url2pathname(urlsplit(url).path)}{wanted}'"
    if kind := origin.get("vcs_info", {}).get("vcs"):
        url = f"{kind}+{url}"
    return f"pip install 'afmsr{wanted} @ {url}'"
