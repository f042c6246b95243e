"""Whether a fitted model is at the minimum: bounds that owe nothing to the package.

The problem, in scikit-learn's form, with q_i the targets and z_i = W x_i + b:

    F(W, b) = C sum_i s_i (logsumexp(z_i) - q_i z_i) + 1/2 ||W||^2.

As ``logsumexp(z) = max_p p z + H(p)`` over probabilities p, with H the entropy, any
probabilities p_i with ``sum_i s_i (p_i - q_i) = 0`` (needed because b is free) prove that

    F* >= D(P) = C sum_i s_i H(p_i) - 1/2 ||W(P)||^2,   W(P) = -C sum_i s_i (p_i - q_i) x_i'.

This is Fenchel's dual. It does not matter where P comes from: here from some Newton steps that
start at the model, and end at some W, b with intercepts that meet the constraint. Then F of the
model minus D(P) bounds its distance to the minimum from above. For a P that is the softmax of
logits, F(W, b) - D(P) is ``1/2 ||W - W(P)||^2``, half the squared gradient, which is computed in
place of that difference. Without a penalty P would have to meet one constraint for each column
too; there the Newton decrement at the end takes the place of the difference.

Two classes are two rows at C/2, which halves F.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import entr, logsumexp, softmax

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Certificate:
    """`value` F of a model; `gap`, at least F - F*, up to `rounding`; `decrement`, nearly F - F*.

    The decrement ``1/2 g' H^-1 g`` is no difference: it is exact to far more digits than F has.
    `distance` is F less its value after Newton's method: no more than F - F*, and near it where
    even gradients that are but rounding errors, squared, exceed F - F*: of columns in units of
    millions.
    """

    value: float
    gap: float
    distance: float
    rounding: float
    decrement: float
    decrement_rounding: float


@dataclass(frozen=True)
class Newton:
    """A step, half the decrease that it expects, and what of that may be rounding."""

    W: np.ndarray
    b: np.ndarray
    decrement: float
    rounding: float


class Problem:
    """F on dense float64 rows, targets Q (n, K) and weights s (n,) of positive sum."""

    def __init__(self, X, Q, s, C, fit_intercept):
        self.penalised = np.isfinite(C)
        self.weight = s * (C if self.penalised else 1.0)
        self.X, self.Q, self.fit_intercept = X, Q, fit_intercept

    def logits(self, W, b):
        return self.X @ W.T + b

    def value(self, W, b):
        Z = self.logits(W, b)
        losses = logsumexp(Z, axis=1) - (self.Q * Z).sum(axis=1)
        return self.weight @ losses + self.penalised * 0.5 * (W * W).sum()

    def gradient(self, W, b):
        """(K, p) and (K,)."""
        R = self.weight[:, np.newaxis] * (softmax(self.logits(W, b), axis=1) - self.Q)
        return R.T @ self.X + self.penalised * W, R.sum(axis=0) * self.fit_intercept

    def newton(self, W, b):
        """The `Newton` step at W, b, which follows no flat direction of F."""
        K, p = W.shape
        A = np.column_stack([self.X, np.full(len(self.X), float(self.fit_intercept))])
        P = softmax(self.logits(W, b), axis=1)
        H = np.empty((K, p + 1, K, p + 1))
        for k in range(K):
            for other in range(k + 1):
                c = self.weight * P[:, k] * ((k == other) - P[:, other])
                H[k, :, other] = H[other, :, k] = (A.T * c) @ A
        H = H.reshape(K * (p + 1), -1)
        if self.penalised:
            H += np.diag(np.tile(np.append(np.ones(p), 0.0), K))
        scale = np.sqrt(np.maximum(np.diag(H), 0))
        scale[scale == 0] = 1.0
        values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
        # One vector added to all rows is flat; rounding makes it look curved or not.
        curved = values > 1e-14 * values[-1]
        T = vectors[:, curved] / np.sqrt(values[curved]) / scale[:, np.newaxis]
        along = T.T @ np.column_stack(self.gradient(W, b)).ravel()
        step = -(T @ along).reshape(K, p + 1)
        noise = np.abs(T).T @ np.column_stack(self.gradient_rounding(W, b)).ravel()
        return Newton(step[:, :p], step[:, p], 0.5 * float(along @ along), 0.5 * noise @ noise)

    def polished(self, W, b):
        """Newton's method from here, for as long as F or, near the end, the decrement falls."""
        value, newton = self.value(W, b), self.newton(W, b)
        for _ in range(100):
            t = 1.0
            while t > 1e-10 and self.value(W + t * newton.W, b + t * newton.b) >= value:
                t /= 2
            near = newton.decrement <= 1e-9 * abs(value)
            t = 1.0 if near else t
            following = W + t * newton.W, b + t * newton.b
            previous, newton = newton, self.newton(*following)
            if t <= 1e-10 or (near and newton.decrement >= previous.decrement):
                break
            W, b = following
            value = self.value(W, b)
        return W, b

    def with_feasible_intercepts(self, W, b):
        """b for which the probabilities have the weighted frequencies of the targets."""
        target = self.weight @ self.Q
        for _ in range(50):
            P = softmax(self.logits(W, b), axis=1)
            r = self.weight @ P - target
            H = np.diag(self.weight @ P) - (P.T * self.weight) @ P
            step = np.linalg.lstsq(H, r, rcond=1e-13)[0]
            b = b - step / max(1.0, np.abs(step).max())
            if np.abs(r).max() <= 1e-15 * self.weight.sum():
                break
        return b

    def dual_value(self, P):
        """D(P) of probabilities that meet the constraint."""
        W = -(self.weight[:, np.newaxis] * (P - self.Q)).T @ self.X
        return self.weight @ entr(P).sum(axis=1) - 0.5 * (W * W).sum()

    def duality_gap(self, W, b):
        """F(W, b) - D(P) of their own probabilities, whose constraint is met; or the decrement."""
        if not self.penalised:
            return self.newton(W, b).decrement
        G_W, g_b = self.gradient(W, b)
        return 0.5 * (G_W * G_W).sum() + float(b @ g_b)

    def rounding(self, W, b):
        """What F and `duality_gap` may owe to rounding."""
        Z = np.abs(self.X) @ np.abs(W.T) + np.abs(b)
        of_value = 8 * EPS * (self.weight @ (1 + Z.max(axis=1)))
        if not self.penalised:
            return of_value
        of_G_W, of_g_b = self.gradient_rounding(W, b)
        of_gap = 0.5 * (of_G_W * of_G_W).sum() + np.abs(b) @ of_g_b
        return of_value + of_gap

    def gradient_rounding(self, W, b):
        """What the `gradient` may owe to rounding: of logits, of p and of the sums."""
        Z = np.abs(self.X) @ np.abs(W.T) + np.abs(b)
        P = softmax(self.logits(W, b), axis=1)
        R = 8 * np.abs(P - self.Q) + P + P * (1 - P) * Z
        R *= EPS * self.weight[:, np.newaxis]
        return R.T @ np.abs(self.X), R.sum(axis=0) * self.fit_intercept


