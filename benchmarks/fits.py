"""What a fit gives back, and how it is timed."""

import signal
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fit:
    """Coefficients (K or 1, p), intercepts, the seconds that they took, a warning or None."""

    coef: np.ndarray
    intercept: np.ndarray
    seconds: float
    warning: str | None


def timed_fit(function):
    """The `Fit` of a function that returns coefficients and intercepts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        coef, intercept = function()
        seconds = time.perf_counter() - start
    said = [str(w.message) for w in caught if issubclass(w.category, UserWarning | RuntimeWarning)]
    return Fit(coef, intercept, seconds, said[0].splitlines()[0] if said else None)


@contextmanager
def time_limit(seconds):
    """Raise TimeoutError in the main thread once it is back in Python after so many seconds."""

    def stop(*_):
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
