"""Whether a model with absolute values or bounds is at the minimum: nothing of the package.

The problem, in scikit-learn's form, with q_i the targets and z_i = W x_i + b:

    F(W, b) = C sum_i s_i (logsumexp(z_i) - q_i z_i) + sum_kj c_j ((1 - r)/2 W_kj^2 + r |W_kj|),
    lower <= W <= upper.

With two classes there is one row of W, and z_i is zero for the first class.

F at any other point bounds F of the model minus F* from below. Two kinds of points are tried.
Along one coordinate the loss has a curvature of at most ``L_j = C/4 sum_i s_i x_ij^2``: the model
of F with that curvature lies above F, and its minimum is known. And Newton's method on the
coefficients that may move, cut off at zero and at the bounds, is near F*.
"""

from dataclasses import dataclass

import numpy as np
from optimality import EPS, _class_weights, _targets
from scipy import sparse
from scipy.special import entr, logsumexp, softmax


@dataclass(frozen=True)
class Penalised:
    """F on dense float64 rows: weights times C, and the strengths and bounds of W (R, p)."""

    X: np.ndarray
    Q: np.ndarray
    weight: np.ndarray
    l2: np.ndarray
    l1: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    fit_intercept: bool
    offset: np.ndarray | float = 0.0
    mean: np.ndarray | float = 0.0

    @property
    def is_binary(self):
        return self.Q.shape[1] == 2 and len(self.lower) == 1

    def logits(self, W, b):
        Z = self.X @ W.T + b
        return (np.column_stack([np.zeros(len(Z)), Z]) if self.is_binary else Z) + self.offset

    def penalty(self, W):
        return (0.5 * self.l2 * W**2 + self.l1 * abs(W)).sum()

    def value(self, W, b):
        Z = self.logits(W, b)
        return self.weight @ (logsumexp(Z, axis=1) - (self.Q * Z).sum(axis=1)) + self.penalty(W)

    def probabilities(self, W, b):
        """Of the classes that have a row of W."""
        return softmax(self.logits(W, b), axis=1)[:, self.is_binary :]

    def gradient(self, W, b):
        """(R, p + 1), that of the loss alone; zero for intercepts that are not there."""
        R = (self.probabilities(W, b) - self.Q[:, self.is_binary :]) * self.weight[:, np.newaxis]
        return np.column_stack([R.T @ self.X, R.sum(axis=0) * self.fit_intercept])

    def decreases(self, W, b):
        """(R, p + 1), by how much F falls at least along each coordinate."""
        G = self.gradient(W, b)
        L = np.append(self.weight @ self.X**2, self.weight.sum()) / 4
        W_next = self.coordinate_minima(W, G[:, :-1], L[:-1])
        d = W_next - W
        change = G[:, :-1] * d + 0.5 * L[:-1] * d**2
        change += 0.5 * self.l2 * (W_next**2 - W**2) + self.l1 * (abs(W_next) - abs(W))
        return np.column_stack([-change, G[:, -1] ** 2 / (2 * L[-1])])

    def coordinate_minima(self, W, G, L):
        """Where each coefficient alone is best, for a loss of gradient G and curvature L."""
        is_curved = L + self.l2 > 0
        curvature = np.where(is_curved, L + self.l2, 1)
        t = (L * W - G) / curvature
        shrunk = np.sign(t) * np.maximum(abs(t) - self.l1 / curvature, 0)
        return np.clip(np.where(is_curved, shrunk, W), self.lower, self.upper)

    def improved(self, W, b):
        """A point near the minimum."""
        value = self.value(W, b)
        for _ in range(200):
            step, flat, sign = self._newton(W, b)
            tried = [
                (self._cut(W, t * step[:, :-1], sign), b + t * step[:, -1])
                for t in 0.5 ** np.arange(20)
            ]
            tried.append((self._cut(W, self._room(W, flat) * flat, sign), b))
            tried.append((self._best_coordinate_moved(W, b), b))
            for W_next, b_next in tried:
                fallen = value - self.value(W_next, b_next)
                if fallen > 1e-15 * value:
                    break
            else:
                break
            W, b, value = W_next, b_next, value - fallen
        return W, b

    def _room(self, W, d):
        """How far along d the first coefficient comes to zero or a bound."""
        with np.errstate(all="ignore"):
            ends = np.stack([(end - W) / d for end in (0.0, self.lower, self.upper)])
        return np.min(ends, where=(ends > 0) & np.isfinite(ends), initial=1e3)

    def _best_coordinate_moved(self, W, b):
        """W with the coefficient moved that lets F fall most."""
        L = self.weight @ self.X**2 / 4
        minima = self.coordinate_minima(W, self.gradient(W, b)[:, :-1], L)
        best = np.unravel_index(self.decreases(W, b)[:, :-1].argmax(), W.shape)
        moved = W.copy()
        moved[best] = minima[best]
        return moved

    def _newton(self, W, b):
        """Newton's step (R, p + 1), a descent where F is linear (R, p), and signs to keep.

        Of intercepts and the coefficients that may move.
        """
        G = self.gradient(W, b)
        slope = G[:, :-1] + self.l2 * W
        sign = np.where(W != 0, np.sign(W), -np.sign(slope) * (abs(slope) > self.l1))
        sign[:, (self.l1 == 0).all(axis=0)] = 0
        slope = slope + self.l1 * sign
        free = ((sign != 0) | (self.l1 == 0)) & (self.lower < self.upper)
        free &= ~((self.lower >= W) & (slope >= 0)) & ~((self.upper <= W) & (slope <= 0))
        slope = np.column_stack([slope, G[:, -1]])
        at_low = (self.lower >= W) | ((W == 0) & (sign > 0))
        at_high = (self.upper <= W) | ((W == 0) & (sign < 0))
        while True:  # as long as what is at an end would leave
            mask = np.column_stack([free, np.full(len(W), self.fit_intercept)])
            step, flat = self._newton_on(mask, W, b, slope)
            leaves = free & ((at_low & (step[:, :-1] < 0)) | (at_high & (step[:, :-1] > 0)))
            if not leaves.any():
                return step, flat[:, :-1], sign
            free &= ~leaves

    def _newton_on(self, mask, W, b, slope):
        """Newton's step, and the descent where F is linear, on the coordinates of a mask."""
        H = self._hessian(W, b, mask)
        H[np.diag_indices(len(H))] += np.column_stack([self.l2, np.zeros(len(W))])[mask]
        scale = np.sqrt(np.maximum(np.diag(H), 0))
        scale[scale == 0] = 1
        values, vectors = np.linalg.eigh(H / np.outer(scale, scale))
        is_flat = values <= 1e-12
        T = vectors[:, ~is_flat] / np.sqrt(values[~is_flat]) / scale[:, np.newaxis]
        N = np.linalg.qr(vectors[:, is_flat] / scale[:, np.newaxis])[0]
        step, flat = np.zeros((2, *mask.shape))
        step[mask] = -T @ (T.T @ slope[mask])
        flat[mask] = -N @ (N.T @ slope[mask])
        return step, flat

    def _hessian(self, W, b, mask):
        """Of the loss on the coordinates of a mask (R, p + 1)."""
        P = self.probabilities(W, b)
        A = np.column_stack([self.X, np.ones(len(self.X))])
        rows, columns = np.nonzero(mask)
        B = P[:, rows] * A[:, columns]
        H = -(B.T * self.weight) @ B
        for k in np.unique(rows):
            at, own = np.flatnonzero(rows == k), A[:, columns[rows == k]]
            H[np.ix_(at, at)] += (own.T * (self.weight * P[:, k])) @ own
        return H

    def _cut(self, W, step, sign):
        """W + step, as far as signs last and no bound is passed."""
        moved = np.clip(W + step, self.lower, self.upper)
        turns = np.sign(moved) * sign < 0
        return np.where(turns, np.clip(0.0, self.lower, self.upper), moved)

    def rounding(self, W, b):
        """What F may owe to rounding, of a model of columns that are not centred, too."""
        Z = (abs(self.X) + 2 * abs(self.mean)) @ abs(W.T) + abs(b)
        return 16 * EPS * (self.weight @ (1 + Z.max(axis=1)) + self.penalty(W))

    def dual_value(self, W, b):
        """A bound on F* from below, by the probabilities at W, b, drawn to q if need be.

        Of probabilities p_i it is ``C sum_i s_i H(p_i)`` less the penalty's conjugate at
        ``-C sum_i s_i (p_i - q_i) x_i``. Needs intercepts at their minimum, and no coefficient
        without a penalty or bounds.
        """
        G = self.gradient(W, b)[:, :-1]
        # Without squares the conjugate is infinite where |G| exceeds l1 and nothing bounds W.
        is_open = np.where(G < 0, np.isposinf(self.upper), np.isneginf(self.lower))
        limited = is_open & (self.l2 == 0) & (abs(G) > self.l1)
        share = (self.l1[limited] / abs(G[limited])).min(initial=1.0)
        P = softmax(self.logits(W, b), axis=1)
        entropy = self.weight @ entr(self.Q + share * (P - self.Q)).sum(axis=1)
        return entropy - conjugate(-share * G, self.l2, self.l1, self.lower, self.upper).sum()


