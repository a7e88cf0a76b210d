"""What Gwyddion reads of the script, for its menu."""

plugin_type = "PROCESS"
plugin_menu = "/_AFM Super-Resolution..."
plugin_icon = "gwy_scale"
plugin_desc = "Upscale the channel with a neural network or an interpolation"

NAME = "afmsr_pygwy"  # of the script's file; Gwyddion logs the settings that stand under it