def certify(model, X, y, sample_weight=None):
    """The `Certificate` of a fitted model on the data that it was fitted to."""
    problem, W, b = problem_of(model, X, y, sample_weight)
    value = problem.value(W, b)
    reduced, V, c, surplus = _reduced(problem, W, b)
    # What of W the logits do not depend on changes nothing but the penalty.
    excess = 0.5 * problem.penalised * (surplus * surplus).sum()
    newton = reduced.newton(V, c)
    best_V, best_c = reduced.polished(V, c)
    if problem.fit_intercept:
        best_c = reduced.with_feasible_intercepts(best_V, best_c)
    distance = reduced.value(V, c) - reduced.value(best_V, best_c) + excess
    gap = distance + reduced.duality_gap(best_V, best_c)
    rounding = reduced.rounding(V, c) + reduced.rounding(best_V, best_c)
    return Certificate(value, gap, distance, rounding, newton.decrement + excess, newton.rounding)


def assert_optimal(model, X, y, sample_weight=None, *, tol=None):
    """F of a fitted model is within `tol` of the minimum, relative to F; by default of its own.

    The duality gap proves it as far as differences of F have digits, and the Newton decrement,
    which is zero where the gradient is, beyond that.
    """
    tol = model.tol if tol is None else tol
    found = certify(model, X, y, sample_weight)
    allowed = tol * abs(found.value) * (1 + 1e-3)  # decrements at the model are not f - f*
    assert -found.rounding <= found.gap <= allowed + found.rounding, found
    assert found.decrement <= allowed + found.decrement_rounding, found


