"""The one objective that every solver minimises.

Symbols, here and in the solvers
--------------------------------
=========  ==============  ====================================================
X          (n, p)          rows x_i; dense or CSR
y          (n,)            class codes 0 .. K - 1
s          (n,)            weights, positive; S is their sum
W, b       (K, p), (K,)    coefficients and intercepts
theta      K (p + 1)       [W, b] of shape (K, p + 1), flattened by rows;
                           K p without an intercept
Z, P       (K, m)          logits W x_i + b and their softmax on a block of m rows
lam        scalar          1 / (C S)
G          (K, p + 1)      gradient of f, laid out as theta
=========  ==============  ====================================================

    f(theta) = 1/S sum_i s_i H(q_i, softmax(W x_i + b)) + lam/2 ||W||^2

q_i is the one-hot label, H the cross-entropy; the intercept is not penalised. Times
``C S`` this is scikit-learn's LogisticRegression objective. Its gradient is

    G_W = 1/S (P - Q) diag(s) X + lam W,    G_b = 1/S (P - Q) s.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse

from sk_softmax._softmax import cross_entropy, softmax

# Bytes of X, logits and residuals that a block may span: its second product should still
# find the rows of the first in the cache of one core.
_BLOCK_BYTES = 4 * 2**20
# Multiply-adds below which handing a part to a thread costs more than computing it.
_PART_WORK = 2**19
_MAX_PARTS = 64


class Objective:
    """Mean cross-entropy of softmax regression with an L2 penalty, on given data.

    The sums over rows are split into parts by the shape of the data alone, each part into
    blocks that fit the cache, and added up in a fixed order: the result is the same to the
    last bit for any number of threads. Blocks are computed in the precision of X, sums are
    accumulated in float64.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, p), float32 or float64
    y : ndarray of shape (n,), int
    s : ndarray of shape (n,), positive
    n_classes : int
    lam : float
    fit_intercept : bool
    threads : RowThreads, entered
    """

    def __init__(self, X, y, s, *, n_classes, lam, fit_intercept, threads):
        self.X, self.y, self.lam, self.fit_intercept = X, y, lam, fit_intercept
        self.n_samples, self.n_features = X.shape
        self.n_classes = n_classes
        self.sum_weights = float(np.sum(s, dtype=np.float64))
        self.s = np.asarray(s / self.sum_weights, dtype=X.dtype)  # sums to one
        self.shape = (n_classes, self.n_features + fit_intercept)
        self.n_stored = X.nnz if sparse.issparse(X) else X.size
        self._threads = threads
        self._parts = self._split_rows()

    def _split_rows(self):
        """Parts, each a list of ``(rows, X[rows])`` that shares the memory of X."""
        n, K = self.n_samples, self.n_classes
        stored = self.n_stored
        n_parts = min(
            _MAX_PARTS,
            1 + stored * K // _PART_WORK,
            1 + stored // (20 * K * self.shape[1]),  # each has a gradient of its own: 5% of X
            n,
        )
        row_bytes = (stored / n + 2 * K) * self.X.dtype.itemsize
        block_rows = max(64, int(_BLOCK_BYTES / row_bytes))
        edges = np.linspace(0, n, n_parts + 1).astype(int)
        return [
            [
                (rows, _rows_view(self.X, rows))
                for rows in _slices(first, last, -(-(last - first) // block_rows))
            ]
            for first, last in pairwise(edges)
        ]

    def unpack(self, theta):
        """Views ``W`` (K, p) and ``b`` (K,) of theta; b is None without an intercept."""
        theta = theta.reshape(self.shape)
        return theta[:, : self.n_features], theta[:, -1] if self.fit_intercept else None

    def log_priors(self):
        """Logarithms of the weighted class frequencies, (K,)."""
        return np.log(np.bincount(self.y, weights=self.s, minlength=self.n_classes))

    def value_and_gradient(self, theta):
        """``f(theta)`` and its flat gradient, both float64."""
        W, b = self._block_parameters(theta)

        def part_sums(blocks):
            loss, G = 0.0, np.zeros(self.shape)
            for rows, X in blocks:
                loss += self._add_block(X, self.y[rows], self.s[rows], W, b, G)
            return loss, G

        sums = self._threads.map(part_sums, self._parts)
        loss, G = sums[0]
        for part_loss, part_G in sums[1:]:
            loss += part_loss
            G += part_G
        return self._penalised(theta, loss, G)

    def batch_value_and_gradient(self, theta, rows):
        """`value_and_gradient` estimated without bias from an array of `rows`.

        The sum over the batch is divided by the number of its rows times the mean weight,
        not by the weight that happens to be in it.
        """
        W, b = self._block_parameters(theta)
        G = np.zeros(self.shape)
        s = self.s[rows] * self.s.dtype.type(self.n_samples / len(rows))
        loss = self._add_block(self.X[rows], self.y[rows], s, W, b, G)
        return self._penalised(theta, loss, G)

    def curvature(self, theta):
        """Per class, the weight, mean and variance of the columns that shape the Hessian.

        With c_ik = s_i p_ik (1 - p_ik) / S at `theta`, returns sum_i c_ik of shape (K,), the
        c-weighted mean of the columns and their second moment about it, both (K, p). They
        are the diagonal of the Hessian of the mean loss once each class's columns have been
        centred. Without an intercept nothing is centred and the mean is zero.
        """
        W, b = self._block_parameters(theta)

        def part_sums(blocks):
            c, first, second = np.zeros(self.n_classes), np.zeros(W.shape), np.zeros(W.shape)
            for rows, X in blocks:
                P = softmax(self._logits(X, W, b))
                C = self.s[rows] * P * (1 - P)
                c += C.sum(axis=1)
                first += _times_rows(C, X)
                second += _times_rows(C, X.multiply(X) if sparse.issparse(X) else X * X)
            return c, first, second

        c, first, second = map(sum, zip(*self._threads.map(part_sums, self._parts), strict=True))
        if not self.fit_intercept:
            return c, np.zeros_like(first), second
        mean = first / np.maximum(c, np.finfo(float).tiny)[:, np.newaxis]
        return c, mean, np.maximum(second - first * mean, 0)

    def _block_parameters(self, theta):
        """W and b in the precision of X, b as a column."""
        W, b = self.unpack(theta)
        W = np.ascontiguousarray(W, dtype=self.X.dtype)
        return W, None if b is None else b.astype(self.X.dtype)[:, np.newaxis]

    @staticmethod
    def _logits(X, W, b):
        """Logits of one block, (K, m)."""
        Z = (X @ W.T).T if sparse.issparse(X) else W @ X.T
        if b is not None:
            Z += b
        return Z

    def _add_block(self, X, y, s, W, b, G):
        """Add one block's gradient to `G`; return its loss."""
        Z = self._logits(X, W, b)
        loss = cross_entropy(Z, y, s)
        G[:, : self.n_features] += _times_rows(Z, X)
        if self.fit_intercept:
            G[:, -1] += Z.sum(axis=1, dtype=np.float64)
        return loss

    def _penalised(self, theta, loss, G):
        """Add the penalty to the loss and to its gradient."""
        W, _ = self.unpack(theta)
        G[:, : self.n_features] += self.lam * W
        return loss + 0.5 * self.lam * float(np.vdot(W, W)), G.ravel()


def _times_rows(R, X):
    """``R @ X`` for R (K, m) and the rows X (m, p) of a block."""
    return (X.T @ R.T).T if sparse.issparse(X) else R @ X


def _slices(first, last, n_slices):
    """`n_slices` slices of nearly equal length that cover ``first .. last``."""
    edges = np.linspace(first, last, n_slices + 1).astype(int)
    return [slice(*edge) for edge in pairwise(edges)]


def _rows_view(X, rows):
    """``X[rows]`` for a slice, without copying the values of a CSR matrix either."""
    if not sparse.issparse(X):
        return X[rows]
    indptr = X.indptr[rows.start : rows.stop + 1]
    stored = slice(indptr[0], indptr[-1])
    block = sparse.csr_array((rows.stop - rows.start, X.shape[1]), dtype=X.dtype)
    # Handed to the constructor, these views would be copied.
    block.data, block.indices, block.indptr = X.data[stored], X.indices[stored], indptr - indptr[0]
    return block
