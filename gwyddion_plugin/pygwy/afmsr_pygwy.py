# AFM super-resolution in Gwyddion 2: the script that pygwy runs in Gwyddion's own Python 2.7.
#
# It asks for settings, hands the channel to a worker (a process of its own, Python 3, see
# gwyddion_plugin/worker/protocol.py), and adds the result as a new channel. What the host forces
# on it:
# - Gwyddion compiles this text with "import gwy" put before it, so no import from __future__, and
#   ASCII only. __file__ is a bare name: nothing is found from it.
# - Whatever is printed opens a window of errors. numpy may be missing.
# - Python holds its lock while GTK waits, so the thread that reads the worker's answers runs only
#   while a function here does. Every look at the queue therefore waits a little.
import array
import ctypes
import json
import os
import Queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

import gwy

# To import signal, as subprocess does, takes Ctrl+C from a program that Python did not start.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

plugin_type = "PROCESS"
plugin_menu = "/_AFM Super-Resolution..."
plugin_icon = "gwy_scale"
plugin_desc = "Upscale the channel with a neural network or an interpolation"

WORKER = ["@AFMSR_WORKER@"]  # the installer puts the worker's command here

NAME = "afmsr_pygwy"  # of this file; Gwyddion logs the settings that stand under it
PROTOCOL = 1
POLL = 0.05  # seconds between two looks at the worker
GRACE = 5.0  # seconds beyond the time limit until a worker that does not keep it is killed
FAREWELL = 1.5  # seconds for a worker to stop or to take its leave
TAIL = 2000  # characters of the worker's stderr that are shown
CREATE_NO_WINDOW = 0x08000000  # Windows: no console beside Gwyddion's window
META = "afmsr history"  # as in the files that afmsr writes

# The settings that every window of afmsr in Gwyddion shares, as in
# gwyddion_plugin/exchange/settings.py.
DEFAULTS = {
    "method": "afm", "scale": "auto", "background": "plane", "rows": "none", "mask": "ignore",
    "restore_background": True, "confidence": False, "join_retrace": False,
    "sharpness": 0.0, "seed": 0, "realisations": 0,
    "warm_minutes": 5.0, "time_limit": 600.0,
}
MOST = {"sharpness": 1.0, "seed": (1 << 31) - 1, "realisations": 16}  # as in the protocol
WARNING = ("Detail is drawn at random: sharper to look at, further from the truth. Not for single "
           "features.")
SCALES = [("auto", "Automatic"), ("4", "4x along both axes"), ("1x4", "Lines x4"),
          ("1x2", "Lines x2")]
BACKGROUNDS = [("none", "None"), ("plane", "Plane")]
BACKGROUNDS += [("poly%d" % n, "Polynomial, degree %d" % n) for n in range(2, 6)]
ROWS = [("none", "As they are"), ("rows-median", "Align by median"),
        ("rows-median-diff", "Align by median of differences")]
MASKS = [("exclude", "Exclude masked region"), ("include", "Include only masked region"),
         ("ignore", "Use entire image (ignore mask)")]

# A clock that nobody sets: Python 2.7 has no time.monotonic.
now = time.clock if os.name == "nt" else lambda: os.times()[4]
# pygwy returns the address of a field's data as a C long, which is too short on 64-bit Windows.
WHOLE_ADDRESS = ctypes.sizeof(ctypes.c_long) == ctypes.sizeof(ctypes.c_void_p)


class Cancelled(Exception):
    pass


class Failure(Exception):
    """What the user is told, with the cure, and details."""

    def __init__(self, message, detail=""):
        Exception.__init__(self, message)
        self.message, self.detail = message, detail


def run(data, mode):
    # Gwyddion starts Python without its handlers of signals, one of which makes an exception of
    # a broken pipe: to write to a dead worker would end Gwyddion.
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN) if os.name == "posix" else None
    try:
        upscale(data, mode == gwy.RUN_INTERACTIVE)
    except Cancelled:
        pass
    except Failure as failure:
        complain(failure.message, failure.detail)
    except EnvironmentError as error:
        complain("%s; if the disk is full, free some space or set TMPDIR to another folder" % error)
    except Exception as error:
        complain("%r; please report this" % error, traceback.format_exc())
    finally:
        if before is not None:
            signal.signal(signal.SIGPIPE, before)


