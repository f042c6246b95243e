"""Proximal Newton steps for penalties with absolute values and for bounds.

Each iteration models f by its gradient and Hessian at theta, on a working set of coefficients:
those that are not zero, those without a penalty, and those that violate the conditions of
optimality most. The model, with the penalty and the bounds as they are, is minimised face by face,
see `_quadratic`. The set grows until nothing outside of it violates them. The run ends when the
duality gap is small enough, see `_duality`.

Where rows are nearly certain curvature is small and steps are long. Of a step that does not lower f
a part is taken: there is a length up to which f falls for certain. Or the step is taken from a
model that has more curvature, as if residuals were probabilities, whichever lowers f more. A few
columns that are rare and large would otherwise shorten the steps of all.

The method is that of J. D. Lee, Y. Sun, M. A. Saunders, "Proximal Newton-type methods for
minimizing composite functions", SIAM Journal on Optimization 24(3), 2014.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sk_softmax._coordinates import Coordinates, residual_weights
from sk_softmax._curvature import Curvature
from sk_softmax._objective import NOT_FINITE, OutOfRangeError
from sk_softmax._preconditioner import CHEAP, DAMPING
from sk_softmax._rows import FIT_EVALUATIONS
from sk_softmax._solvers._base import IterationState, SolverResult, StopReason, planned_iterations
from sk_softmax._solvers._duality import TINY_SQUARES, lower_bound
from sk_softmax._solvers._quadratic import MatrixModel, OperatorModel, Terms, minimised
from sk_softmax._solvers._separation import is_separable

_EPS = np.finfo(np.float64).eps
# Matrices of the size of the largest working set that exist while it is summed by groups of blocks.
_MATRICES = 8
# By what damping grows while steps are too long, and falls with their success: without it the
# steps of a table with a far row stay short.
_MORE = 10.0
# How near to the longest step that lowers f a shortened one is: nearer ones cost evaluations.
_BRACKET = 3.0
# Newton's decrement on a face, in the decrease of the model, from which a last step counts as the
# way to its minimum; less damping than this makes no difference to it.
_FORCING = 0.1
# Iterations in a row in which f may be no less than ever before, as its rounding errors let it.
_MAX_IDLE = 4


@dataclass(frozen=True)
class ProxNewton:
    """Minimise until the duality gap is at most ``tol |f|``."""

    tol: float | None
    max_iter: int | None

    default_max_iter: ClassVar[int] = 1000
    unit: ClassVar[str] = "iteration"
    metrics: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "gap", "n_evaluations", "n_nonzero")

    @staticmethod
    def objection(penalty):
        """None: it takes any penalty."""

    def minimize(self, objective, theta, on_iteration):
        """Take steps until the gap is within `tol`, or none gets further."""
        max_iter = planned_iterations(self)
        with np.errstate(over="ignore", invalid="ignore"):  # every evaluation is checked
            return _Run(objective, self.tol or 0.0, max_iter, on_iteration).minimize(theta)


@dataclass(frozen=True)
class _Point:
    """V (K, q), f there, the gradient of f without absolute values, and the accuracy."""

    V: np.ndarray
    value: float
    gradient: np.ndarray
    accuracy: float


def _decreases(point, following):
    """Whether f is no higher at the following point, but for its rounding."""
    return following.value <= point.value + 4 * _EPS * abs(point.value)


class _Run:
    """One run. V (K, q) are coefficients in standardised columns, and intercepts beside them."""

    def __init__(self, objective, tol, max_iter, on_iteration):
        self._objective = objective = objective.astype(np.float64)
        self._tol, self._max_iter, self._on_iteration = tol, max_iter, on_iteration
        self._curvature = Curvature(objective)
        self._columns = columns = self._curvature.standardised_columns
        self._penalty = penalty = objective.penalty.in_units(columns.scale)
        self._p, shape = objective.n_features, objective.shape

        def of_coefficients(values, of_intercepts):
            extended = np.full(shape, of_intercepts)
            extended[:, : self._p] = values
            return extended

        self._l2 = of_coefficients(penalty.l2, 0.0)
        self._terms = Terms(
            of_coefficients(penalty.l1, 0.0),
            of_coefficients(penalty.lower, -np.inf),
            of_coefficients(penalty.upper, np.inf),
        )
        self._n_iter = self._n_evaluations = 0
        self._bound, self._reason, self._last_step = -math.inf, None, None
        self._held = self._fixed()
        self._least_value, self._n_idle, self._damping = math.inf, 0, 0.0

    def _fixed(self):
        """Mask of what stays: fixed coefficients, and those of one class that others move against.

        Where nothing draws the coefficients of a column to zero, as with the intercepts, one number
        may be added to those of all classes.
        """
        l1, lower, upper = self._terms
        is_bounded = np.isfinite(lower) | np.isfinite(upper)
        is_free = ((l1 == 0) & (self._l2 == 0) & ~is_bounded).all(axis=0)
        fixed = lower == upper
        fixed[np.argmax(self._objective.rows.class_weight), is_free] = True
        return fixed

    def minimize(self, theta):
        """The `SolverResult` from a flat theta."""
        objective = self._objective
        V = self._columns.of_theta(theta.reshape(self._objective.shape).copy())
        W = V[:, : self._p]
        np.clip(W, self._penalty.lower, self._penalty.upper, out=W)
        self._penalty.centre(W)
        self._null_value = self._value_of_null_model()
        point = self._point_at(V)
        while self._reason is None:
            point = self._advanced(point)
        # Where coefficients go to infinity gradients vanish, as they do at a minimum.
        if objective.may_be_separated and is_separable(objective, self._curvature.pair_sums):
            self._reason, self._bound = StopReason.SEPARABLE, -math.inf
        gap, nearer = self._gap(point), None
        if self._last_step is not None:
            V = point.V + self._last_step
            self._penalty.centre(V[:, : self._p])
            nearer = self._theta_of(V)
        return SolverResult(
            self._theta_of(point.V),
            point.value,
            self._n_iter,
            self._reason is StopReason.TOL,
            self._reason,
            gap,
            "duality" if gap < math.inf else None,
            nearer,
        )

    def _theta_of(self, V):
        """The flat theta of V, within bounds, with intercepts whose mean is zero."""
        theta = self._columns.theta_of(V.copy())
        W, bounds = theta[:, : self._p], self._objective.penalty
        np.clip(W, bounds.lower, bounds.upper, out=W)  # which other units may miss by a rounding
        if self._objective.fit_intercept:
            theta[:, -1] -= theta[:, -1].mean()
        return theta.ravel()

    def _value_of_null_model(self):
        """f of the class frequencies alone, or of coefficients as near to zero as they may be."""
        theta, loss = self._objective.null_model()
        penalty = self._objective.penalty
        if not penalty.has_bounds:
            return loss
        W, b = self._objective.unpack(theta)
        W = np.clip(W, penalty.lower, penalty.upper)
        if not W.any():
            return loss
        return self._objective.loss(self._objective.pack(W, b))[0] + penalty.value(W)

    def _point_at(self, V):
        self._n_evaluations += 1
        evaluation = self._objective.evaluate(self._columns.theta_of(V.copy()).ravel())
        if not math.isfinite(evaluation.value + evaluation.gradient.sum()):
            raise OutOfRangeError(NOT_FINITE)
        gradient = self._columns.gradient_of(evaluation.gradient.reshape(V.shape).copy())
        return _Point(V, evaluation.value, gradient, evaluation.accuracy)

    def _advanced(self, point):
        """The point after an iteration; sets the reason for which the run ends at it."""
        mask, is_whole = self._working_set(point)
        coordinates, model = self._model(point, mask)
        small = max(self._tol * abs(point.value), _EPS)
        step, decrease = self._step(self._damped(model, coordinates), point, mask)
        if self._damping and decrease <= small:
            self._damping = 0.0
            step, decrease = self._step(model, point, mask)
        if is_whole and decrease <= small:
            self._raise_bound(model, point, mask, step)
            if self._is_small(point):
                self._reason, self._last_step = StopReason.TOL, step
                return point
        if self._n_iter >= self._max_iter:
            self._reason = StopReason.MAX_ITER
            return point
        following = self._point_along(point, step)
        if _decreases(point, following):
            self._damping = self._damping / _MORE if self._damping > _FORCING else 0.0
        else:
            following = self._shortened(point, step)
            self._damping = max(_MORE * self._damping, DAMPING)
            damped, promised = self._step(self._damped(model, coordinates), point, mask)
            other = self._point_along(point, damped)
            if following is None or other.value < following.value:
                following, decrease = other, promised
        if following is None or not _decreases(point, following):
            self._reason = StopReason.PRECISION
            return point
        self._take(point, following, decrease)
        return following

    def _take(self, point, following, decrease):
        """Count an iteration, and report it; sets the reason if the run ends after it."""
        self._n_iter += 1
        if following.value < self._bound - 4 * _EPS * max(self._bound, 1.0):
            self._bound = -math.inf  # rounding errors were larger than they seemed
        self._n_idle = 0 if following.value < self._least_value else self._n_idle + 1
        self._least_value = min(self._least_value, following.value)
        if self._is_small(following):
            self._reason = StopReason.TOL
        elif self._n_idle > _MAX_IDLE:
            self._reason = StopReason.PRECISION
        self._tell(following, decrease)

    def _damped(self, model, coordinates):
        """A model with more curvature where rows have residuals, as long as steps are too long."""
        if self._damping == 0:
            return model
        return model.damped(self._damping * coordinates.diagonal(residual_weights))

    def _point_along(self, point, step):
        """The point after a step."""
        V = point.V + step
        self._penalty.centre(V[:, : self._p])
        return self._point_at(V)

    def _shortened(self, point, step):
        """The point after as much of a step that is too long as lowers f, or None.

        Within a factor of the most that can be taken, between that which is safe and the whole.
        """
        t, best, accepted, refused = self._safe_length(step), point, 0.0, 1.0
        while refused > _BRACKET * accepted:
            following = self._point_along(point, t * step)
            if _decreases(best, following):
                best, accepted = following, t
            elif best is point:
                return None
            else:
                refused = t
            t = math.sqrt(accepted * refused)
        return best

    def _safe_length(self, step):
        """A share of a step, towards the minimum of the model, along which f falls for certain.

        Let r be the largest range of what the step adds to the logits of a row. Along the step the
        curvature of the loss changes by a factor of at most ``exp(r t)``, so that f falls as far as
        ``t = log(1 + r) / r`` (T. Sun, Q. Tran-Dinh, "Generalized self-concordant functions",
        Mathematical Programming 178, 2019).
        """
        r = self._objective.logit_range(self._columns.theta_of(step.copy()).ravel())
        return math.log1p(r) / r if r > 0 else 1.0

    def _raise_bound(self, model, point, mask, step):
        """Let the bound on the minimum be what a step to about the minimum of the model shows."""
        V = point.V + step
        l1, lower, upper = self._terms
        inside = (lower < V) & (upper > V) & ((V != 0) | (l1 == 0))
        face = mask & inside & (self._l2 <= TINY_SQUARES)
        slope = l1 * np.sign(V)

        def corrected(G, among):
            step, some = np.zeros(G.shape), face & among
            if some.any():
                step[some] = model.step(some[mask], (G + slope)[some])
            return step

        columns, penalty = self._columns, self._penalty
        at_point = point.V, point.gradient, point.value
        allowed = self._limit(point) / 2  # the other half is for what the model is off by
        bound = lower_bound(self._objective, columns, penalty, *at_point, step, corrected, allowed)
        self._bound = max(self._bound, bound)

    def _step(self, model, point, mask):
        """The step to the minimum of a model, and how far that is below the point."""
        x, step = point.V[mask], np.zeros(point.V.shape)
        terms = self._terms.at(mask)
        minimum, decrease = minimised(model, x, point.gradient[mask], terms, _FORCING)
        step[mask] = minimum - x
        return step, decrease

    def _gap(self, point):
        """What f is above the bound, at least by a rounding error of a row's loss."""
        return max(point.value - self._bound, _EPS)

    def _is_small(self, point):
        """Whether the gap is small enough."""
        return self._gap(point) <= self._limit(point)

    def _limit(self, point):
        """The largest gap that is within `tol` of f, and little beside what there is to gain."""
        f = abs(point.value)
        rounding = 16 * _EPS * f
        gain = max(self._null_value - point.value, 0.0)
        return min(self._tol * f, max(math.sqrt(self._tol) * gain, rounding))

    def _tell(self, point, decrease):
        """Report the iteration, which may end the run."""
        V = point.V
        metrics = {
            "loss": point.value,
            "accuracy": point.accuracy,
            "gap": min(self._gap(point), decrease),
            "n_evaluations": self._n_evaluations,
            "n_nonzero": int(np.count_nonzero(V[:, : self._p])),
        }
        state = IterationState(
            self._n_iter, lambda: self._columns.theta_of(V.copy()).ravel(), metrics
        )
        if self._on_iteration(state) and self._reason is None:
            self._reason = StopReason.CALLBACK

    def _working_set(self, point):
        """Mask of the coefficients to move, and whether it has all that violate optimality."""
        V, G = point.V, point.gradient
        terms = self._terms
        sign, slope = terms.orthant(V, G)
        may_move = terms.free(V, sign, slope) & ~self._held
        mask = may_move & ((V != 0) | (terms.l1 == 0))
        entering = np.flatnonzero(may_move & ~mask)
        size = np.count_nonzero(mask)
        room = max(size, self._cheap_size(V) - size)
        is_whole = len(entering) <= room
        if not is_whole:
            order = np.argpartition(-abs(slope.ravel()[entering]), room)
            entering = entering[order[:room]]
        mask.ravel()[entering] = True
        # Of a column one class stays at zero, or one number could be added to those of all. Where
        # the others are at the minimum it does not violate optimality, since V is centred.
        columns = np.flatnonzero(mask.all(axis=0) & ~V.all(axis=0) & (terms.l1 > 0).all(axis=0))
        if not self._penalty.has_bounds:
            distance = np.where(V == 0, abs(slope), np.inf)[:, columns]
            mask[np.argmin(distance, axis=0), columns] = False
        return mask, is_whole

    def _cheap_size(self, V):
        """Coefficients whose matrix costs some evaluations.

        Where all are zero its sum is that of the columns, and a factor of it what costs.
        """
        work, n = CHEAP * self._objective.work, self._objective.n_samples
        size = int(math.sqrt(work / n))
        if V[:, : self._p].any() or self._objective.rows.has_offset or self._p > size:
            return size
        return max(size, int(math.cbrt(work)))

    def _model(self, point, mask):
        """The coordinates of a mask, and the quadratic model at a point."""
        l2 = self._l2[mask]
        coordinates = Coordinates(self._objective, self._columns, mask, point.V)
        n = self._objective.n_samples
        affordable = FIT_EVALUATIONS * coordinates.work / n
        if len(coordinates) ** 2 <= min(
            affordable, self._objective.rows.spare_bytes / (8 * _MATRICES)
        ):
            return coordinates, MatrixModel(coordinates.hessian(), l2)
        blocks = coordinates.class_blocks() if coordinates.n_pairs <= affordable else None
        model = OperatorModel(coordinates.operator(), coordinates.diagonal(), blocks, l2)
        return coordinates, model
