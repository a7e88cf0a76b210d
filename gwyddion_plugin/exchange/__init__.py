"""What goes between Gwyddion 2 and us: its menu, its file, the settings of last time."""
