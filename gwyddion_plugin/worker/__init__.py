"""The worker, a process of its own that does the arithmetic, and how it is spoken to.

Start it with ``python -I -m gwyddion_plugin.worker``; :mod:`gwyddion_plugin.worker.protocol` says
what it understands. The plug-in's side is here too: :mod:`~gwyddion_plugin.worker.client`,
:mod:`~gwyddion_plugin.worker.upscaling` and :mod:`~gwyddion_plugin.worker.field_files`, which load
no numpy.
"""
