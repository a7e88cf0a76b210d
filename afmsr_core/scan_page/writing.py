"""The page of a scan as a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from afmsr_core.channel import Channel
from afmsr_core.errors import UsageError
from afmsr_core.io.atomic import writing

if TYPE_CHECKING:
    from afmsr_core.scan_page.subject import Subject

__all__ = ["report", "write_page"]

Path_ = str | os.PathLike[str]


def report(
    result: Channel | Path_,
    output: Path_ | None = None,
    *,
    scan: Channel | Path_ | None = None,
    channel: str | int | None = None,
    scan_channel: str | int | None = None,
    half_width: Channel | None = None,
    force: bool = False,
) -> Path:
    """Write one page about one scan and its result: look, measure, and see what not to trust.

    Parameters
    ----------
    result : path or Channel
        A file that `afmsr upscale` wrote, or what `afmsr.upscale` returned.
    output : path, optional
        The page; by default beside the file, with the suffix ``.html``.
    scan : path or Channel, optional
        What the result was made from; needed where the file of the result does not hold it.
    channel : str or int, optional
        The result in its file: number, title or pattern; by default the first with heights.
    scan_channel : str or int, optional
        The scan in its file; by default the one that the result's title names.
    half_width : Channel, optional
        Of a result that is a channel: ``confidence`` of :func:`afmsr_core.trust.assess`. Of a
        file, it is found there.
    force : bool
        Replace the output if it exists.

    Returns
    -------
    Path
        The page: one HTML file that needs nothing beside it.

    Raises
    ------
    UsageError
        If arguments do not fit each other.
    ChannelNotFoundError
        If the file holds no result, or not the scan that it was made from.
    ReadError
        If a file cannot be read.
    FieldError
        If scan and result do not fit, or the result has more than 64 million pixels.
    OutputExistsError, OutputError
        If the page exists, or cannot be written.

    Examples
    --------
    >>> import afmsr
    >>> afmsr.report("scan_x4.gwy")  # doctest: +SKIP
    PosixPath('scan_x4.html')
    >>> fine = afmsr.upscale("scan.gwy")  # doctest: +SKIP
    >>> afmsr.report(fine, "page.html", scan=afmsr.read("scan.gwy")[0])  # doctest: +SKIP
    PosixPath('page.html')
    """
    from afmsr_core.arrays import as_channel
    from afmsr_core.scan_page.subject import subject_of, subject_of_file

    if isinstance(result, Channel):
        if channel is not None:
            raise UsageError("report: the result is a channel already; leave out channel=")
        if scan is None or output is None:
            raise UsageError(
                "report: a result that is no file needs scan=, what it was made from, and the "
                "name of the page, such as 'page.html'"
            )
        source = scan if isinstance(scan, Channel) else as_channel(scan, channel=scan_channel)
        return write_page(subject_of(result, source, half_width), Path(output), force)
    if half_width is not None:
        raise UsageError("report: the half-width of a file is found in it; leave out half_width=")
    path = Path(result)
    target = path.with_suffix(".html") if output is None else Path(output)
    if isinstance(scan, Channel):
        raise UsageError("report: give the scan of a file as a file, too, or both as channels")
    subject = subject_of_file(path, channel, None if scan is None else Path(scan), scan_channel)
    return write_page(subject, target, force)


def write_page(subject: Subject, output: Path, force: bool = False) -> Path:
    """Write the page of a scan and its result, complete or not at all; return where it is."""
    from afmsr_core.scan_page.page import page

    text = page(subject)
    with writing(output, force) as file:
        file.write(text.encode("utf-8"))
    return output
