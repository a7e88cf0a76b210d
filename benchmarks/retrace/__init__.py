"""A public benchmark whose low resolution and truth are independent measurements.

Low resolution: every fourth line and pixel of a retrace. Truth: the trace of the same lines. Both
went over the same surface, with noise, drift and feedback of their own, so a method cannot win by
restoring what the low-resolution image itself was made of.

With ``--lines`` also every fourth line with all of its pixels, which an instrument scans in the
same time: a method on these is called ``lines afm``.
"""
