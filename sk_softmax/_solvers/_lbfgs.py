"""L-BFGS-B of scipy.optimize, in well-conditioned variables.

The run is a sequence of stages. A stage writes theta = theta_0 + T v, with a change of
variables T, and gives scipy a flattened vector with ``jac=True``. The next stage starts where
it ended: with a fresh T, once the old one has done as many iterations as a fresh one costs
and many more seem to lie ahead; or in float64, once float32 can do no more.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from sk_softmax._curvature import Curvature
from sk_softmax._objective import NOT_FINITE
from sk_softmax._preconditioner import DAMPING, Ladder, spare_bytes
from sk_softmax._rotation import Rotation, rotation_pays
from sk_softmax._solvers._base import IterationState, SolverResult, StopReason
from sk_softmax._solvers._gap import GapEstimate

_EPS = np.finfo(np.float64).eps
# Relative gap from which differences of f drown in its rounding error, see _Stage.
_SMALL_GAP = 1e-9
# Relative gap down to which evaluations in float32 do, and size of X from which they pay.
_FLOAT32_GAP = 1e-6
_FLOAT32_SIZE = 2**20
# Iterations that a new stage loses because it starts without L-BFGS's memory.
_RESTART = 2
# Numbers that the steps in L-BFGS's memory may hold, and as many the gradient differences.
_MEMORY_SIZE = 2**24
# Each fresh T is damped by so much less: near the minimum steps need no bound, and where few rows
# are far from all others damping hides the small curvature that the others have. After a stage
# that got nowhere it is damped by so much more.
_LESS_DAMPING = 0.3
_MORE_DAMPING = 10.0
# Iterations after which a T is too old to vouch for a small gap, and what a fresh one, without
# damping, may cost to confirm it: a share of the run so far, and so many evaluations or a smaller
# share.
_OLD = 8
_CONFIRMATION = 0.3
_CHEAP, _LITTLE = 10, 0.1
# Logits that a Newton step near a minimum does not change a row by, and shares of the largest gain
# of a label along it: a loss below the first is rounding, one below the second leaves it open. Then
# the gap is brought down by a factor at a time, until it is clear or the gap is the least.
_LONG_STEP = 0.1
_NO_LOSS = 1e-4
_SMALL_LOSS = 0.1
_NEXT_TARGET = 1e-2
_LEAST_TARGET = 1e-11
# A better kind of T is waited for if it costs less than so many refreshes of the present one.
_WORTH_WAITING = 5
# A fresh T that changes the estimated gap by less than this factor was not needed.
_SAME_GAP = 2.0


@dataclass(frozen=True)
class LBFGS:
    """Minimise to a relative gap ``(f - f*) / |f*|`` of at most `tol`, as estimated."""

    tol: float | None
    max_iter: int | None

    default_max_iter: ClassVar[int] = 1000
    metrics: ClassVar[tuple[str, ...]] = (
        "loss",
        "accuracy",
        "gap",
        "n_evaluations",
        "preconditioner",
    )

    def minimize(self, objective, theta, on_iteration):
        """Run stages until the gap is within `tol`, or none gets further."""
        if rotation_pays(objective, spare_bytes(objective)):
            with np.errstate(over="ignore", invalid="ignore"):
                rotation = Rotation(objective)
            return self._minimize_rotated(rotation, theta, on_iteration)
        max_iter = self.default_max_iter if self.max_iter is None else self.max_iter
        run = _Run(objective, self.tol or 0.0, max_iter, on_iteration)
        working = _working_objective(objective)
        with np.errstate(over="ignore", invalid="ignore"):  # every evaluation is checked
            try:
                return run.minimize(theta, working)
            except FloatingPointError:
                if working is objective:
                    raise
                return run.minimize(theta, objective)  # float32 overflows long before float64

    def _minimize_rotated(self, rotation, theta, on_iteration):
        """`minimize` in fewer columns."""

        def rotated_back(state):
            theta = state.get_theta
            return on_iteration(replace(state, get_theta=lambda: rotation.backward(theta())))

        result = self.minimize(rotation.objective, rotation.forward(theta), rotated_back)
        return replace(result, theta=rotation.backward(result.theta))


def _working_objective(objective):
    """The objective of the first stages: in float32 where that is quicker."""
    if objective.n_stored < _FLOAT32_SIZE or (
        objective.is_sparse and objective.X.dtype != np.float32
    ):
        return objective
    return objective.astype(np.float32)


class _Run:
    """Decides when a stage ends and what comes next."""

    def __init__(self, objective, tol, max_iter, on_iteration):
        self._objective, self._tol = objective, max(tol, _EPS**2)
        self._target = self._tol  # what is aimed at, where a minimum at infinity is in doubt less
        self._max_iter, self._on_iteration = max_iter, on_iteration
        self._ladder = Ladder(objective)
        self._patience = 1.0  # grows while fresh changes of variables prove needless
        self._n_iter = self._n_evaluations = self._made_at = 0
        self._spent = 0.0  # on iterations, in evaluations
        self._damping = DAMPING / _LESS_DAMPING
        self._reason = None

    def minimize(self, theta, working):
        """The result of as many stages as it takes, the first with the `working` objective."""
        self._curvature = Curvature(working)
        self._rung = self._ladder.first()
        T = self._rung.make(self._curvature, theta)
        stage = _Stage(self._curvature.objective, theta, T)
        if stage.is_within(self._tol):
            self._reason = StopReason.TOL
        stuck = 0
        while self._reason is None:
            stage.run(self._after_iteration)
            self._n_evaluations += stage.n_evaluations
            if self._reason is StopReason.TOL:
                self._reason = self._examined(stage)
            if self._reason is not None:
                break
            if self._in_float32(stage) and (self._float32_suffices(stage) or not stage.interrupted):
                stage = stage.continued_in(self._objective)
            else:
                stuck = 0 if stage.progressed else stuck + 1
                if stuck < (2 if stage.is_rounding else 3):
                    stage = self._refreshed(stage)
                else:
                    self._reason = StopReason.PRECISION
            if stage.is_within(self._target) and self._is_old():
                stage = self._refreshed(stage)
            if stage.is_within(self._target):
                self._reason = self._examined(stage)
        converged = stage.is_within(self._tol) and self._reason is not StopReason.SEPARABLE
        value = self._value(stage.theta) if self._in_float32(stage) else stage.value
        return SolverResult(stage.theta, value, self._n_iter, converged, self._reason)

    def _examined(self, stage):
        """TOL, SEPARABLE, or None to go on until it is clear which of these it is.

        Where along a direction some row's label gains on another class and no row's loses to one, f
        falls for ever, ever less, and Newton's steps stay about as long as one logit. Near a
        minimum they vanish, and where some rows gain others lose.
        """
        if self._objective.may_be_separated:
            gain, loss = self._objective.gains_along(stage.newton_step())
            if gain > _LONG_STEP and loss < _NO_LOSS * gain:
                return StopReason.SEPARABLE
            if gain > _LONG_STEP and loss < _SMALL_LOSS * gain and self._target > _LEAST_TARGET:
                self._target *= _NEXT_TARGET
                return None
        return StopReason.TOL

    def _value(self, theta):
        return self._objective.value_and_gradient(theta)[0]

    def _in_float32(self, stage):
        """Whether the stage is evaluated in float32, to be followed by one in float64."""
        return stage.objective is not self._objective

    def _float32_suffices(self, stage):
        """Whether the stage is one in float32 that has come as far as it should."""
        return self._in_float32(stage) and stage.is_within(max(self._tol, _FLOAT32_GAP))

    def _is_old(self):
        """Whether the estimate of the gap should be confirmed by a fresh change of variables.

        It should if the present one was made many iterations ago, or with damping, and a fresh
        one costs little. Without a penalty curvature may vanish on the way to a minimum at
        infinity, as fast as the gap does: there it should at any cost.
        """
        age = self._n_iter - self._made_at
        if self._objective.lam == 0:
            return self._damping > 0 or age > 1
        if self._damping > DAMPING / _LESS_DAMPING:  # raised, so that the gap may be underrated
            return True
        cost = self._ladder.cost(self._next_rung())
        allowed = min(_CONFIRMATION * self._spent, max(_CHEAP, _LITTLE * self._spent))
        return (self._damping > 0 or age > _OLD) and cost <= allowed

    def _next_damping(self, stage):
        """Less than before, none at the end, more where steps were too long to get anywhere."""
        if stage.is_within(self._tol):
            return 0.0
        if stage.progressed or stage.is_rounding:
            return _LESS_DAMPING * self._damping
        return min(max(DAMPING, _MORE_DAMPING * self._damping), 1.0)

    def _refreshed(self, stage):
        """The stage that goes on with a fresh change of variables, if possible a better one."""
        rung = self._next_rung()
        if self._curvature.objective is not stage.objective:
            self._curvature = Curvature(stage.objective)
        self._damping = self._next_damping(stage)
        T = rung.make(self._curvature, stage.theta, self._damping)
        fresh = stage.with_variables(T)
        change = fresh.raw_gap / max(stage.raw_gap, np.finfo(float).tiny)
        if rung is self._rung and 1 / _SAME_GAP < change < _SAME_GAP:
            self._patience *= 4
        self._rung, self._made_at = rung, self._n_iter
        return fresh

    def _after_iteration(self, stage):
        """Report the iteration; return whether the stage is to end."""
        self._n_iter += 1
        self._spent += self._ladder.cost_per_iteration(self._rung)
        metrics = {
            "loss": stage.value,
            "accuracy": stage.accuracy,
            "gap": stage.gap,
            "n_evaluations": self._n_evaluations + stage.n_evaluations,
            "preconditioner": self._rung.name,
        }
        theta = stage.theta
        if self._on_iteration(IterationState(self._n_iter, lambda: theta, metrics)):
            self._reason = StopReason.CALLBACK
        elif self._float32_suffices(stage):
            return True
        elif stage.is_within(self._target):
            if self._is_old():
                return True
            self._reason = StopReason.TOL
        elif self._objective.is_separated(stage.value):
            self._reason = StopReason.SEPARABLE
        elif self._n_iter >= self._max_iter:
            self._reason = StopReason.MAX_ITER
        return self._reason is not None or self._refresh_pays(stage)

    def _next_rung(self):
        """The kind of T to make next: a better one once it has been paid for."""
        better = self._ladder.above(self._rung)
        if better is None:
            return self._rung
        cost, refresh = self._ladder.cost(better), self._ladder.cost(self._rung) + _RESTART
        return better if cost <= max(_WORTH_WAITING * refresh, self._spent) else self._rung

    def _refresh_pays(self, stage):
        """Rent or buy: iterate until a fresh T costs no more than what was spent without it.

        So the time is at most twice what it would have been with foresight. Near the end it
        does not pay any more.
        """
        rung = self._next_rung()
        cost = self._ladder.cost(rung) + _RESTART
        per_iteration = self._ladder.cost_per_iteration(self._rung)
        if rung is self._rung:
            cost *= self._patience
            paid = stage.n_iter * per_iteration
        else:
            paid = self._spent
        return paid >= cost and stage.iterations_to(self._target) * per_iteration > 2 * cost


class _Stage:
    """One run of L-BFGS-B in the variables u, ``theta = theta_0 + ||g_v|| T u``.

    scipy sees ``F(u) = (f(theta) - f(theta_0)) / ||g_v||^2`` with g_v = T' g at theta_0.
    Then F(0) = 0, its gradient there has length one, and scipy's first trial step, which has
    length one too, is the quasi-Newton step -T T' g. Its stopping rules, absolute where
    ``|F| < 1``, become relative to the gap that this stage started from.

    Once the gap is below about 1e-9 of f, differences of f lose their digits; F is then
    taken from the gradient by the trapezoidal rule, ``1/2 (grad F(0) + grad F(u)) u``, exact
    up to third order in u, and every digit of the gap counts again.
    """

    def __init__(self, objective, theta, T, gap_factor=1.0, evaluation=None):
        self.objective, self._T = objective, T
        self._theta_0 = self.theta = theta
        self.n_iter = self.n_evaluations = 0
        self.interrupted = self.progressed = False
        self._evaluation = evaluation or self._evaluate(theta)
        start_gradient = self._backward(self._evaluation.gradient)
        self._unit = float(np.linalg.norm(start_gradient)) or 1.0
        self._start_gradient = start_gradient / self._unit
        self._start = theta, self._evaluation, self._start_gradient
        self._start_value = self.value
        self.raw_gap = 0.5 * float(start_gradient @ start_gradient)
        self._estimate = GapEstimate(self.value, self.raw_gap, gap_factor)

    def continued_in(self, objective):
        """The stage that goes on from here with another objective in the same variables."""
        return _Stage(objective, self.theta, self._T, self._estimate.factor)

    def with_variables(self, T):
        """The stage that goes on from here with another change of variables."""
        return _Stage(self.objective, self.theta, T, evaluation=self._evaluation)

    @property
    def value(self):
        """f at theta."""
        return self._evaluation.value

    @property
    def is_rounding(self):
        """Whether the gap is so small that differences of f drown in its rounding error."""
        return self.raw_gap < _SMALL_GAP * abs(self.value)

    @property
    def accuracy(self):
        """The weighted share of rows that theta gets right."""
        return self._evaluation.accuracy

    @property
    def gap(self):
        """Estimate of f - f*."""
        return self._estimate.gap

    def newton_step(self):
        """The quasi-Newton step ``-T T' g`` at theta, flat."""
        g = self._evaluation.gradient.reshape(self.objective.shape)
        return -self._T.forward(self._T.backward(g)).ravel()

    def is_within(self, tol):
        """Whether the gap is estimated to be within `tol` of f."""
        return bool(self.gap <= tol * abs(self.value))

    def iterations_to(self, tol):
        """Estimate of the iterations until `is_within` holds."""
        return self._estimate.iterations_to(tol * abs(self.value))

    def run(self, after_iteration):
        """Iterate until ``after_iteration(self)`` is true or scipy can do no more."""
        self._after_iteration = after_iteration
        self._trapezoidal = self.is_rounding
        start_gap = self.raw_gap
        result = minimize(
            self._scaled,
            np.zeros(self._theta_0.size),
            method="L-BFGS-B",
            jac=True,
            callback=self._accept,
            options={
                # The callback keeps the limits; those of scipy would end long runs silently.
                "maxiter": np.iinfo(np.int32).max,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": min(20, max(4, _MEMORY_SIZE // self._theta_0.size)),
                "maxls": 20,
                "ftol": _EPS,
                "gtol": 0.0,
            },
        )
        self.interrupted = result.status == 99  # by StopIteration from the callback
        self.progressed = self.value < self._start_value or self.raw_gap < start_gap / 2

    def _backward(self, gradient):
        """Gradient in v from that in theta, both flat."""
        return self._T.backward(gradient.reshape(self.objective.shape)).ravel()

    def _scaled(self, u):
        """F and its gradient at u; keeps the evaluation for `_accept`."""
        if not u.any():  # where scipy starts, and where f is known
            self._evaluated = self._start
            return 0.0, self._start_gradient
        step = self._T.forward(u.reshape(self.objective.shape)).ravel()
        theta = self._theta_0 + self._unit * step
        evaluation = self._evaluate(theta)
        scaled_gradient = self._backward(evaluation.gradient) / self._unit
        self._evaluated = theta, evaluation, scaled_gradient
        if self._trapezoidal:
            return 0.5 * float((self._start_gradient + scaled_gradient) @ u), scaled_gradient
        return (evaluation.value - self._start_value) / self._unit**2, scaled_gradient

    def _evaluate(self, theta):
        """The evaluation of f at theta, checked."""
        self.n_evaluations += 1
        evaluation = self.objective.evaluate(theta)
        if not math.isfinite(evaluation.value + evaluation.gradient.sum()):
            raise FloatingPointError(NOT_FINITE)
        return evaluation

    def _accept(self, intermediate_result):  # scipy asks for this name
        """Take over the accepted point, which is the last one evaluated."""
        self.theta, self._evaluation, scaled_gradient = self._evaluated
        self.raw_gap = 0.5 * self._unit**2 * float(scaled_gradient @ scaled_gradient)
        self.n_iter += 1
        self._estimate.add(self.value, self.raw_gap)
        if self._after_iteration(self):
            raise StopIteration
