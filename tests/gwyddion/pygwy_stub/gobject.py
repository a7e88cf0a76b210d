# ruff: noqa
# Python 2.7, hence no lint.
"""The timers of PyGObject, for tests under Python 2.7. They fire in `gtk.Dialog.run`."""

timers = {}


def timeout_add(milliseconds, callback):
    assert isinstance(milliseconds, int)
    number = max(timers or [0]) + 1
    timers[number] = callback
    return number


def source_remove(number):
    del timers[number]  # PyGObject only warns; here it is an error to remove what is not there
    return True


def iterate():
    for number, callback in list(timers.items()):
        if number in timers and not callback():
            del timers[number]
