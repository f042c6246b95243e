"""Where a run of SGD has ended: whether it has converged, and what is left of f - f*.

With g the gradient and H the Hessian, Newton's step -H^-1 g lowers the quadratic model of f by
half the squared decrement ``g' H^-1 g``, which conjugate gradients find. The third derivative of
the loss along a step is at most r times the second, with r the largest range, over the classes, of
the change of a row's logits, see `_bound`. Where r < 1 the model holds as far as the step goes, and
half the squared decrement is close to f - f*. Otherwise f is followed along such steps until it
does.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import entr, log_softmax

from sk_softmax._curvature import Curvature, are_near_zero, in_dtype_of_data
from sk_softmax._objective import NOT_FINITE, OutOfRangeError
from sk_softmax._preconditioner import CHEAP, DIAGONAL, PreconditionerCosts, of_variances
from sk_softmax._solvers._base import SolverResult, StopReason
from sk_softmax._solvers._bound import newton_by_cg
from sk_softmax._solvers._lbfgs import LBFGS
from sk_softmax._solvers._separation import separates

# Share of what there is to gain that may be left where a run has converged.
_NEAR = 0.01
# Share of the time of the epochs that it may take to find that out.
_LAST_SHARE = 0.05
# The same where there may be no minimum, and the iterations that it takes to see that as a rule.
_PROOF_SHARE = 0.3
_PROOF_ITERATIONS = 20
# Evaluations that a product is worth: it takes three products with X for two.
_PER_PRODUCT = 1.5
# Steps until the model holds. Where it does not after five it seldom does after ten.
_STEPS = 5


@dataclass(frozen=True)
class SGDResult(SolverResult):
    """Where SGD ended, and the `share` of what can be gained that is left, if it is too much.

    `settled` is whether a run at a given learning rate has come as far as such a rate does: it
    gained more than is left, and in the last epochs hardly more.
    """

    share: float | None = None
    settled: bool = False


class Remainder(NamedTuple):
    """What is left: its `amount`, perhaps more unless `is_certain`, and Newton's last `step`."""

    amount: float
    is_certain: bool
    step: np.ndarray


def result_of(objective, run, n_iter, reason):
    """The `SGDResult` of a run that ended for a reason that is not separation."""
    theta, step, share, left = run.state.solution(), None, None, np.inf
    is_over = reason in (StopReason.NO_IMPROVEMENT, StopReason.MAX_ITER)
    with checked():
        if is_over:
            value, gradient = objective.value_and_gradient(theta)
        else:
            value = loss_at(objective, theta)
    if not math.isfinite(value) and reason is not StopReason.DIVERGED:
        raise OutOfRangeError(NOT_FINITE)
    gained = null_loss(objective) - value
    if is_over:
        left = value  # f* is not negative
        is_near = not objective.may_be_separated and value <= _NEAR * gained
        if not is_near:
            try:
                with checked():
                    budget = _LAST_SHARE * n_iter * run.evaluations
                    left, is_certain, step = remainder(objective, theta, value, gradient, budget)
            except FloatingPointError:  # values too large or too small for a Hessian
                is_certain = False
            rounding = np.finfo(np.float64).eps * abs(value)
            is_near = is_certain and left <= max(_NEAR * (gained + left), rounding)
        if not is_near:
            share = left / (max(gained, 0.0) + left or 1.0)
    if reason is not StopReason.CALLBACK:
        budget = _PROOF_SHARE * n_iter * run.evaluations
        if _is_separated(objective, theta, value, step, budget):
            reason = StopReason.SEPARABLE
    ended = is_over and reason is not StopReason.SEPARABLE
    settled = ended and run.has_given_rate and left <= gained and run.fell() <= _NEAR * gained
    return SGDResult(
        theta, value, n_iter, ended and share is None, reason, share=share, settled=settled
    )


def loss_at(objective, theta):
    """f without its gradient; without a pass over the rows if they have the same probabilities."""
    W, b = objective.unpack(theta)
    if not (W.any() or objective.rows.has_offset):
        b = np.zeros(objective.n_classes) if b is None else b
        return -float(objective.rows.class_weight @ log_softmax(b))
    return 0.5 * objective.penalty.l2 * float(np.vdot(W, W)) + objective.loss(theta)[0]


def null_loss(objective):
    """f where coefficients are zero and intercepts those of the class frequencies."""
    if objective.rows.has_offset:
        return objective.null_model()[1]
    if not objective.fit_intercept:
        return np.log(objective.n_classes)
    return float(entr(objective.rows.class_weight).sum())


def _is_separated(objective, theta, value, step, budget):
    """Whether f has no minimum, by its value, by theta, or by steps that "lbfgs" takes from there.

    Where these cost more evaluations than `budget`, the last Newton step has to tell.
    """
    if not objective.may_be_separated:
        return False
    if objective.is_separated(value):
        return True
    gain, loss = objective.gains_along(theta)
    if gain > 0 and loss == 0:
        return True
    if budget < _PROOF_ITERATIONS:
        return step is not None and separates(objective, step)
    solver = LBFGS(tol=_NEAR, max_iter=int(min(budget, LBFGS.default_max_iter)))
    try:
        result = solver.minimize(objective, theta, lambda state: False)
    except FloatingPointError:
        return False
    return result.stop_reason is StopReason.SEPARABLE


def remainder(objective, theta, value, gradient, budget):
    """The `Remainder` at theta, where the objective has this value and gradient.

    Steps are taken as long as they cost no more than `budget` evaluations of the objective, but at
    least one.
    """
    start, amount = value, 0.0
    for _ in range(_STEPS):
        newton, cost = _newton_step(objective, theta, gradient, budget)
        step, decrement = newton.step, newton.decrement
        longest = newton.logit_range
        if longest < 1:
            return Remainder(start - value + decrement / 2, True, step)
        amount = amount or decrement / 2
        budget -= cost
        lower = _lower_along(objective, theta, value, step, longest) if budget > 0 else None
        if lower is None:
            break
        theta, value, gradient = lower
    return Remainder(max(amount, start - value), False, step)


def _newton_step(objective, theta, gradient, budget):
    """`newton_by_cg`, and the evaluations that it cost. Curvature may be computed in float32.

    A budget too small for moments at theta has those of the class frequencies.
    """
    costs = PreconditionerCosts(objective)
    kind = costs.best_within(DIAGONAL, min(CHEAP, budget))
    n_products = max(int((budget - costs.cost(kind)) / _PER_PRODUCT), 1)
    working = in_dtype_of_data(objective)
    curvature = Curvature(working)
    mean = curvature.mean.astype(np.float64)
    if not are_near_zero(mean, curvature.variance, objective.penalty.l2):
        working, curvature = objective, Curvature(objective)
    if budget < costs.cost(DIAGONAL):
        weight = objective.rows.class_weight * (1 - objective.rows.class_weight)
        variance = np.outer(weight, curvature.variance)
        T = of_variances(working, weight, curvature.mean[np.newaxis], variance)
    else:
        # Not damped: here it is to be near the inverse of H, not to be stable.
        T = kind.make(curvature, theta, damping=0.0)
    newton = newton_by_cg(working, theta, gradient, T, n_products)
    return newton, costs.cost(kind) + _PER_PRODUCT * newton.n_products


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
