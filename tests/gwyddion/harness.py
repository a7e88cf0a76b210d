"""Run a process function of the real Gwyddion 2, without a display, through ctypes.

``python harness.py FUNCTION SOURCE TARGET NUMBER...`` loads SOURCE, runs FUNCTION on the channels
of these numbers and saves TARGET (``-``: nowhere). It prints one JSON object: whether the
function is there, its place in the menu, the channels before and after.

A program of its own: the libraries take over a process, and a test must survive their abort.
"""

from __future__ import annotations

import ctypes
import json
import sys

RUN_INTERACTIVE, RUN_IMMEDIATE = 2, 4
LOG_TO_CONSOLE = 2
LIBRARIES = ("ddion", "process", "draw", "dgets", "module", "app")
Pointer, Text, Int = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
Texts, Ints = ctypes.POINTER(Text), ctypes.POINTER(Int)

# name: (library, result, *arguments)
FUNCTIONS = {
    "gwy_app_settings_create_config_dir": ("app", Int, Pointer),
    "gwy_app_setup_logging": ("app", None, Int),
    "gwy_widgets_type_init": ("dgets", None),
    "gwy_undo_set_enabled": ("app", None, Int),
    "gwy_app_wait_set_enabled": ("app", None, Int),
    "gwy_app_data_browser_set_gui_enabled": ("app", None, Int),
    "gwy_app_settings_get": ("app", Pointer),
    "gwy_app_settings_get_module_dirs": ("app", Texts),
    "gwy_module_register_modules": ("module", None, Texts),
    "gwy_process_func_exists": ("module", Int, Text),
    "gwy_process_func_get_menu_path": ("module", Text, Text),
    "gwy_process_func_run": ("module", None, Text, Pointer, Int),
    "gwy_file_load": ("module", Pointer, Text, Int, Pointer),
    "gwy_file_save": ("module", Int, Pointer, Text, Int, Pointer),
    "gwy_app_data_browser_add": ("app", None, Pointer),
    "gwy_app_data_browser_remove": ("app", None, Pointer),
    "gwy_app_data_browser_select_data_field": ("app", None, Pointer, Int),
    "gwy_app_data_browser_get_data_ids": ("app", Ints, Pointer),
}


class Gwyddion:
    """The libraries, set up as Gwyddion's own thumbnailer does it, and every module loaded."""

    def __init__(self) -> None:
        libraries = {
            name: ctypes.CDLL(f"libgwy{name}2.so.0", ctypes.RTLD_GLOBAL) for name in LIBRARIES
        }
        for name, (library, result, *arguments) in FUNCTIONS.items():
            function = getattr(libraries[library], name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name.removeprefix("gwy_"), function)
        self.app_settings_create_config_dir(None)
        self.app_setup_logging(LOG_TO_CONSOLE)
        self.widgets_type_init()
        self.undo_set_enabled(0)
        self.app_wait_set_enabled(0)
        self.app_data_browser_set_gui_enabled(0)
        self.app_settings_get()
        self.module_register_modules(self.app_settings_get_module_dirs())

    def load(self, path: str) -> int:
        data = self.file_load(path.encode(), RUN_INTERACTIVE, None)
        if not data:
            sys.exit(f"Gwyddion does not load {path}")
        self.app_data_browser_add(data)
        return data

    def numbers(self, data: int) -> list[int]:
        found, numbers = self.app_data_browser_get_data_ids(data), []
        while found[len(numbers)] != -1:
            numbers.append(found[len(numbers)])
        return numbers

    def run(self, function: str, data: int, number: int) -> None:
        self.app_data_browser_select_data_field(data, number)
        self.process_func_run(function.encode(), data, RUN_IMMEDIATE)

    def save(self, data: int, path: str) -> None:
        if not self.file_save(data, path.encode(), RUN_INTERACTIVE, None):
            sys.exit(f"Gwyddion does not save {path}")


def main(function: str, source: str, target: str, *numbers: str) -> None:
    gwyddion = Gwyddion()
    exists = bool(gwyddion.process_func_exists(function.encode()))
    menu = gwyddion.process_func_get_menu_path(function.encode()).decode() if exists else ""
    data = gwyddion.load(source)
    before = gwyddion.numbers(data)
    for number in numbers:
        gwyddion.run(function, data, int(number))
    told = {"exists": exists, "menu": menu, "before": before, "after": gwyddion.numbers(data)}
    if target != "-":
        gwyddion.save(data, target)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
