"""What happens after every iteration: the record and the line that `verbose` prints."""

import time

import numpy as np


class IterationRecorder:
    """An `on_iteration` hook that keeps each iteration's metrics, and prints them if asked.

    Parameters
    ----------
    metrics : tuple of str
        Names of the solver's metrics.
    verbose : int
        0 for silence, otherwise a line for each iteration.
    """

    def __init__(self, metrics, verbose=0):
        self._names = ("n_iter", *metrics, "time")
        self._verbose = verbose
        self._start = time.perf_counter()
        self._rows = []

    def __call__(self, state):
        """Record; never asks the solver to stop."""
        row = {"n_iter": state.n_iter, **state.metrics, "time": time.perf_counter() - self._start}
        self._rows.append(row)
        if self._verbose:
            columns = (f"{name} {_text(row[name])}" for name in self._names[1:])
            print(f"[SoftmaxRegression] iteration {state.n_iter}: " + ", ".join(columns))
        return False

    def history(self):
        """The record as a dict of arrays of equal length."""
        return {name: np.array([row[name] for row in self._rows]) for name in self._names}


def _text(value):
    """A number to six digits; other things as they are."""
    return value if isinstance(value, str) else f"{value:.6g}"
