"""What every solver reports: during a run, and at its end."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class StopReason(StrEnum):
    """Why a solver ended; `str` of it is the estimator's `stop_reason_`."""

    TOL = "tol"
    MAX_ITER = "max_iter"
    PRECISION = "precision"
    SEPARABLE = "separable"
    NO_IMPROVEMENT = "no_improvement"
    DIVERGED = "diverged"
    CALLBACK = "callback"
    EARLY_STOPPING = "early_stopping"


def planned_iterations(solver):
    """`max_iter` of a solver, or its default if that is None."""
    return solver.default_max_iter if solver.max_iter is None else solver.max_iter


@dataclass(slots=True)  # one is made in every iteration, and frozen ones take three times as long
class IterationState:
    """One iteration (L-BFGS-B) or epoch (SGD), as `on_iteration` sees it.

    `metrics` maps names to numbers or strings and has the same keys, in the same order, in
    every iteration of a solver: they become the columns of `history_`. `within_epoch` marks the
    reports of single batches, for which `n_iter` is a fraction; they cannot stop the solver.
    """

    n_iter: float
    get_theta: Callable[[], np.ndarray]
    metrics: dict[str, float | str]
    within_epoch: bool = False

    @property
    def theta(self):
        """The parameters; to be asked for during the iteration, and only if needed."""
        return self.get_theta()


@dataclass(frozen=True)
class SolverResult:
    """Where a solver ended: parameters, objective, iterations done, and why it stopped.

    `gap` is a bound on f - f*, infinite where none is known, and `gap_method` what it rests on.
    """

    theta: np.ndarray
    value: float
    n_iter: int
    converged: bool
    stop_reason: StopReason
    gap: float = math.inf
    gap_method: str | None = None
