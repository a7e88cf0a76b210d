"""Run image functions of the real Gwyddion 3, without a display, through ctypes.

``python harness3.py JOB``, where JOB is JSON: names of ``libraries``, ``source`` and ``target`` (or
null) and ``runs``, each with a ``function``, the ``number`` of the image and ``settings`` that go
into Gwyddion's own before. With ``forget``, what a run adds is removed again. It prints one JSON
object: the places of the functions in the menu (null: not there), the images before and after,
their titles, which of them are shown, and the seconds of every run.

A program of its own: the libraries take over a process, and a test must survive their abort.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time

IMAGE = 0
RUN_NONINTERACTIVE, RUN_IMMEDIATE = 1, 4
Pointer, Text, Int = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
Ints = ctypes.POINTER(Int)

# name: (result, *arguments)
FUNCTIONS = {
    "gwy_app_init": (None, Int, Pointer),
    "gwy_image_func_exists": (Int, Text),
    "gwy_image_func_get_menu_path": (Text, Text),
    "gwy_image_func_run": (None, Text, Pointer, Int),
    "gwy_file_load": (Pointer, Text, Int, Pointer),
    "gwy_file_save": (Int, Pointer, Text, Int, Pointer),
    "gwy_file_get_ids": (Ints, Pointer, Int),
    "gwy_file_get_title": (Text, Pointer, Int, Int),
    "gwy_file_get_visible": (Int, Pointer, Int, Int),
    "gwy_file_remove": (None, Pointer, Int, Int),
    "gwy_app_settings_get": (Pointer,),
    "gwy_dict_set_string": (None, Pointer, ctypes.c_uint32, Text),
    "gwy_dict_set_double": (None, Pointer, ctypes.c_uint32, ctypes.c_double),
    "gwy_dict_set_int32": (None, Pointer, ctypes.c_uint32, ctypes.c_int32),
    "gwy_dict_set_boolean": (None, Pointer, ctypes.c_uint32, Int),
    "g_quark_from_string": (ctypes.c_uint32, Text),
    "gwy_data_browser_add": (None, Pointer),
    "gwy_data_browser_select_data": (None, Pointer, Int, Int),
}


KINDS = {bool: "boolean", int: "int32", float: "double"}


class Gwyddion:
    """The libraries, with every module loaded, and one file."""

    def __init__(self, libraries: list[str], path: str) -> None:
        *_, library = [ctypes.CDLL(name, ctypes.RTLD_GLOBAL) for name in libraries]
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("gwy_"), function)
        self.app_init(0, None)
        self.file = self.file_load(path.encode(), RUN_NONINTERACTIVE, None)
        if not self.file:
            sys.exit(f"Gwyddion does not load {path}")
        self.data_browser_add(self.file)

    def images(self) -> list[int]:
        found, numbers = self.file_get_ids(self.file, IMAGE), []
        while found[len(numbers)] != -1:
            numbers.append(found[len(numbers)])
        return numbers

    def choose(self, function: str, settings: dict) -> None:
        for name, value in settings.items():
            kind = KINDS.get(type(value), "string")
            key = self.g_quark_from_string(f"/module/{function}/{name}".encode())
            given = value.encode() if kind == "string" else value
            getattr(self, f"dict_set_{kind}")(self.app_settings_get(), key, given)

    def run(self, function: str, number: int) -> float:
        self.data_browser_select_data(self.file, IMAGE, number)
        began = time.perf_counter()
        self.image_func_run(function.encode(), self.file, RUN_IMMEDIATE)
        return time.perf_counter() - began

    def title(self, number: int) -> str:
        return (self.file_get_title(self.file, IMAGE, number) or b"").decode()

    def menu(self, function: str) -> str | None:
        if not self.image_func_exists(function.encode()):
            return None
        return self.image_func_get_menu_path(function.encode()).decode()


def main(job: dict) -> None:
    gwyddion = Gwyddion(job["libraries"], job["source"])
    before, seconds = gwyddion.images(), []
    menu = {run["function"]: gwyddion.menu(run["function"]) for run in job["runs"]}
    for run in job["runs"]:
        known = gwyddion.images()
        gwyddion.choose(run["function"], run.get("settings", {}))
        seconds.append(gwyddion.run(run["function"], run["number"]))
        if job.get("forget"):
            for made in set(gwyddion.images()) - set(known):
                gwyddion.file_remove(gwyddion.file, IMAGE, made)
    after = gwyddion.images()
    told = {
        "menu": menu,
        "before": before,
        "after": after,
        "titles": {number: gwyddion.title(number) for number in after},
        "shown": [n for n in after if gwyddion.file_get_visible(gwyddion.file, IMAGE, n)],
        "seconds": seconds,
    }
    target = job["target"]
    if target and not gwyddion.file_save(gwyddion.file, target.encode(), RUN_NONINTERACTIVE, None):
        sys.exit(f"Gwyddion does not save {target}")
    print(json.dumps(told))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
