"""Whether classes are separable, so that without a penalty the minimum is at infinity.

It is there if along some step no row's label loses to another class and some row's gains: f falls
for ever, ever less. Near such a minimum Newton's step is about one logit long and nearly such a
step, where near a finite minimum it vanishes. "Nearly" proves nothing, since few rows far from
all others can look like this: so the step is projected to those that leave all margins alone that
it hardly changes, and must still be one along which labels gain and none loses.
"""

import numpy as np

# Logits that a label must gain along a Newton step, which near a finite minimum vanishes.
_LONG_STEP = 0.1
# Share of the largest gain below which a margin is hardly changed.
_STILL = 1e-4
# Eigenvalues, with a unit diagonal, that are rounding errors of zero.
_ROUNDING = 1e-12


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
    G = sums.gram_of_still_margins(step, _STILL * gain)
    size = np.sqrt(np.diag(G))
    size[size == 0] = 1.0
    values, vectors = np.linalg.eigh(G / size / size[:, np.newaxis])
    null = vectors[:, values < _ROUNDING * len(G)]
    a = sums.standardised_of(step.reshape(objective.shape))
    a = null @ (null.T @ (a.ravel() * size)) / size
    direction = sums.theta_of(a.reshape(-1, objective.shape[1])).ravel()
    gain_left, loss_left = objective.gains_along(direction)
    return gain_left > gain / 2 and loss_left < _STILL**2 * gain_left
