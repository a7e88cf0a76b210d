"""The page that the button Help opens."""

from __future__ import annotations

import threading
from pathlib import Path

__all__ = ["PAGE", "show"]

PAGE = Path(__file__).with_name("help.html")


def show() -> None:
    """Open the page in the user's browser; a browser that does not come back holds up nobody."""
    import webbrowser  # which takes longer than a window may

    threading.Thread(target=webbrowser.open, args=(PAGE.as_uri(),), daemon=True).start()
