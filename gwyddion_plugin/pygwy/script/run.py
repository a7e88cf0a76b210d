"""What Gwyddion calls."""
import os
import shutil
import signal
import tempfile
import traceback

import gwy

from .channels import add_channel, described, others_of
from .choices import drawn_of, load_choices, settings_of, store_choices
from .dialog import Dialog
from .failures import Cancelled, Failure
from .fields import fields_of, write_doubles
from .messages import complain, inform, sentence
from .system import as_text
from .worker import WORKER, Worker, retrace_of, wait_for


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
