"""The channels of Gwyddion's file: what is read of them, and the new one."""
import json

import gwy

from .fields import decoded, plain
from .messages import sentence
from .registration import NAME

META = "afmsr history"  # as in the files that afmsr writes


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
    told = {"weights_sha256": "", "joined_with": "", "sharpness": 0.0, "seed": ""}
    told["warnings"] = " ".join(sentence(text) for text in answer.get("warnings", []))
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