def problem_of(model, X, y, sample_weight=None):
    """The `Problem` that a model was fitted to, and its parameters, one row for each class."""
    X = (X.toarray() if sparse.issparse(X) else np.asarray(X)).astype(np.float64)
    y = y if hasattr(y, "ndim") else np.asarray(y)
    s = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    Q = _targets(model, y)
    s = s * (Q @ _class_weights(model, Q, s))
    Q = (1 - model.label_smoothing) * Q
    W, b, C = model.coef_.astype(np.float64), model.intercept_.astype(np.float64), float(model.C)
    if len(W) == 1:
        W, b = W * [[-0.5], [0.5]], b * [-0.5, 0.5]
    present = W.any(axis=1) | (b > -1000)
    if (present.sum() if model.classes is None else len(W)) == 2:
        C = C / 2
    Q = Q[:, present] + model.label_smoothing / present.sum()
    kept = s > 0
    problem = Problem(X[kept], Q[kept], s[kept], C, bool(model.fit_intercept))
    return problem, W[present], b[present]


def _targets(model, y):
    """One-hot rows of labels, or the probabilities themselves, in the order of `classes_`."""
    if getattr(y, "ndim", 1) == 2 and y.shape[1] > 1:
        names = getattr(y, "columns", None)
        columns = np.arange(y.shape[1]) if names is None else np.asarray(names)
        Q = np.zeros((len(y), len(model.classes_)))
        Q[:, np.searchsorted(model.classes_, columns)] = np.asarray(y, dtype=np.float64)
        return Q / Q.sum(axis=1, keepdims=True)
    codes = np.searchsorted(model.classes_, np.asarray(y).ravel().astype(model.classes_.dtype))
    return np.eye(len(model.classes_))[codes]


def _class_weights(model, Q, s):
    totals = s @ Q
    if model.class_weight is None:
        return np.ones(len(totals))
    if isinstance(model.class_weight, str):
        occurs = totals > 0
        balanced = totals.sum() / (occurs.sum() * np.where(occurs, totals, 1))
        return np.where(occurs, balanced, 1.0)
    return np.array([model.class_weight.get(label, 1.0) for label in model.classes_])


def _reduced(problem, W, b):
    """The same problem without what the logits' differences do not depend on, and that of W.

    Class rows sum to zero. Rows fewer than the columns become columns themselves.
    """
    centred, b = W - W.mean(axis=0), b - b.mean()
    n, p = problem.X.shape
    if p <= n:
        return problem, centred, b, W - centred
    Q, R = np.linalg.qr(problem.X.T)
    size = np.linalg.norm(R, axis=1)
    R[size <= n * EPS * size.max()] = 0  # columns of rounding errors would pass for data
    C = 1.0 if problem.penalised else np.inf
    V = centred @ Q
    reduced = Problem(R.T, problem.Q, problem.weight, C, problem.fit_intercept)
    return reduced, V, b, W - V @ Q.T
