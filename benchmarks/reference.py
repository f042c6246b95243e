"""The objective and its minimum, from formulas of their own."""

import numpy as np
from scipy import sparse
from scipy.special import log_softmax, logsumexp

_CHUNK = 10_000


class Reference:
    """f = mean cross-entropy + ||W||^2 / (2 C n) for softmax rows [W, b] of shape (K, p + 1).

    Two rows, for two classes, are those of the sigmoid model at C: their penalty is doubled.
    """

    def __init__(self, X, y, C):
        self.X, self.y = X, y
        self.n, self.K = len(y), int(y.max()) + 1
        self.lam = (2 if self.K == 2 else 1) / (C * self.n)
        self.shape = (self.K, X.shape[1] + 1)

    def value(self, theta):
        """f, in float64."""
        loss = sum(
            float((logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]).sum())
            for Z, y, _ in self._chunks(theta)
        )
        return loss / self.n + self.lam / 2 * float(np.square(theta[:, :-1]).sum())

    def gradient(self, theta):
        """Gradient of f."""
        G = np.column_stack([self.lam * theta[:, :-1], np.zeros(self.K)])
        for Z, y, X in self._chunks(theta):
            R = np.exp(log_softmax(Z, axis=1))
            R[np.arange(len(y)), y] -= 1
            G += np.column_stack([(X.T @ R).T, R.sum(axis=0)]) / self.n
        return G

    def remaining_gap(self, theta, n_steps=100):
        """What conjugate gradients still find below f, in the quadratic model at theta.

        A lower bound of 1/2 g' H^-1 g that grows with each step, preconditioned by the
        columns' second moments; near the minimum it is f - f*.
        """
        G = self.gradient(theta)
        P = [(np.exp(log_softmax(Z, axis=1)), X) for Z, _, X in self._chunks(theta)]

        def hessian_product(V):
            out = np.column_stack([self.lam * V[:, :-1], np.zeros(self.K)])
            for p, X in P:
                D = np.asarray(X @ V[:, :-1].T) + V[:, -1]
                D = p * (D - (p * D).sum(axis=1, keepdims=True))
                out += np.column_stack([(X.T @ D).T, D.sum(axis=0)]) / self.n
            return out

        X2 = self.X.multiply(self.X) if sparse.issparse(self.X) else np.square(self.X)
        diagonal = np.append(np.asarray(X2.mean(axis=0)).ravel() / self.K + self.lam, 1 / self.K)
        x, r = np.zeros(self.shape), -(G - G.mean(axis=0))
        z = r / diagonal
        d, rz, gap, gains = z, float(np.vdot(r, z)), 0.0, []
        for _ in range(n_steps):
            Hd = hessian_product(d)
            step = rz / float(np.vdot(d, Hd))
            x, r = x + step * d, r - step * Hd
            gains.append(0.5 * step * rz)
            gap += gains[-1]
            if gap == 0 or sum(gains[-20:]) < 0.01 * gap:
                break
            z = r / diagonal
            rz, old = float(np.vdot(r, z)), rz
            d = z + rz / old * d
        return gap

    def _chunks(self, theta):
        for start in range(0, self.n, _CHUNK):
            rows = slice(start, start + _CHUNK)
            X = self.X[rows]
            yield np.asarray(X @ theta[:, :-1].T) + theta[:, -1], self.y[rows], X
