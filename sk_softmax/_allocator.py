"""Memory that is freed and used again at once.

Dask's nannies start workers with glibc's ``MALLOC_TRIM_THRESHOLD_``, so that unused memory goes
back to the system. Then every temporary array does so too, and its pages are mapped and cleared
anew for the next one, which more than doubles the time of an evaluation.
"""

import ctypes
import os
import sys
from contextlib import contextmanager

# Parameters of mallopt, and its default of the second.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LEAST_MAPPED = 2**17
# What threads may keep, and the largest value that glibc takes.
_KEPT_BYTES, _MOST_MAPPED = 2**28, 2**25


@contextmanager
def freed_memory_is_kept():
    """Keep what is freed within, where the environment has it given back at once."""
    threshold = os.environ.get("MALLOC_TRIM_THRESHOLD_", "")
    is_set = sys.platform == "linux" and threshold.isdigit()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if is_set else None
    if mallopt is None:
        yield
        return
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_MMAP_THRESHOLD, _MOST_MAPPED)
    try:
        yield
    finally:
        mallopt(_MMAP_THRESHOLD, _LEAST_MAPPED)
        mallopt(_TRIM_THRESHOLD, int(threshold))
