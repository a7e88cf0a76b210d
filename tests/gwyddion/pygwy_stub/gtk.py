# ruff: noqa
# Python 2.7, hence no lint.
"""As much of PyGTK as the script uses, for tests under Python 2.7. A scenario plays the user."""

import ctypes
import time

import gobject

DIALOG_MODAL, MESSAGE_INFO, MESSAGE_ERROR, BUTTONS_CLOSE = 1, 0, 3, 2
RESPONSE_OK, RESPONSE_CANCEL, RESPONSE_CLOSE = -5, -6, -7
STOCK_CANCEL, STOCK_OK = "gtk-cancel", "gtk-ok"
PATIENCE = 60.0  # seconds

user = []  # what the user does, step by step
shown = []  # what each dialog looked like when it was answered
errors = []  # texts of the error dialogs
told = []  # texts of the dialogs that inform
_libc = ctypes.PyDLL(None)  # keeps Python's lock while it waits, as the main loop of GTK does


def _text(text):
    assert isinstance(text, basestring), text
    return text.decode("utf-8") if isinstance(text, str) else text


class Window(object):
    pass


class Widget(object):
    sensitive = True

    def set_sensitive(self, sensitive):
        self.sensitive = bool(sensitive)


class Label(Widget):
    text = ""

    def set_text(self, text):
        self.text = _text(text)

    set_text_with_mnemonic = set_text

    def set_mnemonic_widget(self, widget):
        widget.label = self.text

    def set_line_wrap(self, wrap):
        assert wrap is True

    def set_selectable(self, selectable):
        assert selectable is True


class _Telling(Widget):
    """A widget that tells of its changes."""

    signal = None

    def connect(self, signal, handler):
        assert signal == self.signal
        self.__dict__.setdefault("handlers", []).append(handler)

    def tell(self):
        for handler in getattr(self, "handlers", ()):
            handler(self)


class CheckButton(_Telling):
    signal = "toggled"

    def __init__(self, label):
        self.label, self.active = _text(label), False

    def set_active(self, active):
        assert isinstance(active, bool)
        changed, self.active = active != self.active, active
        if changed:
            self.tell()

    def get_active(self):
        return self.active


class Adjustment(object):
    def __init__(self, value, lower, upper, step_incr, page_incr):
        self.value, self.lower, self.upper = value, lower, upper


class Range(_Telling):
    """What HScale and SpinButton have in common here."""

    signal, label = "value-changed", ""

    def __init__(self, adjustment):
        self.adjustment = adjustment

    def set_digits(self, digits):
        assert digits == 2

    def set_value(self, value):
        assert not isinstance(value, bool)
        value = min(max(float(value), self.adjustment.lower), self.adjustment.upper)
        changed, self.adjustment.value = value != self.adjustment.value, value
        if changed:
            self.tell()

    def get_value(self):
        return self.adjustment.value


class HScale(Range):
    pass


class SpinButton(Range):
    def get_value_as_int(self):
        return int(round(self.adjustment.value))


class ComboBox(Widget):
    label = ""

    def __init__(self):
        self.items, self.active, self.handlers = [], -1, []

    def append_text(self, text):
        self.items.append(_text(text))

    def remove_text(self, position):
        del self.items[position]
        if position == self.active:
            self.set_active(-1)
        elif position < self.active:
            self.active -= 1

    def set_active(self, active):
        assert -1 <= active < len(self.items), (active, self.items)
        changed, self.active = active != self.active, active
        for handler in self.handlers if changed else ():
            handler(self)

    def get_active(self):
        return self.active

    def connect(self, signal, handler):
        assert signal == "changed"
        self.handlers.append(handler)


combo_box_new_text = ComboBox


class Table(Widget):
    def __init__(self, rows, columns):
        self.children = []

    def attach(self, widget, left, right, top, bottom):
        self.children.append(widget)


class _Box(Table):
    def __init__(self):
        self.children = []

    def pack_start(self, widget, expand, fill, padding):
        self.children.append(widget)


