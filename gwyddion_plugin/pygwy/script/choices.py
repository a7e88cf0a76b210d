"""What the user chooses, and what of it is remembered."""
import json
import os
import sys
import tempfile

# Every window of afmsr in Gwyddion shares these, as in gwyddion_plugin/exchange/settings.py.
DEFAULTS = {
    "method": "afm", "scale": "auto", "background": "plane", "rows": "none", "mask": "ignore",
    "restore_background": True, "confidence": False, "join_retrace": False,
    "sharpness": 0.0, "seed": 0, "realisations": 0,
    "warm_minutes": 5.0, "time_limit": 600.0,
}
MOST = {"sharpness": 1.0, "seed": (1 << 31) - 1, "realisations": 16}  # as in the protocol
SCALES = [("auto", "Automatic"), ("4", "4x along both axes"), ("1x4", "Lines x4"),
          ("1x2", "Lines x2")]
BACKGROUNDS = [("none", "None"), ("plane", "Plane")]
BACKGROUNDS += [("poly%d" % n, "Polynomial, degree %d" % n) for n in range(2, 6)]
ROWS = [("none", "As they are"), ("rows-median", "Align by median"),
        ("rows-median-diff", "Align by median of differences")]
MASKS = [("exclude", "Exclude masked region"), ("include", "Include only masked region"),
         ("ignore", "Use entire image (ignore mask)")]


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
