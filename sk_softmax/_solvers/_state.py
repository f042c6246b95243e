"""What SGD carries from one epoch to the next, and from one call of `partial_fit` to the next."""

import copy
from contextlib import suppress
from dataclasses import dataclass, fields, replace

import numpy as np

from sk_softmax._solvers._metric import Metric
from sk_softmax._solvers._moments import RunningMoments, affords_pairs

# Of streams that did not note it.
UNKNOWN_SEED = "unknown"


@dataclass
class SGDState:
    """All that goes on from one epoch to the next; plain data.

    `theta`, `velocity` and `average` are (p + 1, K), coefficients and below them intercepts.
    `average` is None without averaging, `velocity` without momentum, `metric` with a learning rate
    in the features as given. `information` is the weight of the rows so far, each times how far
    they were from certain, and `noise` the mean R of calls, see `_stream`.
    """

    theta: np.ndarray
    velocity: np.ndarray | None
    average: np.ndarray | None
    learning_rate: float
    metric: Metric | None
    random_state: np.random.RandomState
    n_epochs: int = 0
    n_steps: int = 0
    n_plateaus: int = 0
    best: float = np.inf
    information: float = 0.0
    noise: float = 0.0

    def map(self, function):
        """A state whose arrays of parameters are those that a function makes of them."""
        arrays = {name: getattr(self, name) for name in ("theta", "velocity", "average")}
        return replace(self, **{k: None if A is None else function(A) for k, A in arrays.items()})

    def copy(self):
        """A copy to come back to; the order of the rows goes on."""
        return self.map(np.copy)

    def iterate(self):
        """theta, flat in the objective's layout and in float64."""
        return self.theta.T.astype(np.float64).ravel()

    def solution(self):
        """The average of theta, if there is one, otherwise theta, as `iterate` has it."""
        return self.iterate() if self.average is None else self.average.T.astype(float).ravel()


@dataclass
class Stream:
    """What `partial_fit` keeps from one call to the next.

    `columns` are those that the state and the moments have, None for all: the others have been
    zero in all rows, and so are their coefficients. `fitted` is the weight of the rows of a `fit`
    before, `class_weight` (K,) that of the classes so far, and `seed` the `random_state` that was
    asked for. `state` is None before the first call, `running` if no step was automatic.
    """

    state: SGDState | None
    running: RunningMoments | None
    columns: np.ndarray | None = None
    fitted: float = 0.0
    class_weight: np.ndarray | None = None
    seed: object = UNKNOWN_SEED

    @classmethod
    def after_fit(cls, objective, data):
        """One that begins with the rows of `fit`, whose `TrainingData` count as seen."""
        rows = objective.rows
        weight, columns, running = data.total_weight, None, None
        is_wide_and_sparse = not (rows.are_centred or affords_pairs(objective))
        if is_wide_and_sparse and rows.random_access:
            columns = np.flatnonzero(rows.held_columns())
        if rows.random_access or not is_wide_and_sparse:
            with suppress(FloatingPointError):  # no step could be derived from them
                running = RunningMoments.of(objective, weight, pairs=affords_pairs(objective))
                running = running if columns is None else running.of_columns(columns)
        class_weight = np.zeros(len(data.classes))
        class_weight[data.weighted] = weight * rows.class_weight
        if running is not None:
            running = replace(running, class_weight=class_weight)
        return cls(None, running, columns, weight, class_weight)

    def on(self, columns, n_features):
        """The same with more columns, sorted; None for all `n_features`."""
        if self.columns is None:
            return self
        n_columns = n_features if columns is None else len(columns)
        places = self.columns if columns is None else np.searchsorted(columns, self.columns)

        def spread(A):
            wider = np.zeros((n_columns + len(A) - len(places), A.shape[1]), dtype=A.dtype)
            wider[places], wider[n_columns:] = A[: len(places)], A[len(places) :]
            return wider

        return replace(
            self,
            columns=columns,
            state=self.state and self.state.map(spread),
            running=self.running and self.running.on(places, n_columns),
        )

    def as_dict(self):
        """As plain data, for pickles that outlive these classes; metrics are made anew.

        Random numbers are the stream's own: others may draw from the generator that it began with.
        """
        plain = dict(vars(self))
        if self.state is not None:
            random_state = copy.deepcopy(self.state.random_state)
            plain["state"] = {**vars(self.state), "metric": None, "random_state": random_state}
        plain["running"] = None if self.running is None else vars(self.running).copy()
        return plain

    @classmethod
    def from_dict(cls, plain):
        """The inverse of `as_dict`, which reads what earlier versions wrote too."""
        plain = dict(plain)
        state, running = plain["state"], plain["running"]
        if running is not None:
            running = dict(running)
            if "variance" in running:
                weight, variance = running["weight"], running.pop("variance")
                running["stored"] = np.full(len(variance), float(weight))
                running["squares"] = weight * variance
            running = RunningMoments(**running)
        if state is not None:
            state = dict(state)
            if "information" not in state:
                state["information"] = 0.0 if running is None else running.weight
            state = SGDState(**state)
        known = {field.name for field in fields(cls)}
        rest = {name: value for name, value in plain.items() if name in known}
        return cls(**{**rest, "state": state, "running": running})
