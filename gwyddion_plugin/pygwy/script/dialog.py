"""The settings, asked in Gwyddion's manner."""

from .choices import BACKGROUNDS, DEFAULTS, MASKS, MOST, ROWS, SCALES
from .failures import Cancelled, Failure
from .messages import sentence
from .worker import POLL

WARNING = ("Detail is drawn at random: sharper to look at, further from the truth. Not for single "
           "features.")


class Dialog(object):
    """The settings, in Gwyddion's manner. It is there before the worker tells its methods."""

    RESET, FAILED = 1, 2  # responses

    def __init__(self, worker, window, field, others, masked, choices, request):
        import gtk

        self.worker, self.choices, self.failure, self.request = worker, choices, None, request
        self.field, self.others, self.told = field, others, []
        # For an answer; what the list of methods and the verdict are about.
        self.waiting, self.listed, self.judged = False, None, None
        self.default, self.methods, self.combos = DEFAULTS["method"], [], {}
        self.ok = gtk.RESPONSE_OK
        self.dialog = gtk.Dialog("AFM Super-Resolution", window, gtk.DIALOG_MODAL, (
            "_Reset", self.RESET, gtk.STOCK_CANCEL, gtk.RESPONSE_CANCEL,
            gtk.STOCK_OK, self.ok))
        self.dialog.set_default_response(self.ok)
        self.build()
        self.combos["mask"][0].set_sensitive(masked)
        self.method = self.combos["method"][0]
        self.method.connect("changed", self.explain)
        self.sharpness.connect("value-changed", self.warn)
        self.confidence.connect("toggled", self.warn)
        self.list_methods([{"name": choices["method"], "label": choices["method"],
                            "summary": "asking the worker what there is...", "problem": ""}])
        self.show(choices)

    def build(self):
        import gtk

        labels = [gtk.Label() for _ in range(5)]
        for label in labels:
            label.set_line_wrap(True)
            label.set_selectable(True)  # a command that gets what is missing can be copied
        self.note, self.sampling, self.saved, self.plan, self.chance = labels
        self.restore = gtk.CheckButton("Restore background: same _tilt, datum and mean")
        self.confidence = gtk.CheckButton("Add con_fidence and residual as channels")
        self.join = gtk.CheckButton("_Join with the retrace: less noise, fewer scars")
        self.join.set_sensitive(False)  # until the worker has found it among the channels
        for widget in (self.build_table(), self.chance, self.note, self.sampling, self.join,
                       self.restore, self.confidence, self.saved, self.plan):
            self.dialog.vbox.pack_start(widget, False, False, 4)

    def build_table(self):
        """Return what has its label at the left."""
        import gtk

        rows = []
        for text, name, values in (
                ("_Method:", "method", []), ("Sca_le:", "scale", SCALES),
                ("_Background:", "background", BACKGROUNDS), ("_Scan lines:", "rows", ROWS),
                ("Mas_king:", "mask", MASKS)):
            combo = gtk.combo_box_new_text()
            for _, shown in values:
                combo.append_text(shown)
            self.combos[name] = combo, [value for value, _ in values]
            rows.append((text, combo))
        self.sharpness = gtk.HScale(gtk.Adjustment(0.0, 0.0, MOST["sharpness"], 0.05, 0.25))
        self.sharpness.set_digits(2)
        self.realisations, self.seed = [
            gtk.SpinButton(gtk.Adjustment(0.0, 0.0, MOST[name], 1.0, 1.0))
            for name in ("realisations", "seed")]
        rows += [("S_harpness:", self.sharpness), ("R_ealisations:", self.realisations),
                 ("See_d:", self.seed)]
        table = gtk.Table(len(rows), 2)
        for row, (text, widget) in enumerate(rows):
            label = gtk.Label()
            label.set_text_with_mnemonic(text)
            label.set_mnemonic_widget(widget)
            table.attach(label, 0, 1, row, row + 1)
            table.attach(widget, 1, 2, row, row + 1)
        return table

    def list_methods(self, methods):
        chosen = self.chosen("method") or self.choices["method"]
        for _ in self.methods:
            self.method.remove_text(0)
        self.methods = sorted(methods, key=lambda method: method["name"] != self.default)
        self.combos["method"] = self.method, [str(method["name"]) for method in self.methods]
        for method in self.methods:
            self.method.append_text(method["label"] + " (not available)" * bool(method["problem"]))
        self.choose("method", chosen)

    def chosen(self, name):
        combo, values = self.combos[name]
        return values[combo.get_active()] if combo.get_active() >= 0 else None

    def choose(self, name, value):
        combo, values = self.combos[name]
        combo.set_active(values.index(value) if value in values else 0)

    def show(self, choices):
        for name in self.combos:
            self.choose(name, choices[name])
        self.restore.set_active(choices["restore_background"])
        self.confidence.set_active(choices["confidence"])
        self.join.set_active(choices["join_retrace"])
        for name in MOST:
            getattr(self, name).set_value(choices[name])
        self.warn()

    def explain(self, combo):
        """Say what the chosen method is, or lacks."""
        if combo.get_active() < 0:
            return  # the list is being made anew
        method = self.methods[combo.get_active()]
        seconds = method.get("seconds_per_pixel", 0.0) * self.field["xres"] * self.field["yres"]
        about = "; takes about %d s" % max(1, round(seconds)) if seconds else ""
        self.note.set_text(method["problem"] or method["summary"] + about)
        self.dialog.set_response_sensitive(self.ok, not method["problem"])
        self.warn()

    def not_drawn(self):
        """Return why nothing can be drawn at random, and why the result cannot be sharpened."""
        known = [method for method in self.methods if method["name"] == self.chosen("method")]
        why = known[0].get("not_drawn", "") if known else ""
        if not why and self.confidence.get_active():
            return "", "confidence and residual are those of the best guess; choose one of the two"
        return why, why

    def warn(self, *event):
        """Warn of what is drawn at random, or say why nothing can be."""
        nothing, why = self.not_drawn()
        for name in MOST:
            sensitive = not (why if name == "sharpness" else nothing)
            getattr(self, name).set_sensitive(sensitive)
        if why:
            self.chance.set_text("No sharpness: %s." % why)
        else:
            self.chance.set_text(WARNING if self.sharpness.get_value() > 0 else "")

    def listen(self):
        if self.failure:
            return True
        if not self.waiting:
            self.ask_next()
        if not self.waiting:
            return True  # nothing to hear; if the worker ends now, the run will tell
        try:
            kind, message = self.worker.poll()
            if kind == "methods":
                self.default = str(message["default"])
                self.list_methods(message["methods"])
                told, saved = message["scale"]["told"], message["scale"]["saved"]
                self.saved.set_text(sentence(told) + " " + saved if told else saved)
            elif kind == "verdict":
                self.told = message["warnings"]
                self.sampling.set_text(message["told"])
                self.plan.set_text(message.get("plan", ""))
            elif kind == "retrace":
                self.join.set_sensitive(message["place"] is not None)
            self.waiting = kind not in ("methods", "retrace", "verdict")
        except Failure as failure:
            if self.judged:  # no reason not to go on
                self.sampling.set_text("Pixels not judged; " + failure.message)
                self.waiting = False
            else:
                self.failure = failure
                self.dialog.response(self.FAILED)
        return True

    def ask_next(self):
        """Ask what there is for the scale, then once for the retrace, then for the verdict."""
        scale = self.chosen("scale")
        if scale != self.listed:
            self.listed, self.waiting = scale, True
            self.worker.send(
                {"type": "methods", "field": self.field, "settings": {"scale": scale}})
        elif self.others:
            self.worker.send({"type": "retrace", "field": self.field, "others": self.others})
            self.others, self.waiting = [], True
        else:
            self.judge()

    def judge(self):
        """Ask whether the scan is fine enough, once for each levelling."""
        chosen = dict(self.choices, **dict((name, self.chosen(name)) for name in self.combos))
        asked = dict((name, chosen[name]) for name in ("scale", "background", "rows", "mask"))
        if asked != self.judged:
            self.judged = asked
            try:
                request = self.request("judge", dict(self.choices, **asked))
            except EnvironmentError:
                return  # the run, which needs the same files, will tell
            self.worker.send(request)
            self.waiting = True

    def ask(self):
        import gobject

        self.ask_next()
        self.dialog.show_all()
        watch = gobject.timeout_add(int(2000 * POLL), self.listen)
        try:
            response = self.dialog.run()
            while response == self.RESET:
                self.show(dict(DEFAULTS, method=self.default))
                response = self.dialog.run()
            chosen = dict((name, self.chosen(name)) for name in self.combos)
            chosen["restore_background"] = self.restore.get_active()
            chosen["confidence"] = self.confidence.get_active()
            chosen["join_retrace"] = self.join.get_active()
            nothing, why = self.not_drawn()
            chosen["sharpness"] = 0.0 if why else round(self.sharpness.get_value(), 2)
            chosen["realisations"] = 0 if nothing else self.realisations.get_value_as_int()
            chosen["seed"] = self.seed.get_value_as_int()
        finally:
            gobject.source_remove(watch)
            self.dialog.destroy()
        if self.failure:
            raise self.failure
        if response != self.ok:
            raise Cancelled
        return dict(self.choices, **chosen)
