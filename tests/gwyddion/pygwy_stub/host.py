# ruff: noqa
# Python 2.7, hence no lint.
"""What Gwyddion does with a pygwy script: ``python2.7 host.py SCRIPT SCENARIO REPORT``.

SCENARIO and REPORT are JSON files; arrays are files of doubles.
"""

import array
import imp
import json
import os
import signal
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.modules["numpy"] = None  # may be absent in Gwyddion's Python

import gobject
import gtk
import gwy


def load(path):
    with open(path, "rb") as file:
        code = compile("import gwy\n\n" + file.read(), "afmsr_pygwy", "exec")
    module = imp.new_module("afmsr_pygwy")
    module.__file__ = "afmsr_pygwy"
    exec(code, module.__dict__)
    return module


def field_from(told):
    field = gwy.DataField(told["xres"], told["yres"], told["xreal"], told["yreal"], False)
    with open(told["data"], "rb") as file:
        field.values[:] = array.array("d", file.read())
    field.xoff, field.yoff = told["xoff"], told["yoff"]
    field.unit_xy = gwy.SIUnit(told["unit_xy"].encode("utf-8"))
    field.unit_z = gwy.SIUnit(told["unit_z"].encode("utf-8"))
    return field


def describe(value, folder, name):
    if isinstance(value, gwy.Container):
        return value.items
    if isinstance(value, str):
        return value.decode("utf-8", "replace")
    if not isinstance(value, gwy._Field):
        return value
    path = os.path.join(folder, "out" + name.replace("/", "-"))
    with open(path, "wb") as file:
        array.array("d", value.values).tofile(file)
    return {
        "xres": value.xres,
        "yres": value.yres,
        "xreal": value.xreal,
        "yreal": value.yreal,
        "xoff": value.xoff,
        "yoff": value.yoff,
        "unit_xy": value.unit_xy.text,
        "unit_z": value.unit_z.text,
        "data": path,
        "changed": value.changed,
        "units": [id(value.unit_xy), id(value.unit_z)],
    }


def main():
    script, scenario_path, report = sys.argv[1:]
    with open(scenario_path) as file:
        scenario = json.load(file)
    if not scenario["pointer"]:
        gwy.DataField = gwy._Field
    data = gwy.World.container = gwy.Container()
    gwy.World.number, gwy.World.cancel_at = scenario["number"], scenario["cancel_at"]
    gwy.World.window = gtk.Window() if scenario["window"] else None
    for name, value in scenario["items"].items():
        if isinstance(value, dict) and "data" in value:
            value = field_from(value)
        elif isinstance(value, dict):
            meta, value = value, gwy.Container()
            for key, text in meta.items():
                value.set_string_by_name(key.encode("utf-8"), text.encode("utf-8"))
        if type(value) is unicode:
            value = value.encode(scenario["encoding"])
        data[name.encode("utf-8")] = value
    gtk.user.extend(scenario["user"])
    # Python in Gwyddion has none of its handlers: a broken pipe ends the program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    printed = tempfile.TemporaryFile(dir=os.path.dirname(report))
    os.environ.update((str(name), str(text)) for name, text in scenario["environment"].items())
    kept = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = printed
    try:
        module = load(script)
        for name, value in scenario["constants"].items():
            setattr(module, name, value)
        module.run(data, getattr(gwy, scenario["mode"]))
    finally:
        sys.stdout, sys.stderr = kept
    printed.seek(0)
    with open(report, "w") as file:
        json.dump(
            {
                "plugin": dict(
                    (name, getattr(module, "plugin_" + name)) for name in ("type", "menu", "desc")
                ),
                "printed": printed.read(),
                "items": dict(
                    (name, describe(value, os.path.dirname(report), name))
                    for name, value in data.items.items()
                ),
                "shown": gtk.shown,
                "errors": gtk.errors,
                "told": gtk.told,
                "user": gtk.user,
                "waits": gwy.World.waits,
                "waiting": gwy.World.waiting,
                "threads": threading.activeCount(),
                "timers": len(gobject.timers),
                "sigpipe": signal.getsignal(signal.SIGPIPE) == signal.SIG_DFL,
            },
            file,
        )


main()