def conjugate(H, l2, l1, lower, upper):
    """``max H w - l2/2 w^2 - l1 |w|`` over the bounds, where it is finite: of some candidates."""
    with np.errstate(all="ignore"):
        candidates = [lower, upper, np.zeros_like(H), (H - l1) / l2, (H + l1) / l2]
        best = np.full(H.shape, -np.inf)
        for w in candidates:
            w = np.clip(np.broadcast_to(w, H.shape), lower, upper)
            value = H * w - 0.5 * l2 * w**2 - l1 * abs(w)
            best = np.where(np.isfinite(w), np.fmax(best, value), best)
    return best


def problem_of(model, X, y, sample_weight=None):
    """The `Penalised` problem that a model was fitted to, in centred columns, and its W and b."""
    X = (X.toarray() if sparse.issparse(X) else np.asarray(X)).astype(np.float64)
    s = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    Q = _targets(model, y if hasattr(y, "ndim") else np.asarray(y))
    s = s * (Q @ _class_weights(model, Q, s))
    W, b = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    lower, upper = (-np.inf, np.inf) if model.bounds is None else model.bounds
    lower, upper = (np.array(np.broadcast_to(bound, W.shape), float) for bound in (lower, upper))
    present = W.any(axis=1) | (b != -1000)
    twice = 1.0
    if len(W) > 1:
        Q, W, b = Q[:, present], W[present], b[present]
        lower, upper = lower[present], upper[present]
        if len(W) == 2 and model.classes is None:  # the model of two classes, as two rows
            twice = 2.0
    Q = (1 - model.label_smoothing) * Q + model.label_smoothing / Q.shape[1]
    C, r = float(model.C), float(model.l1_ratio)
    factor = 1.0 if model.penalty_factor is None else np.asarray(model.penalty_factor, dtype=float)
    strength = np.full(W.shape, factor * np.isfinite(C))
    kept = s > 0
    weight = s[kept] * (C if np.isfinite(C) else 1.0)
    mean = weight @ X[kept] / weight.sum() * bool(model.fit_intercept)
    return Penalised(
        X[kept] - mean, Q[kept], weight, twice * (1 - r) * strength, r * strength, lower, upper,
        bool(model.fit_intercept), mean=mean,
    ), W, b + W @ mean  # fmt: skip


def assert_optimal(model, X, y, sample_weight=None, *, tol=None):
    """No point that is tried has an F that is less by more than `tol`, or than the model's gap."""
    tol = model.tol if tol is None else tol
    problem, W, b = problem_of(model, X, y, sample_weight)
    single = model.coef_.dtype == np.float32
    slack = 1e-5 * max(1.0, abs(W).max()) if single else 0.0
    assert (problem.lower - slack <= W).all()
    assert (problem.upper + slack >= W).all()
    value, rounding = problem.value(W, b), problem.rounding(W, b)
    assert problem.decreases(W, b).max() <= tol * value + rounding
    better = problem.value(*problem.improved(W, b))
    assert value - better <= tol * value + rounding, (value, better)
    if not single:
        unit = problem.weight.sum()
        assert value - better <= unit * model.gap_ + rounding, (value, better, unit * model.gap_)
