"""Whether classes are separable, so that without a penalty the minimum is at infinity.

It is there if along some step no row's label loses to another class and some row's gains. Then f
falls without end. A row whose target is a table of probabilities has several labels, the classes
of positive probability, as if each were a row of its own. The step leaves their logits equal. Near
such a minimum Newton's step is about one logit long and nearly such a step, where near a finite
minimum it vanishes. "Nearly" proves nothing, since few rows far from all others can look like this:
so the step is projected to those that leave all margins alone that it hardly changes, and must
still be one along which labels gain and none loses.

Where several steps separate, some much more than others, Newton's step shows none of them. A linear
program finds one: it maximises the sum of all margins, none of which may be negative, over
standardised parameters in [-1, 1] (A. Albert, J. A. Anderson, "On the existence of maximum
likelihood estimates in logistic regression models", Biometrika 71, 1984).
"""

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from sk_softmax._factors import null_space

# Logits that a label must gain along a Newton step, which near a finite minimum vanishes.
_LONG_STEP = 0.1
# Share of the largest gain below which a margin is hardly changed.
_STILL = 1e-4
# How negative the program may leave a margin: the least tolerance of HiGHS.
_FEASIBLE = 1e-10
# Size of a dense program, and of the columns that it is about, up to which it is worth solving.
_PROGRAM_SIZE = 2**22
# Margins that a program starts with, and steps of the simplex method that it may take, for each
# parameter. It takes a few where it takes any.
_MARGINS, _STEPS = 4, 100


def separates(objective, step, sums=None):
    """Whether a Newton step, flat, leads to a minimum at infinity.

    With the `PairSums` of the objective the answer "yes" is exact up to rounding. Without it the
    step itself decides.
    """
    gain, loss = objective.gains_along(step)
    if gain < _LONG_STEP or loss > _STILL * gain:
        return False
    if sums is None:
        return True
    null, size = null_space(sums.gram_of_still_margins(step, _STILL * gain))
    a = sums.standardised_of(step.reshape(objective.shape))
    a = null @ (null.T @ (a.ravel() * size)) / size
    direction = sums.theta_of(a.reshape(-1, objective.shape[1])).ravel()
    return _is_separating(objective, direction, gain / 2)


def is_separable(objective, sums):
    """Whether some step separates classes, by a linear program; None if it has no answer.

    A step has no part in coefficients that a penalty holds, and does not lead towards a bound.
    Margins enter as constraints once they are violated: without some of them the optimum is no
    smaller, so that an optimum of zero is an answer.
    """
    q, K = objective.shape[1], objective.n_classes
    largest = max(_MARGINS * (K * q) ** 2, q * objective.n_samples)
    if largest > _PROGRAM_SIZE:
        return None
    columns, is_label = sums.columns_and_labels()
    labels, rows = np.nonzero(is_label)
    margin_sums = (K * np.eye(K)[labels] - 1).T @ columns.T[rows]
    which, others = np.nonzero(np.arange(K) != labels[:, np.newaxis])
    labels, rows = labels[which], rows[which]
    directions = _directions(objective, sums.reference)
    # At equal steps, so that all classes are among them, in whatever order the rows are.
    chosen = np.unique(np.linspace(0, len(rows) - 1, _MARGINS * K * q).astype(int))
    violated = chosen
    while len(violated):
        a = _best_step(
            columns, labels[chosen], rows[chosen], others[chosen], margin_sums, directions
        )
        if a is None:
            return None
        logits = a @ columns
        margins = logits[labels, rows] - logits[others, rows]
        if not margins.sum() > _FEASIBLE * len(margins):
            return False
        violated = np.setdiff1d(np.flatnonzero(margins < -10 * _FEASIBLE), chosen)
        worst = violated[np.argsort(margins[violated])[: _MARGINS * K * q]]
        chosen = np.append(chosen, worst)
    return _is_separating(objective, sums.columns.theta_of(a).ravel(), 0.0)


def _directions(objective, reference):
    """The least and the largest that a step may be in each parameter, (2, K, q)."""
    directions = np.ones((2, *objective.shape)) * [[[-1]], [[1]]]
    penalty, p = objective.penalty, objective.n_features
    if penalty.is_smooth:  # the same vector may be added to all classes
        directions[:, reference] = 0
    directions[0, :, :p] *= ~np.isfinite(penalty.lower)
    directions[1, :, :p] *= ~np.isfinite(penalty.upper)
    directions[:, :, :p] *= (np.asarray(penalty.l2) == 0) & (np.asarray(penalty.l1) == 0)
    return directions


def _best_step(columns, labels, rows, others, margin_sums, directions):
    """Standardised parameters (K, q) of the largest sum where some margins are not negative."""
    m, (K, q) = len(rows), margin_sums.shape
    places = np.arange(q)
    at = np.hstack([labels[:, np.newaxis] * q + places, others[:, np.newaxis] * q + places])
    values = np.hstack([-columns.T[rows], columns.T[rows]])
    starts = np.arange(m + 1) * 2 * q
    found = linprog(
        -margin_sums.ravel(),
        A_ub=sparse.csr_array((values.ravel(), at.ravel(), starts), shape=(m, K * q)),
        b_ub=np.zeros(m),
        bounds=directions.reshape(2, -1).T,
        method="highs-ipm",
        options={"primal_feasibility_tolerance": _FEASIBLE, "maxiter": _STEPS * K * q},
    )
    return found.x.reshape(K, q) if found.status == 0 else None


def _is_separating(objective, direction, least_gain):
    """Whether some label gains along a direction, at least so much, and none loses."""
    gain, loss = objective.gains_along(direction)
    return bool(gain > least_gain and loss < _STILL**2 * gain)
