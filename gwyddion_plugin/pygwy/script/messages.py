"""What the user is told in windows of their own."""

from .failures import TAIL


def sentence(text):
    return text[:1].upper() + text[1:] + "."


def complain(message, detail=""):
    import gtk

    show_text(gtk.MESSAGE_ERROR, "AFM super-resolution failed; the data are as they were.",
              message + ("\n\n" + detail[-TAIL:] if detail else ""))


def inform(message):
    import gtk

    show_text(gtk.MESSAGE_INFO, "AFM super-resolution", message)


def show_text(kind, heading, message):
    import gtk

    dialog = gtk.MessageDialog(None, gtk.DIALOG_MODAL, kind, gtk.BUTTONS_CLOSE, heading)
    dialog.format_secondary_text(message)
    dialog.run()
    dialog.destroy()
