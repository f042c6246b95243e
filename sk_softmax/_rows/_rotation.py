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

from sk_softmax._rows._base import FIT_EVALUATIONS


class Rotation:
    """Rows in the columns R', and the way between coefficients for these and for the given ones.

    Parameters
    ----------
    rows : DenseRows
        Of more columns than rows. The factor takes as much memory as X in float64: in float32 the
        columns in small units would be lost.

    Attributes
    ----------
    rows : DenseRows
        In the columns R'.
    """

    def __init__(self, rows):
        X = rows.X
        self._n_features = rows.n_features
        # Transposed, C order is the Fortran order that LAPACK overwrites in place.
        columns = np.array(X, dtype=np.float64, order="C").T
        geqrf, self._ormqr = get_lapack_funcs(("geqrf", "ormqr"), (columns,))
        work, _ = get_lapack_funcs(("geqrf_lwork",), (columns,))[0](*columns.shape)
        self._factor, self._tau, *_ = geqrf(columns, lwork=int(work.real), overwrite_a=True)
        R = np.triu(self._factor[: len(X)])
        size = np.abs(R).max(axis=1)
        rounding = max(X.shape) * np.finfo(R.dtype).eps
        R[size <= rounding * size.max()] = 0  # or they would pass for columns in small units
        self.rows = rows.with_columns(np.ascontiguousarray(R.T))

    def forward(self, W):
        """V = W Q (K, n); what of W is orthogonal to the rows is dropped."""
        return self._multiply("T", W.T)[: self.rows.n_samples].T

    def backward(self, V):
        """W = V Q' (K, p)."""
        padded = np.zeros((self._n_features, len(V)))
        padded[: V.shape[1]] = V.T
        return self._multiply("N", padded).T

    def _multiply(self, trans, columns):
        """Q (p, p), or its transpose, times columns (p, K)."""
        columns = np.asfortranarray(columns, dtype=np.float64)
        arguments = ("L", trans, self._factor, self._tau, columns)
        _, work, _ = self._ormqr(*arguments, lwork=-1)
        return self._ormqr(*arguments, lwork=int(work[0]))[0]


def rotation_pays(rows):
    """Whether rows are wide, and few enough that decomposing them soon pays."""
    n, p = rows.n_samples, rows.n_features
    if p <= n or 8 * n * p > rows.spare_bytes:
        return False
    # p n^2 multiplications to decompose; an evaluation becomes cheaper by the fraction 1 - n / p.
    return p * n**2 <= FIT_EVALUATIONS * (1 - n / p) * rows.work
