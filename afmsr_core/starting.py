"""What a program of ours does before anything else, so as not to do what nobody needs."""

from __future__ import annotations

import atexit
import gc
import os

__all__ = ["BLAS_WAIT", "BLAS_WAIT_VARIABLE", "COLLECT_AFTER", "start"]

BLAS_WAIT_VARIABLE = "OPENBLAS_THREAD_TIMEOUT"
"""Read by OpenBLAS, which numpy and scipy bring along, when it is loaded."""

BLAS_WAIT = 16
"""Power of two of processor cycles for which a thread of OpenBLAS spins for more work.

Its default is 26: after its start and after each product a thread keeps a processor busy for 20
to 30 ms, a tenth of the time of ``afmsr upscale`` on a small scan, while the network could use it.
With 16, a few dozen microseconds, products that follow each other are as fast as before; measured
on matrices of 64 to 800 rows. OpenBLAS takes 4 to 30 (``driver/others/blas_server.c``).
"""

COLLECT_AFTER = 50_000
"""New objects after which Python looks for cycles; 700 or 2000 by default.

An import makes tens of thousands that stay, and every look at them is in vain.
"""


def start() -> None:
    """Set up this process; before numpy is imported. What the user has set stays.

    At its end Python looks for cycles among all that was imported, which takes a tenth of the time
    of a small scan and finds nothing that the system would not take back anyway: it no longer does.
    """
    os.environ.setdefault(BLAS_WAIT_VARIABLE, str(BLAS_WAIT))
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