class Dialog(Widget):
    def __init__(self, title, parent, flags, buttons):
        assert parent is None or isinstance(parent, Window)
        assert len(buttons) % 2 == 0
        self.title, self.vbox, self.answered, self.gone = title, _Box(), None, False
        self.buttons = dict(zip(buttons[1::2], buttons[::2]))
        self.insensitive, self.default = set(), None

    def set_default_response(self, response):
        assert response in self.buttons
        self.default = response

    def set_response_sensitive(self, response, sensitive):
        assert response in self.buttons and isinstance(sensitive, bool)
        (self.insensitive.discard if sensitive else self.insensitive.add)(response)

    def response(self, response):
        assert isinstance(response, int)
        self.answered = response

    def show_all(self):
        pass

    def destroy(self):
        assert not self.gone
        self.gone = True

    def widgets(self, kind, parent=None):
        for child in (parent or self.vbox).children:
            if isinstance(child, kind):
                yield child
            if isinstance(child, Table):
                for found in self.widgets(kind, child):
                    yield found

    def _iterate(self):
        gobject.iterate()
        _libc.usleep(2000)

    def _until(self, condition):
        end = time.time() + PATIENCE
        while not condition():
            assert time.time() < end, "nothing happened in the dialog"
            self._iterate()

    def _methods(self):
        return [combo for combo in self.widgets(ComboBox) if combo.label == "_Method:"][0]

    def run(self):
        assert not self.gone
        self.answered = None
        while self.answered is None:
            step = user.pop(0)
            if step == "wait for methods":
                self._until(lambda: len(self._methods().items) > 1)
            elif step == "wait a second":
                end = time.time() + 1.0
                self._until(lambda: time.time() > end)
            elif step == "wait for the end":
                self._until(lambda: self.answered is not None)
            elif step == "look":
                shown.append(self._picture())
            elif isinstance(step, dict):
                self._set(step)
            else:
                responses = dict((text, number) for number, text in self.buttons.items())
                self.answered = responses[step]
                assert self.answered not in self.insensitive, "%s cannot be pressed" % step
        shown.append(self._picture())
        return self.answered

    def _set(self, values):
        for combo in self.widgets(ComboBox):
            if combo.label in values:
                assert combo.sensitive
                wanted = values.pop(combo.label)
                combo.set_active([item.startswith(wanted) for item in combo.items].index(True))
        for button in self.widgets(CheckButton):
            if button.label in values:
                assert button.sensitive
                button.set_active(values.pop(button.label))
        for one in self.widgets(Range):
            if one.label in values:
                assert one.sensitive
                one.set_value(values.pop(one.label))
        assert not values, values

    def _picture(self):
        return {
            "title": self.title,
            "buttons": sorted(self.buttons.values()),
            "can_press_ok": RESPONSE_OK not in self.insensitive,
            "labels": [label.text for label in self.widgets(Label)],
            "combos": dict(
                (
                    combo.label,
                    {
                        "items": combo.items[:],
                        "active": combo.items[combo.active],
                        "sensitive": combo.sensitive,
                    },
                )
                for combo in self.widgets(ComboBox)
            ),
            "checks": dict((box.label, box.active) for box in self.widgets(CheckButton)),
            "numbers": dict((one.label, one.get_value()) for one in self.widgets(Range)),
            "insensitive": [
                one.label for one in self.widgets((CheckButton, Range)) if not one.sensitive
            ],
        }


class MessageDialog(object):
    def __init__(self, parent, flags, kind, buttons, text):
        assert kind in (MESSAGE_INFO, MESSAGE_ERROR) and buttons == BUTTONS_CLOSE
        self.kind, self.text = kind, _text(text)

    def format_secondary_text(self, text):
        self.text += "\n" + _text(text)

    def run(self):
        (errors if self.kind == MESSAGE_ERROR else told).append(self.text)
        return RESPONSE_CLOSE

    def destroy(self):
        pass
