#!/bin/sh
# waitress writes a line to stderr for every request that finds no thread free.
#
# With the defaults of `waitress.serve` and of Python's logging, each of them is a warning, "Task
# queue depth is N", of the logger waitress.queue. They are no sign of trouble: six connections of
# one browser and four threads do it. Whoever starts such a server with a pipe as its stderr must
# read it: after 64 KiB, some 3,000 requests, the server waits for ever in its own log. What helps
# is a level of ERROR for waitress.queue, which `_quiet=True` of `serve` does not set.
#
# Seen on 2026-11-27 with Python 3.11, waitress 3.0.2:
#     400 requests, 2 threads, 8 at once: 398 lines, 398 of them 'Task queue depth is N'
#
# Exits 0 while most requests make a line, 1 if the behaviour changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check waitress==3.0.2
cat > "$folder/served.py" <<'PYTHON'
import socket
import time

import waitress


def page(environ, start_response):
    time.sleep(0.002)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
waitress.serve(page, sockets=[listening], threads=2, _quiet=True)
PYTHON
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import http.client
import re
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

REQUESTS, TOGETHER = 400, 8
folder = Path(sys.argv[1])
with (folder / "log").open("wb") as log:
    server = subprocess.Popen(
        [sys.executable, folder / "served.py"], stdout=subprocess.PIPE, stderr=log
    )
    port = int(server.stdout.readline())

    def ask():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(REQUESTS // TOGETHER):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"ok"

    threads = [threading.Thread(target=ask) for _ in range(TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.kill()
    server.wait()
lines = (folder / "log").read_text().splitlines()
alike = sum(bool(re.fullmatch(r"Task queue depth is \d+", line)) for line in lines)
print(
    f"waitress {version('waitress')}: {REQUESTS} requests, 2 threads, {TOGETHER} at once: "
    f"{len(lines)} lines, {alike} of them 'Task queue depth is N'"
)
sys.exit(0 if alike > REQUESTS / 2 else 1)
PYTHON
