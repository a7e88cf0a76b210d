"""AFM super-resolution inside Gwyddion: plug-in, worker and installer.

Gwyddion 2 starts the plug-in (:mod:`gwyddion_plugin.proxy`), which shows the dialog and hands
the field to a worker (:mod:`gwyddion_plugin.worker`), a process of its own that does the
arithmetic through :func:`afmsr_core.upscale.upscale`. A crash, a hang or a missing package on
the worker's side cannot hurt Gwyddion. Importing this package is cheap, and so is everything on
the plug-in's side: only the worker loads numpy. The two modules that Gwyddion's call comes in by,
:mod:`~gwyddion_plugin.proxy` and :mod:`~gwyddion_plugin.repeat`, stand before the rooms.
"""
