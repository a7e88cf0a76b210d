"""A headless Chromium, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=*"),
)
COMPLAINTS = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
START, PATIENCE = 40.0, 30.0  # seconds that a loaded machine may take


class ToldNothing(AssertionError):
    """The browser answered a call with an error, as it does where a page leaves meanwhile."""


class Tab:
    """One tab: goes to pages, types, and is asked what it shows."""

    def __init__(self, address: str) -> None:
        import websocket

        self._socket = websocket.create_connection(address, timeout=PATIENCE)
        self._number = 0
        self.requests: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []  # on the console, warnings and errors too
        for domain in ("Page", "Runtime", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._socket.recv())
            if told.get("method") == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"])
            if told.get("method") in COMPLAINTS:
                self.said.append(told["params"])
            if told.get("id") == self._number:
                if "error" in told:
                    raise ToldNothing(f"{method}: {told['error']}")
                return dict(told["result"])

    def js(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        done = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true, across loads of pages."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                done = self.call("Runtime.evaluate", expression=f"!!({expression})")
            except ToldNothing:  # asked of a page that was just left: the next one is asked again
                done = {"result": {}}
            if "exceptionDetails" not in done and done["result"].get("value"):
                return
            time.sleep(0.03)
        raise AssertionError(f"never so: {expression}\n{self.js('document.body.innerText')}")

    def go(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def size(self, width: int, height: int, touch: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=touch,
        )  # fmt: skip

    def key(self, key: str, shift: bool = False) -> None:
        """Press a key, as a person does."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39, "ArrowLeft": 37}
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = codes.get(key, ord(key.upper()) if len(key) == 1 and key.isalnum() else 0)
        told = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **told)
        self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector: str) -> None:
        """Click into the middle of an element."""
        x, y = self.js(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)});"
            "one.scrollIntoView({block: 'center'}); const box = one.getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        """Write a screenshot of the window."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        self._socket.close()


class Browser:
    """A Chromium with an own profile, and its first tab."""

    def __init__(self, program: str, profile: Path) -> None:
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        told, end = profile / "DevToolsActivePort", time.monotonic() + START
        while not (told.is_file() and "\n" in told.read_text()):
            assert time.monotonic() < end and self._process.poll() is None, "no chromium"
            time.sleep(0.05)
        port = told.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=START) as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        self.tab = Tab(pages[0]["webSocketDebuggerUrl"])

    def close(self) -> None:
        self.tab.close()
        self._process.kill()
        self._process.wait()


def program() -> str:
    """Return the path of a Chromium, or skip."""
    pytest.importorskip("websocket", reason="websocket-client of the extra `dev` is not installed")
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip("no chromium on this machine: apt-get install chromium")


@contextmanager
def browsing(profile: Path) -> Iterator[Tab]:
    """Open a Chromium with a profile of its own, as another machine would have."""
    browser = Browser(program(), profile)
    try:
        yield browser.tab
    finally:
        browser.close()
