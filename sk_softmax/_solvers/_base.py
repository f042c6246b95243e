"""What a fit asks of a solver, and what every solver reports: during a run, and at its end."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol

import numpy as np

from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty


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
    def theta(self) -> np.ndarray:
        """The parameters; to be asked for during the iteration, and only if needed."""
        return self.get_theta()


@dataclass(frozen=True)
class SolverResult:
    """Where a solver ended: parameters, objective, iterations done, and why it stopped.

    `gap` is a bound on f - f*, infinite where none is known, and `gap_method` what it rests on.
    `nearer` is theta after one more Newton step, at which f is not known, if that was computed:
    as a rule much nearer to the minimum.
    """

    theta: np.ndarray
    value: float
    n_iter: int
    converged: bool
    stop_reason: StopReason
    gap: float = math.inf
    gap_method: str | None = None
    nearer: np.ndarray | None = None


class Solver(Protocol):
    """A dataclass whose fields are parameters of the estimator by the same names.

    Attributes
    ----------
    default_max_iter : int
        What a `max_iter` of None stands for.
    unit : {"iteration", "epoch"}
        What `max_iter` counts.
    metrics : tuple of str
        What it reports to `on_iteration`.
    """

    default_max_iter: ClassVar[int]
    unit: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]

    @property
    def max_iter(self) -> int | None:
        """Iterations or epochs at most."""

    @staticmethod
    def objection(penalty: Penalty) -> str | None:
        """Why it cannot minimise with a penalty, and which solver can; None if it can."""

    def minimize(
        self,
        objective: Objective,
        theta: np.ndarray,
        on_iteration: Callable[[IterationState], bool],
    ) -> SolverResult:
        """The minimum, from a start whose class rows sum to zero if the penalty is smooth."""


def planned_iterations(solver: Solver) -> int:
    """`max_iter` of a solver, or its default if that is None."""
    return solver.default_max_iter if solver.max_iter is None else solver.max_iter