def upscale(data, interactive):
    current = gwy.gwy_app_data_browser_get_current  # takes one item a call
    field, mask = current(gwy.APP_DATA_FIELD), current(gwy.APP_MASK_FIELD)
    number = current(gwy.APP_DATA_FIELD_ID)
    if field is None:
        raise Failure("There is no channel to upscale; select one in the data browser")
    window = gwy.gwy_app_find_window_for_channel(data, number)
    choices = load_choices()
    folder = tempfile.mkdtemp(prefix="afmsr-")
    worker = None
    try:
        worker = Worker(WORKER)
        others = others_of(data, number)
        given, told = {}, []

        def request(kind, choices):
            """Return a request; the files are written for the first, when a dialog is there."""
            if not given:
                given.update(folder=as_text(folder), field=described(data, number))
                given["field"].update(write_doubles(folder, data=field, mask=mask))
            settings = settings_of(choices)
            if mask is None:
                settings["mask"] = "ignore"
            return dict(given, type=kind, settings=settings)

        if interactive:
            shown, rest = described(data, number), [described(data, one) for one in others]
            dialog = Dialog(worker, window, shown, rest, mask is not None, choices, request)
            choices, told = dialog.ask(), dialog.told
            store_choices(choices)
        asked = dict(
            request("upscale", choices),
            time_limit=choices["time_limit"],
            keep=60.0 * choices["warm_minutes"],
            confidence=choices["confidence"],
            **drawn_of(choices)
        )
        if choices["join_retrace"] and others:
            asked["retrace"] = retrace_of(
                worker, choices["time_limit"], folder, data, number, others)
        answer = wait_for(worker, window, choices["time_limit"], asked)
        result, result_mask = fields_of(answer, field, folder)
        extras = [(extra, fields_of(extra, field, folder)) for extra in answer.get("extras", [])]
        worker.close()
    finally:
        if worker is not None:
            worker.kill()
        shutil.rmtree(folder, True)
    add_channel(data, number, result, result_mask, answer, choices["restore_background"])
    for extra, (values, marks) in extras:
        # Not shown: the next Ctrl+F would be for them. The data browser lists them.
        add_channel(data, number, values, marks, extra, False, False)
    untold = [text for text in answer.get("warnings", []) if text not in told]
    if interactive and untold:
        inform("The new channel is there. " + " ".join(sentence(text) for text in untold))


def settings_of(choices):
    """Return the settings of a request."""
    steps = [step for step in (choices["background"], choices["rows"]) if step != "none"]
    return {
        "method": choices["method"], "scale": choices["scale"],
        "level": "+".join(steps) or "none", "mask": choices["mask"],
        "restore_background": choices["restore_background"],
    }


def drawn_of(choices):
    """Return what a request says of chance; nothing unless something is to be drawn."""
    if not choices["sharpness"] and not choices["realisations"]:
        return {}
    return dict((name, choices[name]) for name in MOST)


# --- between Gwyddion's fields and files of doubles ---------------------------------------------


def write_doubles(folder, **fields):
    """Write fields to files, and return the names of these; None for a field that is None."""
    names = {}
    for key, field in fields.items():
        names[key] = field and key + ".raw"
        if field is not None:
            with open(os.path.join(folder, names[key]), "wb") as file:
                doubles(field).tofile(file)
    return names


def described(data, number):
    """Return what the worker must know of a channel, without its values."""
    field = data["/%d/data" % number]
    title = gwy.gwy_app_get_data_field_title(data, number) or ""
    return {
        "xres": field.get_xres(), "yres": field.get_yres(),
        "xreal": field.get_xreal(), "yreal": field.get_yreal(),
        "xoff": field.get_xoffset(), "yoff": field.get_yoffset(),
        "unit_xy": plain(field.get_si_unit_xy()), "unit_z": plain(field.get_si_unit_z()),
        "title": decoded(title),
    }


def others_of(data, number):
    """Return the numbers of the other channels of a file."""
    keys = [key.split("/") for key in data.keys_by_name() if key.endswith("/data")]
    found = [int(key[1]) for key in keys if len(key) == 3 and key[1].isdigit()]
    return [one for one in sorted(found) if one != number]


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


