"""Memory that was freed, kept for the next tensors instead of given back to the system."""

import ctypes
from functools import cache

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`: from how many free bytes on the heap shrinks, and how many
blocks may be mapped outside it.
"""

LARGE = 2**31 - 1


@cache
def keep_freed() -> bool:
    """Have this process keep what it frees; whether that could be done, as with glibc it can.

    Training frees and takes the same megabytes again in every step. Given back in between, each of
    their pages comes anew from the system, cleared: up to half of the time went into that, most of
    it where a worker of Dask's is asked to give memory back early (MALLOC_TRIM_THRESHOLD_).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # no Linux, or another C library
        return False
    return bool(mallopt(MMAP_MAX, 0)) and bool(mallopt(TRIM_THRESHOLD, LARGE))
