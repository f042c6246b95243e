"""Where a run of SGD has ended: whether it has converged, and what is left of f - f*.

With g the gradient and H the Hessian, Newton's step -H^-1 g lowers the quadratic model of f by
half the squared decrement ``g' H^-1 g``, which conjugate gradients find. The third derivative of
the loss along a step is at most r times the second, with r the largest range, over the classes, of
the change of a row's logits, see `_bound`. Where r < 1 the model holds as far as the step goes, and
half the squared decrement is close to f - f*. Otherwise f is followed along such steps until it
does.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import entr, log_softmax

from sk_softmax._curvature import Curvature
from sk_softmax._preconditioner import CHEAP, DIAGONAL, Ladder
from sk_softmax._solvers._base import SolverResult, StopReason
from sk_softmax._solvers._bound import newton_by_cg
from sk_softmax._solvers._separation import separates

# Share of what there is to gain that may be left where a run has converged.
_NEAR = 0.01
# Share of the time of the epochs that it may take to find that out.
_LAST_SHARE = 0.05
# Products H v for a step: few are needed, those of real tables settle in two to five.
_PRODUCTS = 20
_LEAST_PRODUCTS = 5
# Evaluations that a product is worth: it takes three products with X for two.
_PER_PRODUCT = 1.5
# Steps until the model holds. Where it does not after five it seldom does after ten.
_STEPS = 5
# Share of what may be spent that one preconditioner may cost.
_SHARE = 0.25


@dataclass(frozen=True)
class SGDResult(SolverResult):
    """Where SGD ended, and the `share` of what can be gained that is left, if it is too much."""

    share: float | None = None


class Remainder(NamedTuple):
    """What is left: its `amount`, perhaps more unless `is_certain`, and Newton's last `step`."""

    amount: float
    is_certain: bool
    step: np.ndarray


def result_of(objective, run, n_iter, reason, tol):
    """The `SGDResult` of a run that ended for a reason that is not separation."""
    theta, step, share = run.state.solution(), None, None
    with checked():
        value = loss_at(objective, theta)
    if reason is StopReason.NO_IMPROVEMENT:
        gained = null_loss(objective) - value
        if objective.may_be_separated or value > _NEAR * gained:  # f* is not negative
            try:
                with checked():
                    budget = _LAST_SHARE * n_iter * run.evaluations
                    left, is_certain, step = remainder(objective, theta, budget)
            except FloatingPointError:  # values too large or too small for a Hessian
                left, is_certain = value, False
            is_near = left <= max(_NEAR * (gained + left), tol * abs(value))
            if not (is_certain and is_near):
                share = left / (max(gained, 0.0) + left or 1.0)
    if reason is not StopReason.CALLBACK and _is_separated(objective, theta, value, step):
        reason = StopReason.SEPARABLE
    converged = reason is StopReason.NO_IMPROVEMENT and share is None
    return SGDResult(theta, value, n_iter, converged, reason, share=share)


def loss_at(objective, theta):
    """f without its gradient; without a pass over the rows if they have the same probabilities."""
    W, b = objective.unpack(theta)
    if not W.any():
        b = np.zeros(objective.n_classes) if b is None else b
        return -float(objective.class_frequencies() @ log_softmax(b))
    return 0.5 * objective.lam * float(np.vdot(W, W)) + objective.loss(theta)[0]


def null_loss(objective):
    """f where coefficients are zero and intercepts those of the class frequencies."""
    if not objective.fit_intercept:
        return np.log(objective.n_classes)
    return float(entr(objective.class_frequencies()).sum())


def _is_separated(objective, theta, value, step):
    """Whether f = `value` proves it, or no row's label loses along theta or Newton's step."""
    if not objective.may_be_separated:
        return False
    if objective.is_separated(value):
        return True
    gain, loss = objective.gains_along(theta)
    if gain > 0 and loss == 0:
        return True
    return step is not None and separates(objective, step)


def remainder(objective, theta, budget):
    """The `Remainder` at theta.

    Steps are taken as long as they cost no more than `budget` evaluations of the objective, but at
    least one.
    """
    value, gradient = objective.value_and_gradient(theta)
    start, amount = value, 0.0
    for _ in range(_STEPS):
        newton, cost = _newton_step(objective, theta, gradient, budget)
        step, decrement = newton.step, newton.decrement
        longest = objective.logit_range(step)
        if longest < 1:
            return Remainder(start - value + decrement / 2, True, step)
        amount = amount or decrement / 2
        budget -= cost
        lower = _lower_along(objective, theta, value, step, longest)
        if budget <= 0 or lower is None:
            break
        theta, value, gradient = lower
    return Remainder(max(amount, start - value), False, step)


def _newton_step(objective, theta, gradient, budget):
    """`newton_by_cg`, and the evaluations that it cost."""
    ladder = Ladder(objective)
    rung = ladder.best_within(DIAGONAL, min(CHEAP, _SHARE * budget))
    n_products = int((budget - ladder.cost(rung)) / _PER_PRODUCT)
    n_products = min(max(n_products, _LEAST_PRODUCTS), _PRODUCTS)
    # Not damped: here it is to be near the inverse of H, not to be stable.
    T = rung.make(Curvature(objective), theta, damping=0.0)
    newton = newton_by_cg(objective, theta, gradient, T, n_products)
    return newton, ladder.cost(rung) + _PER_PRODUCT * newton.n_products


def _lower_along(objective, theta, value, step, longest):
    """A point further along a step where f is lower, f and its gradient there; or None.

    The whole step, or the share of it that lowers f whatever the data: log(1 + r) / r.
    """
    for share in (1.0, np.log1p(longest) / longest):
        point = theta + share * step
        lower, gradient = objective.value_and_gradient(point)
        if lower < value:
            return point, lower, gradient
    return None


def checked():
    """Context of sums that may overflow: they are checked, and a divergence is reported as one."""
    return np.errstate(over="ignore", invalid="ignore")
