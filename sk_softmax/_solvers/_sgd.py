"""Mini-batch stochastic gradient descent with momentum."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sk_softmax._curvature import Curvature
from sk_softmax._preconditioner import diagonal
from sk_softmax._solvers._base import IterationState, SolverResult, StopReason

# An epoch whose training loss is this many times that of the start is a divergence: a
# useful step size may make the loss rise at first, but not by a factor.
_DIVERGED = 10.0


@dataclass(frozen=True)
class SGD:
    """Minimise by steps along the gradients of shuffled mini-batches.

    Each epoch draws a new permutation of the rows and cuts it into batches. With a float
    `learning_rate` the step is the textbook's, ``velocity = momentum * velocity + gradient``
    and ``theta -= learning_rate * velocity``, in the features as given. With "auto" the
    gradient is preconditioned by the Hessian's diagonal at the start, see `_auto_step`.

    The run ends when the training loss has not improved by the fraction `tol` for
    `n_iter_no_change` epochs. The training loss of an epoch is the mean over its batches,
    each taken just before its step: it costs no further pass over the data.
    """

    tol: float | None
    max_iter: int | None
    learning_rate: float | str
    batch_size: int | str
    momentum: float
    n_iter_no_change: int
    random_state: np.random.RandomState

    default_max_iter: ClassVar[int] = 100
    metrics: ClassVar[tuple[str, ...]] = ("loss", "learning_rate")

    def minimize(self, objective, theta, on_iteration):
        """Run epochs until the loss stops improving, diverges, or `max_iter` is reached."""
        max_iter = self.default_max_iter if self.max_iter is None else self.max_iter
        start_loss, _ = objective.value_and_gradient(theta)
        run = _Epochs(self, objective.astype(objective.X.dtype), theta)
        best, waited, reason = np.inf, 0, StopReason.MAX_ITER
        for n_iter in range(1, max_iter + 1):
            loss = run.epoch()
            metrics = {"loss": loss, "learning_rate": run.learning_rate}
            stop = on_iteration(IterationState(n_iter, run.theta.copy, metrics))
            if not loss <= _DIVERGED * start_loss:
                reason = StopReason.DIVERGED
                break
            waited = 0 if self._improves(loss, best) else waited + 1
            best = min(best, loss)
            if waited >= self.n_iter_no_change:
                reason = StopReason.NO_IMPROVEMENT
                break
            if stop:
                reason = StopReason.CALLBACK
                break
        value, _ = objective.value_and_gradient(run.theta)
        converged = reason is StopReason.NO_IMPROVEMENT
        return SolverResult(run.theta, value, n_iter, converged, reason)

    def _improves(self, loss, best):
        """Whether an epoch's loss is below the best one by the fraction `tol`."""
        return self.tol is None or best == np.inf or loss < best - self.tol * abs(best)

    def rows_per_batch(self, n_samples):
        """`batch_size`; for "auto" n/64, at least 8 and at most 256.

        Large batches use the hardware better, but an epoch needs a good number of steps.
        """
        if self.batch_size == "auto":
            return min(max(n_samples // 64, 8), 256, n_samples)
        return min(self.batch_size, n_samples)


class _Epochs:
    """The moving parts of a run: theta, velocity, and the order of the rows."""

    def __init__(self, options, objective, theta):
        self._objective = objective
        self._momentum = options.momentum
        self._random_state = options.random_state
        self._batch_size = options.rows_per_batch(objective.n_samples)
        self.theta = theta.copy()
        self._velocity = np.zeros_like(theta)
        if options.learning_rate == "auto":
            T = diagonal(Curvature(objective), theta)
            self._precondition = lambda G: T.forward(T.backward(G))
            self.learning_rate = (1 - self._momentum) * _auto_step(
                objective, theta, T, self._batch_size
            )
        else:
            self._precondition = None
            self.learning_rate = float(options.learning_rate)

    def epoch(self):
        """One pass over the rows; returns the mean of the batch losses."""
        objective, n_samples = self._objective, self._objective.n_samples
        order = self._random_state.permutation(n_samples)
        loss = 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # a divergence is reported as one
            for start in range(0, n_samples, self._batch_size):
                rows = order[start : start + self._batch_size]
                batch_loss, gradient = objective.batch_value_and_gradient(self.theta, rows)
                if self._precondition is not None:
                    gradient = self._precondition(gradient.reshape(objective.shape)).ravel()
                self._velocity *= self._momentum
                self._velocity += gradient
                self.theta -= self.learning_rate * self._velocity
                loss += batch_loss * len(rows)
        return loss / n_samples


def _auto_step(objective, theta, T, batch_size):
    """Step size 1 / (2 (L + R / m)) for batches of m rows, in the variables of T.

    L is the largest curvature of the mean loss, R that of one row's loss; averaging m rows
    leaves an m-th of what R has beyond L. This is the expected smoothness of Gower et al.,
    "SGD: General Analysis and Improved Rates", ICML 2019, Theorem 3.1. The diagonal of the
    Hessian is one in these variables, so R is about the number of columns; L comes from
    power iterations with gradient differences on some rows. They start along the gradient,
    which knows no order of classes or columns.
    """
    rows = np.arange(0, objective.n_samples, max(1, objective.n_samples // 1024))

    def gradient(V):
        _, G = objective.batch_value_and_gradient(theta + T.forward(V).ravel(), rows)
        return T.backward(G.reshape(objective.shape))

    start = V = gradient(np.zeros(objective.shape))
    curvature = 0.0
    for _ in range(10):
        norm = np.linalg.norm(V)
        if norm == 0:
            break
        V = (gradient(V * (1e-3 / norm)) - start) / 1e-3
        curvature = max(curvature, float(np.linalg.norm(V)))
    return 0.5 / (curvature + objective.shape[1] / batch_size)
