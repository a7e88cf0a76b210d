"""Gwyddion's fields, and files of doubles."""
import array
import ctypes
import os
import sys

import gwy

from .failures import Failure

# pygwy returns the address of a field's data as a C long, which is too short on 64-bit Windows.
WHOLE_ADDRESS = ctypes.sizeof(ctypes.c_long) == ctypes.sizeof(ctypes.c_void_p)


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


def write_doubles(folder, **fields):
    """Write fields to files, and return the names of these; None for a field that is None."""
    names = {}
    for key, field in fields.items():
        names[key] = field and key + ".raw"
        if field is not None:
            with open(os.path.join(folder, names[key]), "wb") as file:
                doubles(field).tofile(file)
    return names


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


def plain(unit):
    return decoded(unit.get_string(gwy.SI_UNIT_FORMAT_PLAIN))


def decoded(text):
    """Return text of a file as UTF-8, or as Latin-1 where it is not that, as instruments write."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")
