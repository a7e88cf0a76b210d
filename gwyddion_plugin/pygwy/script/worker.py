"""The process that does the arithmetic: Python 3, see gwyddion_plugin/worker/protocol.py."""
import json
import os
import Queue
import subprocess
import tempfile
import threading
import time

import gwy

from .channels import described
from .failures import TAIL, Cancelled, Failure
from .fields import write_doubles
from .system import CREATE_NO_WINDOW, as_text, native, now

WORKER = ["@AFMSR_WORKER@"]  # the installer puts the worker's command here
PROTOCOL = 1
# Python holds its lock while GTK waits, so the thread that reads the worker's answers runs only
# while a function here does. Every look at the queue therefore waits a little.
POLL = 0.05  # seconds between two looks at the worker
GRACE = 5.0  # seconds beyond the time limit until a worker that does not keep it is killed
FAREWELL = 1.5  # seconds for a worker to stop or to take its leave


class Worker(object):
    """The process that does the arithmetic, and what it says."""

    def __init__(self, command):
        if command[0].startswith("@"):
            raise Failure("This script knows no worker; run `afmsr plugin install` instead of "
                          "copying it")
        options = {"creationflags": CREATE_NO_WINDOW}
        if os.name == "posix":
            options = {"close_fds": True, "preexec_fn": os.setsid}
        environment = dict((k, v) for k, v in os.environ.items() if not k.startswith("PYTHON"))
        self.errors = tempfile.TemporaryFile(prefix="afmsr-")
        try:
            self.process = subprocess.Popen(
                [native(word) for word in command], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=self.errors, env=environment, cwd=os.sep, **options)
        except EnvironmentError as error:
            raise Failure("The worker cannot be started: %s: %s; run `afmsr plugin install` again"
                          % (as_text(command[0]), as_text(error.strerror)))
        self.messages, self.requests, self.over = Queue.Queue(), 0, False
        self.reader = threading.Thread(target=self.listen)
        self.reader.daemon = True
        self.reader.start()

    def listen(self):
        try:
            for line in iter(self.process.stdout.readline, ""):
                message = json.loads(line)
                self.messages.put((message["type"], message))
        except (EnvironmentError, KeyError, TypeError, ValueError):
            pass  # nothing more can be expected of a worker that is not understood
        self.messages.put(("ended", {}))

    def send(self, message):
        if message["type"] != "cancel":
            self.requests += 1
            message["id"] = self.requests
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except EnvironmentError:
            pass  # it is gone, which `poll` will tell

    def poll(self):
        """Return type and content of the next message about the last request, or None twice."""
        try:
            kind, message = self.messages.get(True, POLL)
        except Queue.Empty:
            return None, None
        if kind == "ready" and message.get("protocol") != PROTOCOL:
            raise Failure("The worker speaks version %s of the protocol, this script version %d; "
                          "run `afmsr plugin install` again" % (message.get("protocol"), PROTOCOL))
        if kind == "ended":
            self.messages.put((kind, message))  # for whoever asks next
            raise self.died()
        if message.get("id") not in (self.requests, None):
            return None, None
        if kind == "error":
            raise Failure(message["message"], message.get("detail", ""))
        return kind, message

    def last_words(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace").strip()[-TAIL:]

    def died(self):
        end = now() + FAREWELL
        while self.process.poll() is None and now() < end:
            time.sleep(POLL)
        return Failure("The worker ended without a result (status %s); crop the scan if memory was "
                       "short, else run `afmsr plugin check`" % self.process.returncode,
                       self.last_words())

    def cancel(self):
        """Tell it to stop, and wait a little: one that stops may stay in memory."""
        self.send({"type": "cancel"})
        end = now() + FAREWELL
        try:
            while now() < end and self.poll()[0] not in ("cancelled", "result"):
                pass
        except Failure:
            pass  # it stopped by ending

    def close(self):
        """Take leave; it closes its side of the pipe, also if it then stays in memory."""
        self.process.stdin.close()
        self.reader.join(FAREWELL)
        self.over = not self.reader.isAlive()

    def kill(self):
        """End it, unless it took its leave."""
        if self.process.poll() is None and not self.over:
            self.process.kill()
            self.process.wait()
        self.reader.join(FAREWELL)


def wait_for(worker, window, limit, request):
    """Return the worker's answer; meanwhile show how far it is, and let the user cancel."""
    worker.send(request)
    deadline, fraction = now() + limit + GRACE, 0.0
    if window is not None:  # without one, gwy_app_wait_start is a TypeError
        gwy.gwy_app_wait_start(window, "Super-resolution (%s)..." % request["settings"]["method"])
    try:
        while now() < deadline:
            if window is not None and not gwy.gwy_app_wait_set_fraction(fraction):
                worker.cancel()
                raise Cancelled
            kind, message = worker.poll()
            if kind == "result":
                return message
            if kind == "progress":
                fraction = min(max(fraction, message["fraction"]), 1.0)
    finally:
        if window is not None:  # once, and also after Cancel: it resets Gwyddion's own state
            gwy.gwy_app_wait_finish()
    raise too_late(worker, limit)


def retrace_of(worker, limit, folder, data, number, others):
    """Return the retrace for a request, its values in a file; None if none can be told."""
    worker.send({"type": "retrace", "field": described(data, number),
                 "others": [described(data, other) for other in others]})
    deadline = now() + limit
    while now() < deadline:  # for its start; it only compares titles
        kind, answer = worker.poll()
        if kind == "retrace":
            break
    else:
        raise too_late(worker, limit)
    if answer["place"] is None:
        return None
    other = others[answer["place"]]
    names = write_doubles(folder, retrace=data["/%d/data" % other])
    return dict(described(data, other), data=names["retrace"], number=other)


def too_late(worker, limit):
    return Failure("The worker did not answer within %g s and was ended; crop the scan, take a "
                   "faster method such as bicubic, or run `afmsr plugin check`" % limit,
                   worker.last_words())
