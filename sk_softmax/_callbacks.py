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
    validation : Validation or None
        Scores each iteration on held-out rows, and may stop the solver.
    """

    def __init__(self, metrics, verbose=0, validation=None):
        held_out = () if validation is None else validation.metrics
        self._names = ("n_iter", *metrics, *held_out, "time")
        self._verbose, self._validation = verbose, validation
        self._start = time.perf_counter()
        self._rows = []

    def __call__(self, state):
        """Record; ask the solver to stop if the validation says so."""
        row = {"n_iter": state.n_iter, **state.metrics}
        if self._validation is not None:
            row |= self._validation.score(state.theta)
        row["time"] = time.perf_counter() - self._start
        self._rows.append(row)
        if self._verbose:
            columns = (f"{name} {_text(row[name])}" for name in self._names[1:])
            print(f"[SoftmaxRegression] iteration {state.n_iter}: " + ", ".join(columns))
        return self._validation is not None and self._validation.should_stop

    def history(self):
        """The record as a dict of arrays of equal length."""
        return {name: np.array([row[name] for row in self._rows]) for name in self._names}


def _text(value):
    """A number to six digits; other things as they are."""
    return value if isinstance(value, str) else f"{value:.6g}"
