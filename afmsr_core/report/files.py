"""The files of a report: what an earlier one wrote and this one does not is removed."""

from __future__ import annotations

import contextlib
import hashlib
import re
from pathlib import Path

from afmsr_core.io.atomic import make_folder, writing
from afmsr_core.report.table import FORMS, Table, as_html
from afmsr_core.report.tiles import Panel
from afmsr_core.webpage.chart import Figure

__all__ = ["FOLDERS", "LIST", "Files"]

LIST = "report.sha256"
"""Every file of the report with its hash; ``sha256sum -c`` reads it."""

FOLDERS = ("tables", "figures")
"""Only there is anything removed."""

LINE = re.compile(rf"(?P<hash>[0-9a-f]{{64}})  (?P<name>(?:{'|'.join(FOLDERS)})/[^/\\]+)")


class Files:
    """Writes the files of a report and keeps their list.

    Parameters
    ----------
    folder : Path
        Of the results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._written: dict[str, str] = {}

    def write(self, name: str, content: bytes | str) -> None:
        """Write one file; `name` is relative to the folder, with ``/``.

        Text is UTF-8; of a file name in it that is not, the odd bytes are escaped.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        path = self.folder / name
        data = content
        if isinstance(data, str):
            data = data.encode("utf-8", "backslashreplace")
        make_folder(path.parent)
        with writing(path, force=True) as file:
            file.write(data)
        self._written[name] = hashlib.sha256(data).hexdigest()

    def write_table(self, table: Table) -> str:
        """Write a table in each of its forms, and return it as HTML."""
        for ending, form in FORMS.items():
            self.write(f"tables/{table.name}.{ending}", form(table))
        return as_html(table, csv=f"tables/{table.name}.csv")

    def write_figure(self, figure: Figure | Panel) -> str:
        """Write a figure, and return it as HTML."""
        self.write(f"figures/{figure.name}.svg", figure.svg)
        return figure.html

    def finish(self) -> None:
        """Remove what the report before wrote and this one did not, and write the list.

        A file that was changed since is somebody's, and stays; so does one that no report wrote.
        """
        for name, digest in self._earlier().items():
            path = self.folder / name
            if name in self._written:
                continue
            with contextlib.suppress(OSError):  # it is gone, or not ours to remove
                if hashlib.sha256(path.read_bytes()).hexdigest() == digest:
                    path.unlink()
        lines = [f"{digest}  {name}\n" for name, digest in sorted(self._written.items())]
        with writing(self.folder / LIST, force=True) as file:
            file.write("".join(lines).encode())

    def _earlier(self) -> dict[str, str]:
        """Return what the list names within the report's folders; whatever else it says."""
        try:
            lines = (self.folder / LIST).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return {}
        found = filter(None, map(LINE.fullmatch, lines))
        return {match["name"]: match["hash"] for match in found}
