"""The channels of a file: those that can be used, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from afmsr_core.channel import Channel, called
from afmsr_core.errors import AfmsrError

__all__ = ["FRAME", "Channels", "Unreadable", "unreadable"]

FRAME = " frame "
"""Stands in the title of a frame of a movie, before its number."""


@dataclass(frozen=True)
class Unreadable:
    """A channel that is in a file and cannot be used.

    Attributes
    ----------
    number : int
        In the file.
    title : str
        As the file gives it.
    error : AfmsrError
        What is wrong with it; for whoever asks for this channel.
    """

    number: int
    title: str
    error: AfmsrError

    @property
    def name(self) -> str:
        """Its title, or its number in the file if it has none."""
        return called(self.title, self.number)


class Channels(list[Channel]):
    """The channels of a file that can be used; `unreadable` are the others."""

    def __init__(
        self, channels: Iterable[Channel] = (), unreadable: Sequence[Unreadable] = ()
    ) -> None:
        super().__init__(channels)
        self.unreadable = tuple(unreadable)


def unreadable(channels: Sequence[Channel]) -> tuple[Unreadable, ...]:
    """Return what the file of these channels holds besides."""
    return channels.unreadable if isinstance(channels, Channels) else ()
