"""What SGD carries from one epoch to the next, and from one call of `partial_fit` to the next."""

import copy
from dataclasses import dataclass, replace

import numpy as np

from sk_softmax._solvers._metric import Metric, RunningMoments


@dataclass
class SGDState:
    """All that goes on from one epoch to the next; plain data.

    `theta`, `velocity` and `average` are (p + 1, K), coefficients and below them intercepts.
    `average` is None without averaging, `metric` with a learning rate in the features as given.
    """

    theta: np.ndarray
    velocity: np.ndarray
    average: np.ndarray | None
    learning_rate: float
    metric: Metric | None
    random_state: np.random.RandomState
    n_epochs: int = 0
    n_steps: int = 0
    n_plateaus: int = 0

    def copy(self):
        """A copy to come back to; the order of the rows goes on."""
        average = None if self.average is None else self.average.copy()
        return replace(
            self, theta=self.theta.copy(), velocity=self.velocity.copy(), average=average
        )

    def solution(self):
        """theta, or its average, flat in the objective's layout and in float64."""
        theta = self.theta if self.average is None else self.average
        return theta.T.astype(np.float64).ravel()


@dataclass
class Stream:
    """What `partial_fit` keeps from one call to the next; `running` if the step is automatic."""

    state: SGDState
    running: RunningMoments | None

    def as_dict(self):
        """As plain data, for pickles that outlive these classes; metrics are made anew.

        Random numbers are the stream's own: others may draw from the generator that it began with.
        """
        random_state = copy.deepcopy(self.state.random_state)
        state = {**vars(self.state), "metric": None, "random_state": random_state}
        running = None if self.running is None else vars(self.running).copy()
        return {"state": state, "running": running}

    @classmethod
    def from_dict(cls, plain):
        """The inverse of `as_dict`."""
        running = plain["running"]
        return cls(SGDState(**plain["state"]), running and RunningMoments(**running))
