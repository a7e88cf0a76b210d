"""The upscaling of one field by the worker, step by step, so that a window can stay alive."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afmsr_core.errors import Cancelled
from gwyddion_plugin.exchange.dump import RawField
from gwyddion_plugin.exchange.settings import Choices
from gwyddion_plugin.worker import field_files, protocol
from gwyddion_plugin.worker.client import ENDED, Client, raise_error

__all__ = ["Outcome", "Upscaling", "headless"]

GRACE = 5.0  # seconds beyond the time limit until a worker that does not keep it is killed
CANCEL_GRACE = 1.5  # seconds until a worker that does not stop is killed


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Parameters
    ----------
    field : RawField
        The result. Its mask marks the least certain regions if that was chosen, else it is that
        of the scan.
    saved : Path or None
        File with the full result.
    """

    field: RawField
    saved: Path | None


class Upscaling:
    """A request for a whole field that is on its way.

    Parameters
    ----------
    client : Client
        The worker.
    folder : Path
        Private folder of the request.
    field : dict
        Description of the field, whose files are in the folder.
    choices : Choices
        What to do.
    save : Path, optional
        Where to put the full result.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        field: dict[str, Any],
        choices: Choices,
        save: Path | None = None,
    ) -> None:
        self._client, self._folder, self._limit = client, folder, choices.time_limit
        self._deadline = time.monotonic() + self._limit + GRACE
        self._cancelled, self._confidence = False, choices.confidence
        self.fraction = 0.0
        self._number = client.request(
            "upscale",
            folder=str(folder),
            field=field,
            save=None if save is None else str(save),
            sample=choices.name,
            **choices.request(masked=bool(field.get("mask"))),
        )

    def cancel(self) -> None:
        """Ask for the end of the run; `step` then raises `Cancelled`."""
        if not self._cancelled:
            self._cancelled = True
            self._client.cancel()
            self._deadline = time.monotonic() + CANCEL_GRACE

    def step(self, seconds: float) -> Outcome | None:
        """Take what the worker says within some seconds; return the outcome once it is there.

        Raises
        ------
        Cancelled
            If the run was cancelled.
        AfmsrError
            If it failed.
        """
        while True:
            message = self._client.poll(seconds)
            if time.monotonic() > self._deadline:
                self._client.kill()
                if self._cancelled:
                    raise Cancelled("cancelled")
                raise protocol.TimeLimitError(
                    f"the worker did not answer within {self._limit:g} s and was ended; crop the "
                    f"scan or take a faster method such as bicubic"
                )
            if message is None:
                return None
            outcome = self._take(message)
            if outcome is not None:
                return outcome
            seconds = 0.0

    def _take(self, message: dict[str, Any]) -> Outcome | None:
        kind = message["type"]
        if kind == ENDED:
            if self._cancelled:
                raise Cancelled("cancelled")
            raise self._client.died()
        if kind == "ready" and message.get("protocol") != protocol.VERSION:
            raise protocol.ProtocolError(
                f"the worker speaks version {message.get('protocol')} of the protocol, the "
                f"plug-in {protocol.VERSION}; run `afmsr plugin install` again"
            )
        if message.get("id") != self._number:
            return None  # of an earlier request
        if kind == "cancelled":
            raise Cancelled("cancelled")
        if kind == "error":
            raise_error(message)
        if kind == "progress":
            self.fraction = max(self.fraction, float(message["fraction"]))
        if kind != "result":
            return None
        if self._cancelled:
            raise Cancelled("cancelled")
        saved = message.get("saved")
        field = field_files.read(self._folder, message["field"])
        if self._confidence:  # Gwyddion takes one field back, and its mask
            uncertain = field_files.read(self._folder, message["extras"][0]["field"])
            field = replace(field, mask=uncertain.mask)
        return Outcome(field, Path(saved) if saved else None)


def headless(command: Sequence[str], folder: Path, field: RawField, choices: Choices) -> Outcome:
    """Run without a window. Raises as `Upscaling.step` does."""
    client = Client(command)
    try:
        run = Upscaling(client, folder, field_files.write(folder, field), choices)
        while (outcome := run.step(0.1)) is None:
            pass
    except BaseException:
        client.kill()
        raise
    client.close()
    return outcome
