"""What happens after every iteration: the record, the line that `verbose` prints, callbacks.

All that is known here of `sklearn.callback`, which came with scikit-learn 1.9.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:
        """Before scikit-learn 1.9 there is no `set_callbacks`."""

    def with_callbacks(method):
        """Before scikit-learn 1.9 nothing is to be torn down."""
        return method


class IterationRecorder:
    """An `on_iteration` hook that keeps each iteration's metrics, and prints them if asked.

    Parameters
    ----------
    solver : Solver
        Whose metrics are kept, in the order in which it reports them.
    verbose : int
        0 for silence, otherwise a line for each iteration or epoch.
    validation : Validation or None
        Scores each iteration on held-out rows, and may stop the solver.
    callback : callable or None
        Is called with the function that returns theta, and may stop the solver.
    """

    def __init__(self, solver, verbose=0, validation=None, callback=None):
        held_out = () if validation is None else validation.metrics
        self._names = ("n_iter", *solver.metrics, *held_out, "time")
        self._unit = solver.unit
        self._verbose, self._validation, self._callback = verbose, validation, callback
        self._start = time.perf_counter()
        self._rows, self._rows_within = [], []

    def __call__(self, state):
        """Record; ask the solver to stop if the validation or a callback says so."""
        row = [state.n_iter, *state.metrics.values()]
        if self._validation is not None:
            score = self._validation.score if state.within_epoch else self._validation.judge
            row += score(state.theta).values()
        row.append(time.perf_counter() - self._start)
        if state.within_epoch:
            self._rows_within.append(row)
            return False
        self._rows.append(row)
        if self._verbose:
            columns = zip(self._names[1:], map(_text, row[1:]), strict=True)
            line = ", ".join(f"{name} {value}" for name, value in columns)
            print(f"[SoftmaxRegression] {self._unit} {state.n_iter}: {line}")
        stop = self._callback is not None and self._callback(state.get_theta)
        return stop or (self._validation is not None and self._validation.should_stop)

    def history(self):
        """The record as a dict of arrays of equal length."""
        return self._arrays(self._rows)

    def batch_history(self):
        """The record of what lies within epochs, likewise."""
        return self._arrays(self._rows_within)

    def _arrays(self, rows):
        columns = zip(*rows, strict=True) if rows else [()] * len(self._names)
        return dict(zip(self._names, map(np.array, columns), strict=True))


@dataclass(frozen=True)
class Task:
    """A task as the callbacks of an estimator see it, which may go to another process.

    `context` is scikit-learn's, None without callbacks; `arguments` are those of all its hooks. A
    method that makes one by `of` is to be decorated by `with_callbacks`.
    """

    context: object
    arguments: dict

    @classmethod
    def of(cls, estimator, name, X, y, metadata, **options):
        """That of a method of an estimator, with what it was given; options are of its subtasks."""
        metadata = {key: value for key, value in metadata.items() if value is not None} or None
        context = None
        if hasattr(estimator, "_skl_callbacks"):
            context = estimator._init_callback_context(name, **options)
        return cls(context, {"estimator": estimator, "X": X, "y": y, "metadata": metadata})

    def subtask(self, name, index=None, n_subtasks=0):
        """One of its subtasks."""
        context = self.context and self.context.subcontext(name, index, max_subtasks=n_subtasks)
        return Task(context, self.arguments)

    def begin(self, attributes=None):
        """Tell that it has begun, at some fitted attributes."""
        if self.context is not None:
            self.context.call_on_fit_task_begin(
                **self.arguments, reconstruction_attributes=attributes
            )

    def end(self, attributes=None):
        """Tell that it has ended, with some fitted attributes; whether a callback asks to stop."""
        if self.context is not None:
            return self.context.call_on_fit_task_end(
                **self.arguments, reconstruction_attributes=attributes
            )
        return False

    def step(self, name, before=None, after=None):
        """Tell of a subtask that is over; whether a callback asks to stop."""
        subtask = self.subtask(name)
        subtask.begin(before)
        return subtask.end(after)


class FitTask:
    """A fit as callbacks see it, with a subtask for each iteration. Making it tells them it began.

    Parameters
    ----------
    estimator, name, X, y, metadata
        As for `Task.of`.
    max_subtasks : int
        The number of iterations at most.

    Attributes
    ----------
    attributes : dict or None
        The fitted attributes at the beginning of the next iteration.
    """

    def __init__(self, estimator, name, X, y, metadata, max_subtasks=0):
        self._task = Task.of(estimator, name, X, y, metadata, max_subtasks=max_subtasks)
        self.attributes = None
        self._task.begin()

    @property
    def is_followed(self):
        """Whether any callback follows the fit."""
        return self._task.context is not None

    def iteration(self, attributes):
        """Tell that an iteration has led to some fitted attributes; whether to stop there."""
        # Begun only now: that there would be another iteration was not known before.
        before, self.attributes = self.attributes, attributes
        return self._task.step("iteration", before, attributes)

    def end(self, attributes):
        """Tell that the fit has ended with some fitted attributes."""
        self._task.end(attributes)


class SearchTask:
    """A cross-validation as callbacks see it: a subtask for each path, and one for the refit.

    Parameters
    ----------
    estimator, X, y, metadata
        As for `Task.of`.
    n_paths : int
    """

    def __init__(self, estimator, X, y, metadata, n_paths):
        options = {"max_subtasks": n_paths + 1, "sequential_subtasks": False}
        self._task = Task.of(estimator, "fit", X, y, metadata, **options)
        self._n_paths = n_paths
        self._task.begin()

    def path(self, index, n_steps):
        """The `Task` of a path with so many values of C."""
        return self._task.subtask("path", index, n_steps)

    @contextmanager
    def refit(self, estimator):
        """Have an estimator that is fitted to all rows tell the same callbacks."""
        task = self._task.subtask("refit", self._n_paths)
        if task.context is None:
            yield
            return
        with task.context.propagate_callback_context(estimator):
            task.begin()
            yield
            task.end()

    def end(self):
        """Tell that the cross-validation has ended."""
        self._task.end()


def _text(value):
    """A number to six digits; other things as they are."""
    return value if isinstance(value, str) else f"{value:.6g}"
