"""L-BFGS-B of scipy.optimize, in well-conditioned variables.

The run is a sequence of stages. A stage writes theta = theta_0 + T v, with the change of
variables T made for its starting point theta_0, and gives scipy a flattened vector with
``jac=True``. A stage ends when the estimate of the remaining gap passes, when its iterations
are spent, or when scipy can do no more; the next one starts where it ended with a fresh T.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from sk_softmax._preconditioner import Diagonal
from sk_softmax._solvers._base import IterationState, SolverResult, StopReason

_EPS = np.finfo(np.float64).eps
# Relative gap from which differences of f drown in its rounding error, see _Stage.
_SMALL_GAP = 1e-9
# Iterations of the first stage; each further one takes twice as many, since T changes less
# and less and a new stage starts without L-BFGS's memory.
_FIRST_STAGE = 20


@dataclass(frozen=True)
class LBFGS:
    """Minimise to a relative gap ``(f - f*) / |f*|`` of at most `tol`, as estimated."""

    tol: float | None
    max_iter: int | None

    default_max_iter: ClassVar[int] = 1000
    metrics: ClassVar[tuple[str, ...]] = ("loss", "gap")

    def minimize(self, objective, theta, on_iteration):
        """Run stages until one proves convergence in fresh variables, or none gets further."""
        max_iter = self.default_max_iter if self.max_iter is None else self.max_iter
        stage = _Stage(objective, theta, self.tol or 0.0, 0, on_iteration)
        stage_length = _FIRST_STAGE
        while stage.reason is None:
            stage.run(min(stage.n_iter + stage_length, max_iter))
            if stage.reason is None and stage.n_iter >= max_iter:
                stage.reason = StopReason.MAX_ITER
            if stage.reason is None:
                # Nothing gained: the end of the arithmetic, not of this stage's variables.
                stalled = stage.value >= stage.start_value and not stage.gap < stage.start_gap / 2
                successor = stage.successor()
                if stalled and successor.reason is None:
                    successor.reason = StopReason.PRECISION
                stage = successor
            stage_length *= 2
        return SolverResult(
            theta=stage.theta,
            value=stage.value,
            n_iter=stage.n_iter,
            converged=bool(stage.gap_is_small),
            stop_reason=stage.reason,
        )


class _Stage:
    """One run of L-BFGS-B in the variables u, ``theta = theta_0 + ||g_v|| T u``.

    scipy sees ``F(u) = (f(theta) - f(theta_0)) / ||g_v||^2`` with g_v = T' g at theta_0.
    Then F(0) = 0, its gradient there has length one, and scipy's first trial step, which has
    length one too, is the quasi-Newton step -T T' g. Its stopping rules, absolute where
    \\|F| < 1, become relative to the gap that this stage started from.

    Once the gap is below about 1e-9 of f, differences of f lose their digits; F is then
    taken from the gradient by the trapezoidal rule, 1/2 (grad F(0) + grad F(u)) . u, exact
    up to third order in u, and every digit of the gap counts again.
    """

    def __init__(self, objective, theta, tol, n_iter, on_iteration, evaluated=None):
        self._objective, self._tol, self._on_iteration = objective, tol, on_iteration
        self.n_iter = n_iter
        self.reason = None
        self._T = Diagonal(objective, theta)
        self._theta_0 = theta
        self.start_value, self._G = evaluated or self._evaluate(theta)
        self.value, self.theta = self.start_value, theta
        self._start_gradient = self._T.backward(self._G.reshape(objective.shape))
        self._unit = float(np.linalg.norm(self._start_gradient)) or 1.0
        self.gap = self.start_gap = 0.5 * self._unit**2 if self._start_gradient.any() else 0.0
        if self.gap_is_small:
            self.reason = StopReason.TOL

    @property
    def gap_is_small(self):
        """Whether the estimated gap f - f* is within `tol` of f (and of what f resolves)."""
        return self.gap <= max(self._tol, _EPS**2) * abs(self.value)

    def successor(self):
        """The stage that begins where this one ended."""
        return _Stage(
            self._objective,
            self.theta,
            self._tol,
            self.n_iter,
            self._on_iteration,
            evaluated=(self.value, self._G),
        )

    def run(self, last_iteration):
        """Iterate until the gap passes, scipy gives up, or `last_iteration` is done."""
        self._last_iteration = last_iteration
        self._trapezoidal = self.gap < _SMALL_GAP * abs(self.value)
        minimize(
            self._scaled,
            np.zeros(self._theta_0.size),
            method="L-BFGS-B",
            jac=True,
            callback=self._after_iteration,
            options={"maxiter": 10**9, "maxfun": 10**9, "ftol": _EPS, "gtol": 0.0, "maxls": 30},
        )

    def _scaled(self, u):
        """F and its gradient at u; remembers the evaluation for `_after_iteration`."""
        V = u.reshape(self._objective.shape)
        theta = self._theta_0 + self._unit * self._T.forward(V).ravel()
        value, G = self._evaluate(theta)
        gradient = self._T.backward(G.reshape(self._objective.shape)).ravel() / self._unit
        self._last = theta, value, G, 0.5 * self._unit**2 * float(gradient @ gradient)
        if self._trapezoidal:
            mean_gradient = 0.5 * (self._start_gradient.ravel() / self._unit + gradient)
            return float(mean_gradient @ u), gradient
        return (value - self.start_value) / self._unit**2, gradient

    def _evaluate(self, theta):
        """f and its gradient at theta, checked."""
        value, G = self._objective.value_and_gradient(theta)
        if not (np.isfinite(value) and np.all(np.isfinite(G))):
            raise FloatingPointError(
                "The objective is not finite. Values in X are too large to be multiplied "
                "with each other: rescale X, for example with StandardScaler."
            )
        return value, G

    def _after_iteration(self, intermediate_result):  # scipy goes by this name
        """Take over the accepted point, the last one evaluated, and decide."""
        self.theta, self.value, self._G, self.gap = self._last
        self.n_iter += 1
        metrics = {"loss": self.value, "gap": self.gap}
        if self._on_iteration(IterationState(self.n_iter, self.theta, metrics)):
            self.reason = StopReason.CALLBACK
        if self.reason or self.gap_is_small or self.n_iter >= self._last_iteration:
            raise StopIteration