def plain(unit):
    return decoded(unit.get_string(gwy.SI_UNIT_FORMAT_PLAIN))


def decoded(text):
    """Return text of a file as UTF-8, or as Latin-1 where it is not that, as instruments write."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def address(field):
    """Return where the values of a field are, None if pygwy cannot tell."""
    if WHOLE_ADDRESS and hasattr(field, "get_data_pointer"):
        return field.get_data_pointer()
    return None


def doubles(field):
    """Return the values of a field, little-endian."""
    where = address(field)
    if where:
        size = 8 * field.get_xres() * field.get_yres()
        values = array.array("d", ctypes.string_at(where, size))
    else:
        values = array.array("d", field.get_data())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def new_field(like, made, folder, name):
    """Return a field as large and at the same place as `like`, with the values of a file."""
    with open(os.path.join(folder, os.path.basename(name)), "rb") as file:
        values = array.array("d", file.read())
    if len(values) != made["xres"] * made["yres"]:
        raise Failure("The worker's result has %d values instead of %d x %d; run `afmsr plugin "
                      "check`" % (len(values), made["xres"], made["yres"]))
    if sys.byteorder == "big":
        values.byteswap()
    field = gwy.DataField(made["xres"], made["yres"], like.get_xreal(), like.get_yreal(), False)
    field.set_xoffset(like.get_xoffset())
    field.set_yoffset(like.get_yoffset())
    field.set_si_unit_xy(like.get_si_unit_xy().duplicate())
    where = address(field)
    if where:
        ctypes.memmove(where, values.buffer_info()[0], 8 * len(values))
    else:
        field.set_data(values.tolist())
    field.data_changed()
    return field


def fields_of(answer, like, folder):
    """Return the field that an answer describes, and its mask or None."""
    made = answer["field"]
    field = new_field(like, made, folder, made["data"])
    unit = like.get_si_unit_z().duplicate()
    if (made["unit_z"] or "1") != (plain(unit) or "1"):  # the worker converted the values
        unit.set_from_string(made["unit_z"].encode("utf-8"))
    field.set_si_unit_z(unit)
    mask = new_field(like, made, folder, made["mask"]) if made.get("mask") else None
    return field, mask


def earlier_steps(meta):
    """Return what afmsr did to the channel before, which came with its metadata."""
    try:
        steps = json.loads(meta[META]) if META in meta.keys_by_name() else []
    except ValueError:  # edited in the metadata browser
        return []
    return steps if isinstance(steps, list) else []


def add_channel(data, number, result, mask, answer, restored, shown=True):
    new = gwy.gwy_app_data_browser_add_data_field(result, data, shown)
    data["/%d/data/title" % new] = answer["field"]["title"].encode("utf-8")
    items = (gwy.DATA_ITEM_GRADIENT, gwy.DATA_ITEM_MASK_COLOR, gwy.DATA_ITEM_REAL_SQUARE,
             gwy.DATA_ITEM_META)
    if restored:  # else a fixed range would be that of other heights
        items += (gwy.DATA_ITEM_RANGE_TYPE, gwy.DATA_ITEM_RANGE)
    gwy.gwy_app_sync_data_items(data, data, number, new, False, items)
    if mask is not None:
        data["/%d/mask" % new] = mask
    key = "/%d/meta" % new
    if key not in data.keys_by_name():
        data.set_object_by_name(key, gwy.Container())
    history = json.dumps(earlier_steps(data[key]) + answer["history"])
    for sign in "<>&":  # what Gwyddion's metadata browser would take for markup
        history = history.replace(sign, "\\u%04x" % ord(sign))
    data[key].set_string_by_name(META, history)
    settings = gwy.gwy_app_settings_get()
    # Not those of an earlier run.
    told = {"weights_sha256": "", "joined_with": "", "sharpness": 0.0, "seed": "", "warnings": " ".join(
        sentence(text) for text in answer.get("warnings", []))}
    for step in answer["history"]:
        if step["name"] == "join":
            told["joined_with"] = step["settings"]["retrace"]
        elif step["name"] in ("sharpen", "realise"):
            told["seed"] = step["settings"]["seed"]
            told["sharpness"] = step["settings"].get("sharpness", 0.0)
        elif step["name"] == "upscale":
            told.update(step["settings"], afmsr=step["version"])
        elif step["name"] == "scan_time":
            told["scan_time"] = step["effect"]
    for key, value in told.items():
        value = value if isinstance(value, basestring) else json.dumps(value)
        settings.set_string_by_name("/module/%s/%s" % (NAME, str(key)), value.encode("utf-8"))
    gwy.gwy_app_channel_log_add_proc(data, number, new)


# --- the worker ---------------------------------------------------------------------------------


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


def too_late(worker, limit):
    return Failure("The worker did not answer within %g s and was ended; crop the scan, take a "
                   "faster method such as bicubic, or run `afmsr plugin check`" % limit,
                   worker.last_words())


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


# --- what is remembered -------------------------------------------------------------------------


def settings_file():
    """Return the path that gwyddion_plugin/exchange/settings.py names."""
    variable, below_home = "XDG_CONFIG_HOME", ".config"
    if os.name == "nt":
        variable, below_home = "APPDATA", "AppData/Roaming"
    elif sys.platform == "darwin":
        below_home = "Library/Application Support"
    base = os.environ.get(variable, "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), below_home)
    return os.path.join(base, "afmsr", "gwyddion.json")


def read_settings():
    try:
        with open(settings_file(), "rb") as file:
            return dict(json.load(file))
    except (EnvironmentError, TypeError, ValueError):
        return {}


def load_choices():
    """Return the choices of last time; what is missing or makes no sense is as at first."""
    found, choices = read_settings(), dict(DEFAULTS)
    for name, default in DEFAULTS.items():
        value = found.get(name)
        kinds = {str: unicode, float: (int, float), bool: bool, int: (int, long)}[type(default)]
        if name in MOST and not 0 <= value <= MOST[name]:
            continue
        if isinstance(value, kinds) and isinstance(value, bool) == isinstance(default, bool):
            choices[name] = value.encode("utf-8") if isinstance(value, unicode) else value
    try:
        choices["warm_minutes"] = float(os.environ["AFMSR_WARM_MINUTES"])
    except (KeyError, ValueError):
        pass
    return choices


def store_choices(choices):
    """Keep the choices for next time, beside what other windows keep there. Never a failure."""
    kept, target = read_settings(), settings_file()
    kept.update((name, choices[name]) for name in DEFAULTS if name != "warm_minutes")
    try:
        if not os.path.isdir(os.path.dirname(target)):
            os.makedirs(os.path.dirname(target))
        number, temporary = tempfile.mkstemp(prefix=".gwyddion.", dir=os.path.dirname(target))
        with os.fdopen(number, "wb") as file:
            file.write(json.dumps(kept, indent=1) + "\n")
        if os.name == "nt" and os.path.exists(target):
            os.remove(target)  # os.rename of Python 2.7 does not replace there
        os.rename(temporary, target)
    except EnvironmentError:
        pass


# --- windows ------------------------------------------------------------------------------------


def complain(message, detail=""):
    import gtk

    show_text(gtk.MESSAGE_ERROR, "AFM super-resolution failed; the data are as they were.",
              message + ("\n\n" + detail[-TAIL:] if detail else ""))


def inform(message):
    import gtk

    show_text(gtk.MESSAGE_INFO, "AFM super-resolution", message)


def show_text(kind, heading, message):
    import gtk

    dialog = gtk.MessageDialog(None, gtk.DIALOG_MODAL, kind, gtk.BUTTONS_CLOSE, heading)
    dialog.format_secondary_text(message)
    dialog.run()
    dialog.destroy()


def sentence(text):
    return text[:1].upper() + text[1:] + "."


class Dialog(object):
    """The settings, in Gwyddion's manner. It is there before the worker tells its methods."""

    RESET, FAILED = 1, 2  # responses

    def __init__(self, worker, window, field, others, masked, choices, request):
        import gtk

        self.worker, self.choices, self.failure, self.request = worker, choices, None, request
        self.field, self.others, self.told = field, others, []
        # For an answer; what the list of methods and the verdict are about.
        self.waiting, self.listed, self.judged = False, None, None
        self.default, self.methods, self.combos = DEFAULTS["method"], [], {}
        self.ok = gtk.RESPONSE_OK
        self.dialog = gtk.Dialog("AFM Super-Resolution", window, gtk.DIALOG_MODAL, (
            "_Reset", self.RESET, gtk.STOCK_CANCEL, gtk.RESPONSE_CANCEL,
            gtk.STOCK_OK, self.ok))
        self.dialog.set_default_response(self.ok)
        self.note, self.sampling, self.saved, self.plan = [gtk.Label() for _ in range(4)]
        self.chance = gtk.Label()
        for label in (self.note, self.sampling, self.saved, self.plan, self.chance):
            label.set_line_wrap(True)
            label.set_selectable(True)  # a command that gets what is missing can be copied
        self.restore = gtk.CheckButton("Restore background: same _tilt, datum and mean")
        self.confidence = gtk.CheckButton("Add con_fidence and residual as channels")
        self.join = gtk.CheckButton("_Join with the retrace: less noise, fewer scars")
        self.join.set_sensitive(False)  # until the worker has found it among the channels
        table = gtk.Table(8, 2)
        for row, (text, name, values) in enumerate((
                ("_Method:", "method", []), ("Sca_le:", "scale", SCALES),
                ("_Background:", "background", BACKGROUNDS), ("_Scan lines:", "rows", ROWS),
                ("Mas_king:", "mask", MASKS))):
            label, combo = gtk.Label(), gtk.combo_box_new_text()
            label.set_text_with_mnemonic(text)
            label.set_mnemonic_widget(combo)
            table.attach(label, 0, 1, row, row + 1)
            table.attach(combo, 1, 2, row, row + 1)
            for _, shown in values:
                combo.append_text(shown)
            self.combos[name] = combo, [value for value, _ in values]
        self.sharpness = gtk.HScale(gtk.Adjustment(0.0, 0.0, MOST["sharpness"], 0.05, 0.25))
        self.sharpness.set_digits(2)
        self.realisations, self.seed = [
            gtk.SpinButton(gtk.Adjustment(0.0, 0.0, MOST[name], 1.0, 1.0))
            for name in ("realisations", "seed")]
        for row, (text, widget) in enumerate((
                ("S_harpness:", self.sharpness), ("R_ealisations:", self.realisations),
                ("See_d:", self.seed))):
            label = gtk.Label()
            label.set_text_with_mnemonic(text)
            label.set_mnemonic_widget(widget)
            table.attach(label, 0, 1, row + 5, row + 6)
            table.attach(widget, 1, 2, row + 5, row + 6)
        for widget in (table, self.chance, self.note, self.sampling, self.join, self.restore,
                       self.confidence, self.saved, self.plan):
            self.dialog.vbox.pack_start(widget, False, False, 4)
        self.combos["mask"][0].set_sensitive(masked)
        self.method = self.combos["method"][0]
        self.method.connect("changed", self.explain)
        self.sharpness.connect("value-changed", self.warn)
        self.confidence.connect("toggled", self.warn)
        self.list_methods([{"name": choices["method"], "label": choices["method"],
                            "summary": "asking the worker what there is...", "problem": ""}])
        self.show(choices)

    def list_methods(self, methods):
        chosen = self.chosen("method") or self.choices["method"]
        for _ in self.methods:
            self.method.remove_text(0)
        self.methods = sorted(methods, key=lambda method: method["name"] != self.default)
        self.combos["method"] = self.method, [str(method["name"]) for method in self.methods]
        for method in self.methods:
            self.method.append_text(method["label"] + " (not available)" * bool(method["problem"]))
        self.choose("method", chosen)

    def chosen(self, name):
        combo, values = self.combos[name]
        return values[combo.get_active()] if combo.get_active() >= 0 else None

    def choose(self, name, value):
        combo, values = self.combos[name]
        combo.set_active(values.index(value) if value in values else 0)

    def show(self, choices):
        for name in self.combos:
            self.choose(name, choices[name])
        self.restore.set_active(choices["restore_background"])
        self.confidence.set_active(choices["confidence"])
        self.join.set_active(choices["join_retrace"])
        for name in MOST:
            getattr(self, name).set_value(choices[name])
        self.warn()

    def explain(self, combo):
        """Say what the chosen method is, or lacks."""
        if combo.get_active() < 0:
            return  # the list is being made anew
        method = self.methods[combo.get_active()]
        seconds = method.get("seconds_per_pixel", 0.0) * self.field["xres"] * self.field["yres"]
        about = "; takes about %d s" % max(1, round(seconds)) if seconds else ""
        self.note.set_text(method["problem"] or method["summary"] + about)
        self.dialog.set_response_sensitive(self.ok, not method["problem"])
        self.warn()

    def not_drawn(self):
        """Return why nothing can be drawn at random, and why the result cannot be sharpened."""
        known = [method for method in self.methods if method["name"] == self.chosen("method")]
        why = known[0].get("not_drawn", "") if known else ""
        if not why and self.confidence.get_active():
            return "", "confidence and residual are those of the best guess; choose one of the two"
        return why, why

    def warn(self, *event):
        """Warn of what is drawn at random, or say why nothing can be."""
        nothing, why = self.not_drawn()
        for name in MOST:
            sensitive = not (why if name == "sharpness" else nothing)
            getattr(self, name).set_sensitive(sensitive)
        if why:
            self.chance.set_text("No sharpness: %s." % why)
        else:
            self.chance.set_text(WARNING if self.sharpness.get_value() > 0 else "")

    def listen(self):
        if self.failure:
            return True
        if not self.waiting:
            self.ask_next()
        if not self.waiting:
            return True  # nothing to hear; if the worker ends now, the run will tell
        try:
            kind, message = self.worker.poll()
            if kind == "methods":
                self.default = str(message["default"])
                self.list_methods(message["methods"])
                told, saved = message["scale"]["told"], message["scale"]["saved"]
                self.saved.set_text(sentence(told) + " " + saved if told else saved)
            elif kind == "verdict":
                self.told = message["warnings"]
                self.sampling.set_text(message["told"])
                self.plan.set_text(message.get("plan", ""))
            elif kind == "retrace":
                self.join.set_sensitive(message["place"] is not None)
            self.waiting = kind not in ("methods", "retrace", "verdict")
        except Failure as failure:
            if self.judged:  # no reason not to go on
                self.sampling.set_text("Pixels not judged; " + failure.message)
                self.waiting = False
            else:
                self.failure = failure
                self.dialog.response(self.FAILED)
        return True

    def ask_next(self):
        """Ask what there is for the scale, then once for the retrace, then for the verdict."""
        scale = self.chosen("scale")
        if scale != self.listed:
            self.listed, self.waiting = scale, True
            self.worker.send(
                {"type": "methods", "field": self.field, "settings": {"scale": scale}})
        elif self.others:
            self.worker.send({"type": "retrace", "field": self.field, "others": self.others})
            self.others, self.waiting = [], True
        else:
            self.judge()

    def judge(self):
        """Ask whether the scan is fine enough, once for each levelling."""
        chosen = dict(self.choices, **dict((name, self.chosen(name)) for name in self.combos))
        asked = dict((name, chosen[name]) for name in ("scale", "background", "rows", "mask"))
        if asked != self.judged:
            self.judged = asked
            try:
                request = self.request("judge", dict(self.choices, **asked))
            except EnvironmentError:
                return  # the run, which needs the same files, will tell
            self.worker.send(request)
            self.waiting = True

    def ask(self):
        import gobject

        self.ask_next()
        self.dialog.show_all()
        watch = gobject.timeout_add(int(2000 * POLL), self.listen)
        try:
            response = self.dialog.run()
            while response == self.RESET:
                self.show(dict(DEFAULTS, method=self.default))
                response = self.dialog.run()
            chosen = dict((name, self.chosen(name)) for name in self.combos)
            chosen["restore_background"] = self.restore.get_active()
            chosen["confidence"] = self.confidence.get_active()
            chosen["join_retrace"] = self.join.get_active()
            nothing, why = self.not_drawn()
            chosen["sharpness"] = 0.0 if why else round(self.sharpness.get_value(), 2)
            chosen["realisations"] = 0 if nothing else self.realisations.get_value_as_int()
            chosen["seed"] = self.seed.get_value_as_int()
        finally:
            gobject.source_remove(watch)
            self.dialog.destroy()
        if self.failure:
            raise self.failure
        if response != self.ok:
            raise Cancelled
        return dict(self.choices, **chosen)
