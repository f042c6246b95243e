"""Inverse factors of symmetric positive matrices."""

import numpy as np
from scipy.linalg import get_lapack_funcs

from sk_softmax._objective import NOT_FINITE


def inverse_sqrt(diagonal):
    """``diagonal^-1/2``, and 0 where it is 0: what nothing depends on is left alone."""
    if not np.isfinite(diagonal.sum()):  # its inverse would be zero, and so would every step
        raise FloatingPointError(NOT_FINITE)
    positive = diagonal > 0
    return np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=positive)


def inverse_cholesky(A, ridge):
    """``L^-1`` with ``L L' = A + ridge I``; overwrites A.

    Columns are scaled to a unit diagonal first. What rounding leaves indefinite gets as much
    more on that diagonal as it takes.
    """
    diag = np.einsum("ii->i", A)  # a view
    diag += np.asarray(ridge, dtype=A.dtype)
    scale = inverse_sqrt(diag)
    A *= scale
    A *= scale[:, np.newaxis]
    potrf, trtri = get_lapack_funcs(("potrf", "trtri"), (A,))
    jitter = 10 * np.finfo(A.dtype).eps
    failed = True
    while failed:
        diag[:] = 1 + jitter
        L, failed = potrf(A.T, lower=True, clean=True)  # A is symmetric; A.T needs no copy
        jitter *= 10
    inverse, _ = trtri(L, lower=True, overwrite_c=True)
    inverse *= scale
    return inverse
