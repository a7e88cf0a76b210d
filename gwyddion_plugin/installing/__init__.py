"""Puts the menu item into Gwyddion, tries what is installed, and takes it out again."""
