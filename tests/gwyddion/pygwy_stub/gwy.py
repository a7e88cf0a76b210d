# ruff: noqa
# Python 2.7, hence no lint.
"""Gwyddion as a pygwy script sees it, for tests under Python 2.7: as strict as the real one.

Text is bytes in UTF-8; what the real functions refuse, or what would crash, is an error here.
"""

import ctypes

import gtk

RUN_INTERACTIVE, RUN_IMMEDIATE = 2, 4
APP_DATA_FIELD, APP_DATA_FIELD_ID, APP_MASK_FIELD = 5, 7, 8
SI_UNIT_FORMAT_PLAIN = 1
(
    DATA_ITEM_GRADIENT,
    DATA_ITEM_RANGE,
    DATA_ITEM_MASK_COLOR,
    DATA_ITEM_RANGE_TYPE,
    DATA_ITEM_REAL_SQUARE,
    DATA_ITEM_META,
) = 1, 3, 4, 5, 6, 8
_ITEMS = {
    DATA_ITEM_GRADIENT: ["base/palette"],
    DATA_ITEM_RANGE: ["base/min", "base/max"],
    DATA_ITEM_RANGE_TYPE: ["base/range-type"],
    DATA_ITEM_META: ["meta"],
    DATA_ITEM_MASK_COLOR: ["mask/red"],
    DATA_ITEM_REAL_SQUARE: ["data/realsquare"],
}


class World(object):
    """What the scenario sets up, and what it looks at afterwards."""

    container, number, window = None, 0, None
    waits = []  # every call of gwy_app_wait_*
    cancel_at = None  # fraction
    waiting = cancelled = False


def _bytes(text):
    assert isinstance(text, str), "pygwy takes bytes: %r" % (text,)
    return text


class SIUnit(object):
    def __init__(self, text=""):
        self.text = _bytes(text)

    def get_string(self, form):
        assert form == SI_UNIT_FORMAT_PLAIN
        return self.text

    def set_from_string(self, text):
        self.text = _bytes(text)
        return 0

    def duplicate(self):
        return SIUnit(self.text)


class _Field(object):
    def __init__(self, xres, yres, xreal, yreal, nullme):
        assert isinstance(xres, int) and isinstance(yres, int) and xres > 0 and yres > 0
        self.values = (ctypes.c_double * (xres * yres))(*[float("nan")] * (xres * yres))
        self.xres, self.yres, self.xreal, self.yreal = xres, yres, float(xreal), float(yreal)
        self.xoff = self.yoff = 0.0
        self.unit_xy, self.unit_z, self.changed = SIUnit(), SIUnit(), False

    def get_xres(self):
        return self.xres

    def get_yres(self):
        return self.yres

    def get_xreal(self):
        return self.xreal

    def get_yreal(self):
        return self.yreal

    def get_xoffset(self):
        return self.xoff

    def get_yoffset(self):
        return self.yoff

    def set_xoffset(self, offset):
        self.xoff = float(offset)

    def set_yoffset(self, offset):
        self.yoff = float(offset)

    def get_si_unit_xy(self):
        return self.unit_xy

    def get_si_unit_z(self):
        return self.unit_z

    def set_si_unit_xy(self, unit):
        assert isinstance(unit, SIUnit)
        self.unit_xy = unit

    def set_si_unit_z(self, unit):
        assert isinstance(unit, SIUnit)
        self.unit_z = unit

    def get_data(self):
        return list(self.values)

    def set_data(self, values):
        assert isinstance(values, (list, tuple)) and len(values) == len(self.values)
        self.values[:] = values

    def data_changed(self):
        self.changed = True


class FieldWithPointer(_Field):
    def get_data_pointer(self):
        return ctypes.addressof(self.values)


DataField = FieldWithPointer  # the scenario may say _Field


class Container(object):
    def __init__(self):
        self.items = {}

    def __getitem__(self, name):
        return self.items[_bytes(name)]

    def __setitem__(self, name, value):
        assert isinstance(value, (str, int, float, _Field, Container)), repr(value)
        self.items[_bytes(name)] = value

    def keys_by_name(self):
        return list(self.items)

    def set_string_by_name(self, name, text):
        self.items[_bytes(name)] = _bytes(text)

    def set_object_by_name(self, name, thing):
        assert isinstance(thing, (_Field, Container))
        self.items[_bytes(name)] = thing

    def duplicate(self):
        copy = Container()
        copy.items.update(self.items)
        return copy


_settings = Container()


def gwy_app_settings_get():
    return _settings


def gwy_app_data_browser_get_current(item):
    key = {APP_DATA_FIELD: "/%d/data", APP_MASK_FIELD: "/%d/mask"}
    if item == APP_DATA_FIELD_ID:
        return World.number
    return World.container.items.get(key[item] % World.number)


def gwy_app_get_data_field_title(data, number):
    return data["/%d/data/title" % number]


def gwy_app_find_window_for_channel(data, number):
    assert isinstance(data, Container) and isinstance(number, int)
    return World.window


def gwy_app_data_browser_add_data_field(field, data, show):
    assert isinstance(field, _Field) and isinstance(data, Container) and isinstance(show, bool)
    number = 0
    while "/%d/data" % number in data.items:
        number += 1
    data["/%d/data" % number] = field
    data["/%d/data/title" % number] = "Unknown channel"
    return number


def gwy_app_sync_data_items(source, dest, from_id, to_id, delete_too, items):
    assert isinstance(items, (tuple, list)) and delete_too is False
    for item in items:
        for name in _ITEMS[item]:
            found = source.items.get("/%d/%s" % (from_id, name))
            if found is not None:
                found = found.duplicate() if isinstance(found, Container) else found
                dest["/%d/%s" % (to_id, name)] = found


def gwy_app_channel_log_add_proc(data, previous, number):
    prefix = "/module/afmsr_pygwy/"
    told = ", ".join(
        '%s="%s"' % (key[len(prefix) :], value)
        for key, value in sorted(_settings.items.items())
        if key.startswith(prefix)
    )
    before = data.items.get("/%d/data/log" % previous, "")
    data["/%d/data/log" % number] = before + "proc::afmsr_pygwy(%s)\n" % told


def gwy_app_wait_start(window, text):
    if not isinstance(window, gtk.Window):
        raise TypeError("window should be a gtk.Window")
    assert not World.waiting
    World.waiting, World.cancelled = True, False
    World.waits.append(["start", _bytes(text)])


def gwy_app_wait_set_fraction(fraction):
    assert World.waiting and 0.0 <= fraction <= 1.0
    World.waits.append(["fraction", fraction])
    if World.cancel_at is not None and fraction >= World.cancel_at:
        World.cancelled = True
    return not World.cancelled


def gwy_app_wait_finish():
    assert World.waiting, "nothing to finish"
    World.waiting = World.cancelled = False
    World.waits.append(["finish", None])
