"""More columns than rows: the same problem in as many columns as there are rows.

With X' = Q R (Q of shape (p, n) with orthonormal columns, R (n, n)) the logits W x_i depend on
W Q alone, and of all W with the same W Q the shortest is W Q Q'. So the minimum over W is the
minimum over V = W Q (K, n) of the same objective, with the columns R' in place of X:
``W = V Q'`` (Hastie, Tibshirani, "Efficient quadratic regularization for expression arrays",
Biostatistics 5(3), 2004). Evaluations become p / n times cheaper, and matrices of (n, n) are
affordable where those of (p, p) are not.
"""

import numpy as np
from scipy.linalg import get_lapack_funcs

# Evaluations of the original objective that the decomposition may be worth: a good part of what
# a fit with the diagonal alone would take.
_EVALUATIONS = 50


class Rotation:
    """The objective in the columns R', and the way between theta and its counterpart.

    Parameters
    ----------
    objective : Objective
        With dense X of more columns than rows. The factor takes as much memory as X in
        float64: in float32 the columns in small units would be lost.
    """

    def __init__(self, objective):
        X = objective.X
        self._original = objective
        # Transposed, C order is the Fortran order that LAPACK overwrites in place.
        columns = np.array(X, dtype=np.float64, order="C").T
        geqrf, self._ormqr = get_lapack_funcs(("geqrf", "ormqr"), (columns,))
        work, _ = get_lapack_funcs(("geqrf_lwork",), (columns,))[0](*columns.shape)
        self._factor, self._tau, *_ = geqrf(columns, lwork=int(work.real), overwrite_a=True)
        R = np.triu(self._factor[: len(X)])
        size = np.abs(R).max(axis=1)
        rounding = max(X.shape) * np.finfo(R.dtype).eps
        R[size <= rounding * size.max()] = 0  # or they would pass for columns in small units
        self.objective = objective.with_columns(np.ascontiguousarray(R.T))

    def forward(self, theta):
        """V = W Q and the intercepts; what of W is orthogonal to the rows is dropped."""
        W, b = self._original.unpack(theta)
        V = self._multiply("T", W.T)[: self._original.n_samples].T
        return _pack(V, b)

    def backward(self, theta):
        """W = V Q' and the intercepts."""
        V, b = self.objective.unpack(theta)
        padded = np.zeros((self._original.n_features, len(V)))
        padded[: V.shape[1]] = V.T
        return _pack(self._multiply("N", padded).T, b)

    def _multiply(self, trans, columns):
        """Q (p, p), or its transpose, times columns (p, K)."""
        columns = np.asfortranarray(columns, dtype=np.float64)
        arguments = ("L", trans, self._factor, self._tau, columns)
        _, work, _ = self._ormqr(*arguments, lwork=-1)
        return self._ormqr(*arguments, lwork=int(work[0]))[0]


def rotation_pays(objective, bytes_allowed):
    """Whether X is dense, wide, and small enough that decomposing it soon pays."""
    n, p = objective.n_samples, objective.n_features
    if objective.is_sparse or p <= n or 8 * n * p > bytes_allowed:
        return False
    # p n^2 multiplications to decompose; an evaluation becomes cheaper by the fraction 1 - n / p.
    return p * n**2 <= _EVALUATIONS * (1 - n / p) * objective.work


def _pack(W, b):
    """theta, flat."""
    return (W if b is None else np.column_stack([W, b])).ravel()
