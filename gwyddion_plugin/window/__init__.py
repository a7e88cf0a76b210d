"""The windows of the plug-in. Whatever imports tkinter is here."""
