"""The minimum by a damped Newton method on the whole Hessian, independent of the package.

Columns are centred and scaled, and the class rows expressed in an orthonormal basis of the vectors
that sum to zero: the same problem, in coordinates in which it is well conditioned. The Hessian is
``A'A + penalty`` with ``A`` of K rows for each row of X, as diag(p) - pp' is M'M with
M = diag(sqrt(p)) (I - 1p'). Where its Cholesky factor would have too few digits, the triangular
factor of A takes its place, whose condition is only the root.
"""

from dataclasses import dataclass

import numpy as np
from reference import Reference
from scipy.linalg import cholesky, get_lapack_funcs, qr, solve_triangular
from scipy.special import softmax

_CHUNK = 2**22  # numbers of A at a time: 32 MB
_WELL_CONDITIONED = 1e-10  # 1 / condition that leaves a Newton step six digits
_FLAT = 1e-14  # singular values below this, relative to the largest, are rounding errors
_MAX_STEPS = 300
_MAX_HALVINGS = 60  # as many as there are digits
_NEAR = 1e-9  # decrements of f below this are too near to rounding to compare values


class PreciseReference(Reference):
    """The objective in extended precision, for differences of values near the minimum."""

    def __init__(self, X, y, C):
        super().__init__(X.astype(np.longdouble), y, C)

    def value(self, theta):
        """f of softmax rows, in the extended precision of X; inf where theta is not finite."""
        if not np.isfinite(theta).all():
            return np.longdouble(np.inf)
        theta = theta.astype(np.longdouble)
        loss = sum(_losses(Z, y).sum() for Z, y, _ in self._chunks(theta))
        return loss / self.n + self.lam / 2 * np.square(theta[:, :-1]).sum()

    def _chunks(self, theta):
        W, b = theta[:, :-1], theta[:, -1]
        yield self.X @ W.T + b, self.y, self.X


@dataclass(frozen=True)
class Minimum:
    """Softmax rows, and how near they are.

    `decrement` is 1/2 g'H^-1 g, which f - f* resembles as long as `change`, the largest change of
    a row's logits relative to each other by the next Newton step, is below 1.
    """

    theta: np.ndarray
    decrement: float
    change: float


