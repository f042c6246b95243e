"""L-BFGS-B of scipy.optimize, in well-conditioned variables.

The run is a sequence of stages. A stage writes theta = theta_0 + T v, with a change of
variables T, and gives scipy a flattened vector with ``jac=True``. The next stage starts where
it ended: with a fresh T, once the old one has done as many iterations as a fresh one costs
and many more seem to lie ahead; or in float64, once float32 can do no more. Where the whole
Hessian is cheap, stages are preceded by damped Newton steps, as long as curvature changes within
the step. The run ends when a bound says that f is near enough to its minimum.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from sk_softmax._curvature import Curvature, in_float32
from sk_softmax._preconditioner import CHEAP, KINDS, WHOLE, PreconditionerCosts
from sk_softmax._solvers._base import IterationState, SolverResult, StopReason, planned_iterations
from sk_softmax._solvers._bound import (
    certificate_by_factor,
    newton_by_cg,
    self_concordant_bound,
)
from sk_softmax._solvers._separation import is_separable, separates
from sk_softmax._solvers._stage import SMALL_GAP, Stage

_EPS, _TINY = np.finfo(np.float64).eps, np.finfo(np.float64).tiny
# Relative gap down to which evaluations in float32 do, eight roundings of it, and size of X from
# which they pay.
_FLOAT32_GAP = 1e-6
_FLOAT32_SIZE = 2**20
# Iterations that a new stage loses because it starts without L-BFGS's memory.
_RESTART = 2
# Evaluations that the moments of the columns are worth in the cost of a T; they are made once.
_MOMENTS = 2
# Stages in a row without progress after which floating point allows none.
_MAX_STUCK = 3
# Leverages of rows from which on their curvature is near the rounding errors of that of others.
_LARGE_LEVERAGE = 0.1 / math.sqrt(_EPS)
# Ends that say nothing of a minimum.
_UNSETTLED = (StopReason.PRECISION, StopReason.MAX_ITER)
# A fresh T that changes the estimated gap by less than this factor was not needed.
_SAME_GAP = 2.0


@dataclass(frozen=True)
class LBFGS:
    """Minimise until a bound on f - f* is at most ``tol |f|``."""

    tol: float | None
    max_iter: int | None

    default_max_iter: ClassVar[int] = 1000
    unit: ClassVar[str] = "iteration"
    metrics: ClassVar[tuple[str, ...]] = (
        "loss",
        "accuracy",
        "gap",
        "n_evaluations",
        "preconditioner",
    )

    @staticmethod
    def objection(penalty):
        """Whether the penalty has corners or bounds."""
        if penalty.is_smooth:
            return None
        return 'takes neither l1_ratio nor bounds; take solver="prox-newton", or "auto"'

    def minimize(self, objective, theta, on_iteration):
        """Run stages until the gap is within `tol`, or none gets further."""
        with np.errstate(over="ignore", invalid="ignore"):  # every evaluation is checked
            if objective.penalty.is_isotropic and "rotation" not in objective.kept:
                rotation = objective.rows.rotated()
                objective.kept["rotation"] = rotation, rotation and objective.on(rotation.rows)
            if objective.penalty.is_isotropic and objective.kept["rotation"][0]:
                return self._minimize_rotated(objective, theta, on_iteration)
            return self._minimize(objective, theta, on_iteration)

    def _minimize(self, objective, theta, on_iteration):
        """`minimize`, first in float32 where that is quicker."""
        run = _Run(objective, self.tol or 0.0, planned_iterations(self), on_iteration)
        working = run.working_objective()
        try:
            return run.minimize(theta, working)
        except FloatingPointError:
            if working is objective:
                raise
            # float32 overflows long before float64; what was reached stays.
            return run.minimize(theta if run.theta is None else run.theta, objective)

    def _minimize_rotated(self, objective, theta, on_iteration):
        """`minimize` in fewer columns."""
        rotation, rotated = objective.kept["rotation"]
        rotated = rotated.with_penalty(objective.penalty)

        def backward(theta):
            V, b = rotated.unpack(theta)
            return objective.pack(rotation.backward(V), b)

        def tell(state):
            theta = state.get_theta
            return on_iteration(replace(state, get_theta=lambda: backward(theta())))

        W, b = objective.unpack(theta)
        result = self._minimize(rotated, rotated.pack(rotation.forward(W), b), tell)
        return replace(result, theta=backward(result.theta))


class _Run:
    """Decides when a stage ends and what comes next."""

    def __init__(self, objective, tol, max_iter, on_iteration):
        self._objective, self._tol = objective, max(tol, _EPS**2)
        self._max_iter, self._on_iteration = max_iter, on_iteration
        self._costs = PreconditionerCosts(objective)
        # Whether a fresh factor costs no more than L-BFGS-B loses as it begins.
        self._newton_pays = self._costs.allows(WHOLE, _MOMENTS + _RESTART)
        # Grows while fresh changes of variables of a kind prove needless.
        self._patience = dict.fromkeys(KINDS, 1.0)
        self._n_iter = self._n_evaluations = self._n_stuck = 0
        self._spent = 0.0  # on iterations, in evaluations
        self._reason = self._certificate = self.theta = None
        self._gap = self._gap_before = math.inf  # the latter of the last Newton step
        self._null = objective.null_model()

    def working_objective(self):
        """The objective of the first stages: in float32 where that is quicker and leaves digits.

        Newton steps take little of their time for evaluations, and most for a Hessian in float64.
        """
        objective, rows = self._objective, self._objective.rows
        is_large = rows.n_stored >= _FLOAT32_SIZE and np.float32 in rows.precisions
        if self._newton_pays or not is_large:
            return objective
        return in_float32(objective) or objective

    def minimize(self, theta, working):
        """The result of as many stages as it takes, the first with the `working` objective."""
        self._working, self._curvature = working, Curvature(working)
        self._kind = self._costs.first()
        T = self._kind.make(self._curvature, theta)
        stage = Stage(working, theta, T)
        while self._reason is None:
            stage = self._confirmed(stage) if self._may_end(stage) else self._advanced(stage)
        rests_on_rounding = self._rests_on_rounding()
        is_proven = self._objective.penalty.is_none and not rests_on_rounding
        if self._reason in _UNSETTLED or not is_proven:
            is_separable = self._is_separable_at_all()
            if is_separable:
                self._reason, self._gap = StopReason.SEPARABLE, math.inf
            elif is_separable is None and rests_on_rounding:
                self._reason, self._gap = StopReason.PRECISION, math.inf
        value = stage.value
        if self._in_float32(stage):
            value, _ = self._objective.value_and_gradient(stage.theta)
        return SolverResult(
            stage.theta,
            value,
            self._n_iter,
            self._reason is StopReason.TOL,
            self._reason,
            self._gap,
            self._certificate.method if self._gap < math.inf else None,
        )

    def _advanced(self, stage):
        """The stage that follows a run of L-BFGS-B, or a Newton step while curvature changes."""
        if self._has_no_iterations_left():
            return stage
        if self._kind is WHOLE and not stage.is_rounding:
            step = stage.newton_step()
            if self._newton_pays or stage.objective.logit_range(step) > 1:
                return self._stepped(stage, step, 2 * stage.raw_gap)
            if self._in_float32(stage):  # f is nearly quadratic from here, but for rounding
                return self._in_full(stage)
        stage.run(self._after_iteration)
        self._count_evaluations(stage)
        if self._reason is not None or (stage.progressed and self._may_end(stage)):
            return stage
        if self._in_float32(stage) and (self._float32_suffices(stage) or not stage.interrupted):
            return self._in_full(stage)
        if stage.progressed:
            self._n_stuck = 0
        elif self._stuck(stage):
            return stage
        elif self._kind is not WHOLE:  # T is too far from the inverse Hessian
            return self._confirmed(stage)
        return self._refreshed(stage)

    def _confirmed(self, stage):
        """Have the whole Hessian say whether f is at its minimum, or where to go on."""
        # Without a penalty only a factor proves that there is a minimum.
        allowed = math.inf if self._objective.may_be_separated else CHEAP
        by_factor = self._costs.allows(WHOLE, allowed)
        if self._in_float32(stage) and (by_factor or self._is_certified(stage)):
            return self._in_full(stage)
        if self._settles(stage):
            return stage
        return self._confirmed_by_factor(stage) if by_factor else self._confirmed_by_cg(stage)

    def _is_certified(self, stage):
        """Whether there is a `Certificate` in the variables of a stage."""
        return self._certificate is not None and self._certificate.T is stage.T

    def _may_end(self, stage):
        """Whether the estimated gap is small enough to ask for a bound."""
        return self._is_small(stage.gap, stage)

    def _is_small(self, gap, stage):
        """Whether a gap is within `tol` of f, and little beside what there is to gain.

        By the theorem of Taylor ``f_0 - f*`` is about ``1/2 ||theta - theta_0||^2`` in the norm
        of the Hessian where it is lost in the rounding of f. Where nothing is to be gained, what
        is left is the square of a rounding error.
        """
        f = abs(stage.value)
        if not gap <= self._tol * f:
            return False
        null, null_loss = self._null
        gain = null_loss - stage.value
        if gain < SMALL_GAP * f:
            way = stage.theta - null
            gain = 0.5 * float(way @ stage.objective.hessian_operator(stage.theta)(way))
        rounding = self._objective.n_samples * _EPS**2 * f
        return gap <= max(math.sqrt(self._tol) * gain, rounding)

    def _settles(self, stage):
        """Whether what the Hessian proved before is enough to end here; no end rests on float32."""
        if self._in_float32(stage) or not self._is_certified(stage):
            return False
        r = self._certificate.logit_range(stage)
        if self._ends_at(stage, self._certificate.bound(stage, r)):
            return True
        if self._certificate.is_sharp or r > 1 or not self._may_be_sharper(stage):
            return False
        self._certificate = certificate_by_factor(stage.T)
        return self._ends_at(stage, self._certificate.bound(stage, r))

    def _may_be_sharper(self, stage):
        """Whether a smaller kappa could bring the bound within `tol`."""
        return self._is_small(stage.raw_gap, stage) and self._is_small(
            self._least_bound(stage), stage
        )

    def _least_bound(self, stage):
        """What no bound falls below: kappa is at least what Newton's step shows."""
        decrement = 2 * stage.raw_gap
        if decrement == 0:
            return 0.0
        longest = stage.objective.logit_range(stage.newton_step())
        return self_concordant_bound(decrement, longest / math.sqrt(decrement))

    def _ends_at(self, stage, bound):
        """Keep a bound on f - f*; whether it is within `tol`, which ends the run.

        Losses below the rounding of one are rounded to zero, and no bound knows of them.
        """
        self._gap = bound if abs(stage.value) > _EPS else math.inf
        if self._is_small(self._gap, stage):
            self._reason = StopReason.TOL
        return self._reason is not None

    def _confirmed_by_factor(self, stage):
        """`_confirmed` by a factor of the Hessian, in whose variables the run goes on."""
        if self._kind is not WHOLE or stage.theta is not stage.T.theta:
            self._kind, self._curvature = WHOLE, Curvature(stage.objective)
            stage = stage.with_variables(WHOLE.make(self._curvature, stage.theta))
        if not self._is_certified(stage):
            self._certificate = certificate_by_factor(stage.T, is_sharp=False)
            if self._settles(stage):
                return stage
        if self._is_separable(stage.newton_step(), stage.T.sums):
            return stage
        return self._advanced(stage)

    def _confirmed_by_cg(self, stage):
        """`_confirmed` by conjugate gradients, whose step the run goes on from.

        In float32, of which they are made anyway, they prove nothing yet but for points to come.
        """
        newton = newton_by_cg(self._working, stage.theta, stage.gradient, stage.T, CHEAP)
        self._certificate = newton.certificate
        if not self._in_float32(stage) and (
            self._ends_at(stage, newton.bound) or self._is_separable(newton.step)
        ):
            return stage
        return self._stepped(stage, newton.step, newton.decrement)

    def _stepped(self, stage, step, expected):
        """The stage that follows a Newton step, which promises to decrease f by `expected` / 2."""
        if self._has_no_iterations_left():
            return stage
        point = stage.point_along(step, expected)
        self._count_evaluations(stage)
        if point is None and self._in_float32(stage):
            return self._in_full(stage)
        if point is None:
            return self._stuck(stage) or self._refreshed(stage)
        self._n_stuck = 0
        stage = self._moved(stage, *point)
        self._told(stage)
        if self._reason is None and self._float32_suffices(stage):
            return self._in_full(stage)
        if self._reason is None:
            self._settles(stage)
        return stage

    def _in_full(self, stage):
        """The stage that goes on in float64, in which a Hessian that is to prove has to be made."""
        stage = stage.continued_in(self._objective)
        if self._kind is not WHOLE:
            return stage
        self._curvature = Curvature(self._objective)
        return stage.with_variables(WHOLE.make(self._curvature, stage.theta))

    def _moved(self, stage, theta, evaluation):
        """The stage after a Newton step; in fresh variables if the whole Hessian makes them."""

        def stage_with(T, least_factor=1.0):
            return Stage(
                stage.objective, theta, T, evaluation=evaluation, least_factor=least_factor
            )

        if self._kind is not WHOLE:  # the smallest eigenvalue says how much T may underrate the gap
            return stage_with(stage.T, max(1.0, 1 / self._certificate.smallest))
        # Newton's method squares the gap, times what the step before shows.
        ratio = stage.raw_gap / max(self._gap_before, _TINY)
        self._gap_before = stage.raw_gap
        is_far = stage.raw_gap * ratio * ratio > self._tol * abs(stage.value)
        if not (is_far or self._in_float32(stage)):  # no end rests on float32
            moved = stage_with(stage.T)
            if self._is_small(moved.raw_gap, moved):  # then the Hessian of the step may be enough
                if not self._is_certified(stage):
                    self._certificate = certificate_by_factor(stage.T, is_sharp=False)
                if self._settles(moved):
                    return moved
        return stage_with(WHOLE.make(self._curvature, theta, P=evaluation.probabilities))

    def _count_evaluations(self, stage):
        """Take over what a stage has counted; it may go on."""
        self._n_evaluations += stage.n_evaluations
        stage.n_evaluations = 0

    def _is_separable(self, step, sums=None):
        """Whether a Newton step separates classes, so that the minimum is at infinity."""
        is_free = self._objective.may_be_separated and self._objective.penalty.is_none
        is_open = self._gap == math.inf and is_free
        if is_open and separates(self._objective, step, sums):
            self._reason = StopReason.SEPARABLE
        return self._reason is not None

    def _is_separable_at_all(self):
        """Whether a linear program says so, of an end without proof; None if it does not know."""
        if not self._objective.may_be_separated:
            return False
        if not self._costs.allows(WHOLE, math.inf):
            return None
        return is_separable(self._objective, Curvature(self._objective).pair_sums)

    def _rests_on_rounding(self):
        """Whether the curvature that proves a minimum may be but a rounding error of the Hessian.

        Where probabilities vanish a row is alone in some direction, with a leverage that says so.
        """
        if self._reason is not StopReason.TOL or not self._objective.may_be_separated:
            return False
        found = self._certificate
        is_large = found.kappa > _LARGE_LEVERAGE
        if is_large and not found.is_sharp:  # as it is where columns are collinear
            is_large = found.T.largest_leverage() > _LARGE_LEVERAGE
        return is_large

    def _has_no_iterations_left(self):
        """Whether the run has to end before another iteration."""
        if self._n_iter >= self._max_iter:
            self._reason = StopReason.MAX_ITER
        return self._reason is not None

    def _stuck(self, stage):
        """Count a stage without progress; the stage if floating point allows none, or None."""
        self._n_stuck += 1
        if self._n_stuck < _MAX_STUCK:
            return None
        self._reason = StopReason.PRECISION
        return stage

    def _in_float32(self, stage):
        """Whether the stage is evaluated in float32, to be followed by one in float64."""
        return stage.objective is not self._objective

    def _float32_suffices(self, stage):
        """Whether the stage is one in float32 that has come as far as it should.

        The loss of a row is rounded by that of one or more, its mean by about sqrt(n) less.
        """
        if not self._in_float32(stage):
            return False
        f, n = abs(stage.value), self._objective.n_samples
        return stage.gap <= max(self._tol * f, _FLOAT32_GAP * max(f, n**-0.5))

    def _refreshed(self, stage):
        """The stage that goes on with a fresh change of variables, if possible a better one."""
        kind = self._next_kind()
        self._curvature = Curvature(stage.objective)
        fresh = stage.with_variables(kind.make(self._curvature, stage.theta))
        change = fresh.raw_gap / max(stage.raw_gap, _TINY)
        if kind is self._kind and 1 / _SAME_GAP < change < _SAME_GAP:
            self._patience[kind] *= 4
        self._kind = kind
        return fresh

    def _after_iteration(self, stage):
        """Report the iteration; return whether the stage is to end."""
        return self._told(stage) or self._refresh_pays(stage)

    def _told(self, stage):
        """Report the iteration; return whether the run, or the float32 part of it, is to end."""
        self._n_iter += 1
        self._spent += self._costs.cost_per_iteration(self._kind)
        metrics = {
            "loss": stage.value,
            "accuracy": stage.accuracy,
            "gap": stage.gap,
            "n_evaluations": self._n_evaluations + stage.n_evaluations,
            "preconditioner": self._kind.name,
        }
        self.theta = theta = stage.theta
        if self._on_iteration(IterationState(self._n_iter, lambda: theta, metrics)):
            self._reason = StopReason.CALLBACK
        elif self._float32_suffices(stage) or self._may_end(stage):
            return True
        elif self._objective.is_separated(stage.value):
            self._reason = StopReason.SEPARABLE
        elif self._n_iter >= self._max_iter:
            self._reason = StopReason.MAX_ITER
        return self._reason is not None

    def _next_kind(self):
        """The kind of T to make next: a better one once it has been paid for."""
        return self._costs.best_within(self._kind, max(CHEAP, self._spent))

    def _refresh_pays(self, stage):
        """Rent or buy: iterate until a fresh T costs no more than what was spent without it.

        So the time is at most twice what it would have been with foresight. Near the end it
        does not pay any more.
        """
        kind = self._next_kind()
        cost = self._costs.cost(kind) + _RESTART
        per_iteration = self._costs.cost_per_iteration(self._kind)
        if kind is self._kind:
            cost *= self._patience[kind]
            paid = stage.n_iter * per_iteration
        else:
            paid = self._spent
        return paid >= cost and stage.iterations_to(self._tol) * per_iteration > 2 * cost
