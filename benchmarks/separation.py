"""Whether hyperplanes separate classes, at least in part, by a linear program.

Without a penalty there is a minimum unless some parameters, not all margins of which are zero, give
each row's own class a logit no smaller than any other's (A. Albert, J. A. Anderson, "On the
existence of maximum likelihood estimates in logistic regression models", Biometrika 71, 1984). The
program maximises the sum of all margins, none of which may be negative, over parameters in [-1, 1].
Constraints enter as they are violated: a program without some of them has no smaller optimum, so
that an optimum of zero proves overlap at once.
"""

import time

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

# Columns have unit deviation. A margin may be as negative as the least tolerance of HiGHS, with
# some rounding; the largest one is not zero above the second.
_FEASIBLE, _POSITIVE = 1e-10, 1e-7


def separated(X, y, limit=60.0):
    """True, False, or None where `limit` seconds do not suffice."""
    scale = X.std(axis=0)
    A = (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    A = np.column_stack([A, np.ones(len(A))])
    K = int(y.max()) + 1
    sums = (K * np.eye(K)[y] - 1).T @ A
    rows, others = np.nonzero(np.arange(K) != y[:, np.newaxis])
    chosen = np.random.default_rng(0).permutation(len(rows))[: 4 * sums.size]
    deadline = time.monotonic() + limit
    while (left := deadline - time.monotonic()) > 0:
        theta = _solve(A, y, rows[chosen], others[chosen], sums, left)
        if theta is None:
            return None
        logits = A @ theta.T
        margins = logits[rows, y[rows]] - logits[rows, others]
        if margins.sum() <= _POSITIVE:
            return False
        violated = np.setdiff1d(np.flatnonzero(margins < -10 * _FEASIBLE), chosen)
        if not len(violated):
            return bool(margins.max() > _POSITIVE)
        chosen = np.append(chosen, violated[np.argsort(margins[violated])[: 2 * sums.size]])
    return None


def _solve(A, y, rows, others, sums, limit):
    """Parameters that maximise the sum of all margins where those of some are not negative."""
    m, (K, q) = len(rows), sums.shape
    columns = np.arange(q)
    at = np.hstack([y[rows][:, np.newaxis] * q + columns, others[:, np.newaxis] * q + columns])
    values = np.hstack([-A[rows], A[rows]])
    starts = np.arange(m + 1) * 2 * q
    minus_margins = sparse.csr_array((values.ravel(), at.ravel(), starts), shape=(m, K * q))
    found = linprog(
        -sums.ravel(),
        A_ub=minus_margins,
        b_ub=np.zeros(m),
        bounds=(-1, 1),
        method="highs",
        options={"primal_feasibility_tolerance": _FEASIBLE, "time_limit": limit},
    )
    return found.x.reshape(K, q) if found.status == 0 else None
