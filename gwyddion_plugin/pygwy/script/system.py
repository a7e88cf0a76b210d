"""The machine: its clock, its signals, and how it writes paths."""
import ctypes
import os
import signal
import time

CREATE_NO_WINDOW = 0x08000000  # Windows: no console beside Gwyddion's window

# To import signal, as subprocess does, takes Ctrl+C from a program that Python did not start.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

# A clock that nobody sets: Python 2.7 has no time.monotonic.
now = time.clock if os.name == "nt" else lambda: os.times()[4]


def native(word):
    """Return a word of a command as bytes: on Windows it comes as text."""
    if not isinstance(word, unicode) or word.encode("mbcs", "replace").decode("mbcs") == word:
        return word.encode("mbcs") if isinstance(word, unicode) else word
    short = ctypes.create_unicode_buffer(1024)  # only such a file's short name fits the code page
    ctypes.windll.kernel32.GetShortPathNameW(word, short, len(short))
    return short.value.encode("mbcs", "replace")


def as_text(said):
    """Return what the system said, such as a path, as text."""
    if isinstance(said, unicode):
        return said
    return said.decode("mbcs" if os.name == "nt" else "utf-8", "replace")
