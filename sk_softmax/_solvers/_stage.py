"""One run of scipy's L-BFGS-B, in given variables."""

import math

import numpy as np
from scipy.optimize import minimize

from sk_softmax._objective import NOT_FINITE, OutOfRangeError
from sk_softmax._solvers._gap import GapEstimate

_EPS = np.finfo(np.float64).eps
# Relative gap from which differences of f drown in its rounding error.
SMALL_GAP = 1e-9
# Numbers that the steps in L-BFGS's memory may hold, and as many the gradient differences.
_MEMORY_SIZE = 2**24
# What scipy may round its first trial by, of length one.
_SAME_POINT = 1e-12


class Stage:
    """One run of L-BFGS-B in the variables u, ``theta = theta_0 + t ||g_v|| T u``.

    scipy sees ``F(u) = (f(theta) - f(theta_0)) / (t ||g_v||^2)`` with g_v = T' g at theta_0.
    Then F(0) = 0, its gradient there has length one, and scipy's first trial step, which has
    length one too, is t times the quasi-Newton step -T T' g. Its stopping rules, absolute where
    ``|F| < 1``, become relative to the gap that this stage started from.

    t is 1 if that decreases f. Otherwise it is a smaller share that does, at the latest
    ``log(1 + r) / r``, with r the largest range over the classes of what the step adds to the
    logits of a row: curvature changes by a factor of at most ``exp(r t)`` along it, and Newton's
    step is bound to decrease f (F. Bach, "Self-concordant
    analysis for logistic regression", Electronic Journal of Statistics 4, 2010).

    Once the gap is below about 1e-9 of f, differences of f lose their digits; F is then
    taken from the gradient by the trapezoidal rule, ``1/2 (grad F(0) + grad F(u)) u``, exact
    up to third order in u, and every digit of the gap counts again.
    """

    def __init__(self, objective, theta, T, gap_factor=1.0, evaluation=None, least_factor=1.0):
        self.objective, self.T = objective, T
        self.start = self.theta = theta
        self.n_iter = self.n_evaluations = 0
        self.interrupted = self.progressed = False
        self._evaluation = evaluation or self._checked(theta)
        self._g_v = self._backward(self._evaluation.gradient)
        self.raw_gap = 0.5 * float(self._g_v @ self._g_v)
        self._estimate = GapEstimate(self.value, self.raw_gap, gap_factor, least_factor)

    def continued_in(self, objective):
        """The stage that goes on from here with another objective in the same variables."""
        return Stage(objective, self.theta, self.T, self._estimate.factor)

    def with_variables(self, T):
        """The stage that goes on from here with another change of variables."""
        return Stage(self.objective, self.theta, T, evaluation=self._evaluation)

    def point_along(self, step, expected):
        """theta and the evaluation at as much of a step as decreases f, or None.

        `expected` is the decrease of f for a short share of it, by that share. Where that is below
        the rounding of f, the whole step if it makes the gradient smaller.
        """
        if self.is_rounding:
            evaluation = self._checked(self.theta + step)
            g_v = self._backward(evaluation.gradient)
            smaller = 0.5 * float(g_v @ g_v) < self.raw_gap
            return (self.theta + step, evaluation) if smaller else None
        return self._safe_share(step, expected)[1]

    @property
    def value(self):
        """f at theta."""
        return self._evaluation.value

    @property
    def gradient(self):
        """The gradient of f at theta, flat."""
        return self._evaluation.gradient

    @property
    def is_rounding(self):
        """Whether the gap is so small that differences of f drown in its rounding error.

        That of a loss is relative to the sum of exponentials, which is at least one.
        """
        return self.raw_gap < max(SMALL_GAP * abs(self.value), _EPS)

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
        g_v = self._backward(self.gradient) if self.n_iter else self._g_v
        return -self.T.forward(g_v.reshape(self.T.shape)).ravel()

    def iterations_to(self, tol):
        """Estimate of the iterations until the gap is within `tol` of f."""
        return self._estimate.iterations_to(tol * abs(self.value))

    def run(self, after_iteration):
        """Iterate until ``after_iteration(self)`` is true or scipy can do no more."""
        self._after_iteration = after_iteration
        self._trapezoidal = self.is_rounding
        start_value, start_gap = self.value, self.raw_gap
        if not self._set_out():
            return
        result = minimize(
            self._scaled,
            np.zeros(self._g_v.size),
            method="L-BFGS-B",
            jac=True,
            callback=self._accept,
            options={
                # The callback keeps the limits; those of scipy would end long runs silently.
                "maxiter": np.iinfo(np.int32).max,
                "maxfun": np.iinfo(np.int32).max,
                "maxcor": min(20, max(4, _MEMORY_SIZE // self.start.size)),
                "maxls": 20,
                "ftol": _EPS,
                "gtol": 0.0,
            },
        )
        self.interrupted = result.status == 99  # by StopIteration from the callback
        self.progressed = self.value < start_value or self.raw_gap < start_gap / 2

    def _set_out(self):
        """Choose t and keep the evaluation of the first trial; False if no step decreases f."""
        t, self._first = 1.0, None
        if not self._trapezoidal and self.raw_gap > 0:
            t, self._first = self._safe_share(self.newton_step(), 2 * self.raw_gap)
            if self._first is None:
                return False
        length = float(np.linalg.norm(self._g_v)) or 1.0
        self._unit, self._unit_of_f = t * length, t * length**2
        self._start_value, self._start_gradient = self.value, self._g_v / length
        self._at_start = self.theta, self._evaluation, self._start_gradient
        return True

    def _safe_share(self, step, expected):
        """The share t of a step that decreases f, and theta and the evaluation there, or None.

        Tenths of the whole step are tried, down to the share that is safe, and then tenths of that,
        as long as what they are expected to gain is no rounding error of f.
        """
        t, safe = 1.0, None
        while t * expected > _EPS * max(abs(self.value), 1.0):
            theta = self.theta + t * step
            evaluation = self._checked(theta)
            if evaluation.value < self.value:
                return t, (theta, evaluation)
            if safe is None:
                r = self.objective.logit_range(step)
                safe = math.log1p(r) / r if r > 0 else 0.1
            t = max(t / 10, safe) if t > safe else t / 10
        return t, None

    def _backward(self, gradient):
        """Gradient in v from that in theta, both flat."""
        return self.T.backward(gradient.reshape(self.objective.shape)).ravel()

    def _scaled(self, u):
        """F and its gradient at u; keeps the evaluation for `_accept`."""
        if not u.any():  # where scipy starts, and where f is known
            self._evaluated = self._at_start
            return 0.0, self._start_gradient
        if self._first is not None and np.abs(u + self._start_gradient).max() < _SAME_POINT:
            theta, evaluation = self._first  # where scipy's first trial is known too
        else:
            step = self.T.forward(u.reshape(self.T.shape)).ravel()
            theta = self.start + self._unit * step
            evaluation = self._checked(theta)
        scaled_gradient = self._backward(evaluation.gradient) * (self._unit / self._unit_of_f)
        self._evaluated = theta, evaluation, scaled_gradient
        if self._trapezoidal:
            return 0.5 * float((self._start_gradient + scaled_gradient) @ u), scaled_gradient
        return (evaluation.value - self._start_value) / self._unit_of_f, scaled_gradient

    def _checked(self, theta):
        """The evaluation of f at theta, which must be finite."""
        self.n_evaluations += 1
        evaluation = self.objective.evaluate(theta)
        if not math.isfinite(evaluation.value + evaluation.gradient.sum()):
            raise OutOfRangeError(NOT_FINITE)
        return evaluation

    def _accept(self, intermediate_result):  # scipy asks for this name
        """Take over the accepted point, which is the last one evaluated."""
        self.theta, self._evaluation, scaled_gradient = self._evaluated
        scale = self._unit_of_f / self._unit
        self.raw_gap = 0.5 * scale**2 * float(scaled_gradient @ scaled_gradient)
        self.n_iter += 1
        self._estimate.add(self.value, self.raw_gap)
        if self._after_iteration(self):
            raise StopIteration
