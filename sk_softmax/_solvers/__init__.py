"""Solvers: one file each, and one line in `SOLVERS`.

A solver does what `Solver` says. It knows the objective only through `value_and_gradient` and its
kin, and nothing of scikit-learn's estimators.
"""

from sk_softmax._penalty import Penalty
from sk_softmax._rows import Rows
from sk_softmax._solvers._base import (
    IterationState,
    Solver,
    SolverResult,
    StopReason,
    planned_iterations,
)
from sk_softmax._solvers._lbfgs import LBFGS
from sk_softmax._solvers._prox_newton import ProxNewton
from sk_softmax._solvers._schedules import SCHEDULES
from sk_softmax._solvers._sgd import SGD
from sk_softmax._solvers._state import Stream

__all__ = [
    "SCHEDULES",
    "SGD",
    "SOLVERS",
    "IterationState",
    "Solver",
    "SolverResult",
    "StopReason",
    "Stream",
    "choose_solver",
    "planned_iterations",
]

SOLVERS: dict[str, type[Solver]] = {"lbfgs": LBFGS, "prox-newton": ProxNewton, "sgd": SGD}

# Multiply-adds of one product of X with all classes from which an evaluation takes about
# a second on two cores, and a fit by L-BFGS-B a minute or more.
_LARGE_PROBLEM = 1e10


def choose_solver(rows: Rows, penalty: Penalty) -> str:
    """The solver that ``solver="auto"`` takes, from the penalty, and where and how large data are.

    Absolute values and bounds need "prox-newton". Otherwise L-BFGS-B is the answer as long as it
    can be waited for: it reaches the minimum, needs no tuning and is deterministic. One evaluation
    multiplies the `n_stored` values of X (all of them if dense, the stored ones if sparse) by
    `n_classes` coefficients twice; above 1e10 products, where an evaluation takes about a second on
    two cores, a few epochs of SGD are of use long before L-BFGS-B is. Where single rows cannot be
    taken, SGD is not possible.
    """
    if not penalty.is_smooth:
        return "prox-newton"
    is_large = rows.random_access and rows.n_stored * rows.n_classes > _LARGE_PROBLEM
    return "sgd" if is_large and SGD.objection(penalty) is None else "lbfgs"
