"""Some rows that lie side by side, and how they are multiplied."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sk_softmax._rows._products import add_weighted_grams
from sk_softmax._rows._storage import dense
from sk_softmax._rows._targets import Targets


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """m rows with their targets and weights.

    Attributes
    ----------
    rows : slice
        Where they are among all.
    X : ndarray or CSR of shape (m, p)
        As given: of any real type.
    targets : Targets
    weights : ndarray of shape (m,)
        In the dtype to compute in.
    kept_columns : ndarray of shape (p + 1, m), default=None
        What `columns` returns, where it is kept.
    """

    rows: slice
    X: np.ndarray | sparse.csr_array
    targets: Targets
    weights: np.ndarray
    kept_columns: np.ndarray | None = None

    @property
    def dtype(self):
        """What is computed in."""
        return self.weights.dtype

    @property
    def values(self):
        """X in `dtype`."""
        return self.X.astype(self.dtype, copy=False)

    def centered(self, center):
        """A copy of X in `dtype`, less `center`; sparse rows stay as they are."""
        if sparse.issparse(self.X):
            return self.values
        return self.X.astype(self.dtype) - center

    def weighted_sum(self):
        """The sum of the weighted rows, (p,), float64."""
        return (self.weights @ self.values).astype(np.float64)

    def sums_about(self, center, pairs):
        """Sums of the weighted rows less a center, (p,), and of their squares or pairs, float64."""
        X, s = self.dense(dtype=np.float64) - center, self.weights
        if not pairs:
            return s @ X, s @ np.square(X, out=X)
        p = len(center)
        second = np.zeros((1, p, p))
        add_weighted_grams(second, s[np.newaxis], X.T)
        return s @ X, second[0]

    def squares_times(self, weights, center):
        """The product of ``(X - center)^2``, centred as by `centered`, with some weights, (m,)."""
        return squares(self.centered(center)) @ weights

    def columns(self, center, scale, dtype=np.float64):
        """Columns less `center` times `scale`, and a row of ones below, (p + 1, m), dense."""
        if self.kept_columns is not None:
            return self.kept_columns
        m, p = self.X.shape
        columns = np.ones((p + 1, m), dtype=dtype)
        columns[:p] = dense(self.X).T
        columns[:p] -= center[:, np.newaxis]
        columns[:p] *= scale[:, np.newaxis]
        return columns

    def grams(self, parts, center, scale):
        """``sum_i c_i x_i x_i'`` of some of what `columns` returns, for pairs of these and c (m,).

        Sums over sparse rows are about zero, and then about the center.
        """
        if not sparse.issparse(self.X):
            X = self.columns(center, scale)
            roots = (X[columns] * np.sqrt(c) for columns, c in parts)
            return tuple(root @ root.T for root in roots)
        X, center, scale = self.values.tocsc(), np.append(center, 0), np.append(scale, 1)
        ones = sparse.csc_array(np.ones((X.shape[0], 1)))
        X = sparse.hstack([X, ones], format="csc")
        grams = []
        for columns, c in parts:
            some, m, s = X[:, columns], center[columns], scale[columns]
            weighted = some.multiply(c[:, np.newaxis]).tocsc()
            first = weighted.sum(axis=0)
            gram = (some.T @ weighted).toarray()
            gram -= np.outer(first, m) + np.outer(m, first) - c.sum() * np.outer(m, m)
            gram *= s
            gram *= s[:, np.newaxis]
            grams.append(gram)
        return tuple(grams)

    def dense(self, rows=slice(None), dtype=None):
        """Values of some rows, an array in `dtype` or another one."""
        return dense(self.X[rows]).astype(dtype or self.dtype, copy=False)

    def extent(self, columns):
        """The least and the largest value of some columns, in `dtype`."""
        values = self.X[:, columns].astype(self.dtype)
        return tuple(dense(extreme(axis=0)).ravel() for extreme in (values.min, values.max))


def squares(X):
    """The squared values of `Block.centered`; overwrites a dense one."""
    return X.power(2) if sparse.issparse(X) else np.square(X, out=X)