class NewtonMethod:
    """Newton's method for softmax rows of shape (K, p + 1); two rows are the sigmoid's halves."""

    def __init__(self, X, y, C):
        self.reference = Reference(X, y, C)
        K = self.reference.K
        self.y, self.mean, scale = y, X.mean(axis=0), X.std(axis=0)
        self.scale = np.where(scale > 0, scale, 1.0)
        self.A = np.column_stack([(X - self.mean) / self.scale, np.ones(len(X))])
        # Penalty of each coordinate of a class row; none on intercepts.
        self.penalty = np.append(self.reference.lam / self.scale**2, 0.0)
        # Columns 2 to K of a Householder matrix are orthonormal, and orthogonal to the ones.
        self.basis = np.linalg.qr(np.column_stack([np.ones(K), np.eye(K)[:, 1:]]))[0][:, 1:]

    def minimum(self, theta):
        """The `Minimum` that is reached from theta."""
        V = self._to_coordinates(theta)
        value, step = self._value(V), self._step(V)
        for _ in range(_MAX_STEPS):
            near = step.decrement <= _NEAR * abs(value)
            t = 1.0 if near else self._step_length(V, step, value)
            following = self._step(V + t * step.direction) if t else None
            if not t or (near and following.decrement >= step.decrement):
                break
            V, step = V + t * step.direction, following
            value = self._value(V)
        return Minimum(self._to_theta(V), step.decrement, step.change)

    def _step_length(self, V, step, value):
        """1 if f falls; else what is safe by self-concordance, and halves of it; 0 for none."""
        lengths = np.log1p(step.change) / step.change * 0.5 ** np.arange(_MAX_HALVINGS)
        for t in [1.0, *lengths]:
            # A tenth of what the quadratic model gives; NaN is no decrease either.
            if self._value(V + t * step.direction) <= value - 0.2 * t * step.decrement:
                return t
        return 0.0

    def _value(self, V):
        with np.errstate(over="ignore", invalid="ignore"):
            loss = _losses(self._logits(V), self.y).mean()
            return loss + 0.5 * float((np.square(V) @ self.penalty).sum())

    def _logits(self, V):
        return self.A @ (self.basis @ V).T

    def _step(self, V):
        """The Newton step at V, its decrement, and what it does to logits."""
        P = softmax(self._logits(V), axis=1)
        G = self.basis.T @ (_residuals(self._logits(V), self.y).T @ self.A) / len(self.A)
        g = (G + V * self.penalty).ravel()
        direction, decrement = self._solve(P, g)
        changes = np.ptp(self._logits(direction.reshape(V.shape)), axis=1)
        return _Step(direction.reshape(V.shape), decrement, max(float(changes.max()), 1e-300))

    def _solve(self, P, g):
        """-H^-1 g and 1/2 g'H^-1 g, without the directions that are flat up to rounding."""
        H = sum(rows.T @ rows for rows in self._root(P))
        size = np.sqrt(np.diag(H))
        size[size == 0] = 1.0
        H = H / np.outer(size, size)
        g = g / size
        try:
            R = cholesky(H)
            inverse_condition, _ = get_lapack_funcs("pocon", (R,))(R, np.abs(H).sum(axis=0).max())
            if inverse_condition > _WELL_CONDITIONED:
                along = solve_triangular(R, g, trans=1)
                return -solve_triangular(R, along) / size, 0.5 * float(along @ along)
        except np.linalg.LinAlgError:
            pass
        R = np.empty((0, len(g)))
        for rows in self._root(P):
            R = qr(np.vstack([R, rows / size]), mode="r")[0][: len(g)]
        _, values, vectors = np.linalg.svd(R, full_matrices=False)
        kept = values > _FLAT * values[0]
        T = vectors[kept].T / values[kept]
        along = T.T @ g
        return -(T @ along) / size, 0.5 * float(along @ along)

    def _root(self, P):
        """Chunks of rows of the matrix whose product with itself is the Hessian."""
        n, K = P.shape
        d = (K - 1) * self.A.shape[1]
        step = max(1, _CHUNK // (K * d))
        for start in range(0, n, step):
            p, X = P[start : start + step], self.A[start : start + step]
            M = np.sqrt(p / n)[:, :, np.newaxis] * (self.basis - (p @ self.basis)[:, np.newaxis])
            yield np.einsum("ikj,iq->ikjq", M, X).reshape(-1, d)
        yield np.diag(np.sqrt(np.tile(self.penalty, K - 1)))

    def _to_coordinates(self, theta):
        W, b = theta[:, :-1].astype(float), theta[:, -1].astype(float) + theta[:, :-1] @ self.mean
        return (self.basis.T @ np.column_stack([W * self.scale, b])).astype(float)

    def _to_theta(self, V):
        rows = (self.basis @ V).astype(np.longdouble)
        W = rows[:, :-1] / self.scale
        return np.column_stack([W, rows[:, -1] - W @ self.mean])


@dataclass(frozen=True)
class _Step:
    direction: np.ndarray
    decrement: float
    change: float


def _losses(Z, y):
    """Cross-entropies, to full relative precision where they are small."""
    D = Z - Z[np.arange(len(y)), y][:, np.newaxis]
    top = np.maximum(D.max(axis=1), 0)
    others = np.exp(D - top[:, np.newaxis])
    others[np.arange(len(y)), y] = 0
    # log(exp(-top) + others), with log1p where top is zero, that is the label's logit the largest.
    small = np.log1p(others.sum(axis=1))
    large = top + np.log(np.exp(-top) + others.sum(axis=1))
    return np.where(top > 0, large, small)


def _residuals(Z, y):
    """p - onehot(y), to full relative precision where the label's probability is near 1."""
    R = softmax(Z, axis=1)
    rows = np.arange(len(y))
    R[rows, y] = 0
    R[rows, y] = -R.sum(axis=1)
    return R
