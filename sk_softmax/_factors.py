"""Inverse factors of symmetric positive matrices, and what they make of coefficients (K, p)."""

import math

import numpy as np
from scipy.linalg import get_lapack_funcs

from sk_softmax._objective import NOT_FINITE, OutOfRangeError
from sk_softmax._rows import slices

# Numbers in a factor from which its product with a vector is shared out to threads.
_THREADED_SIZE = 2**20
# Eigenvalues, with a unit diagonal, that are rounding errors of zero.
_ROUNDING = 1e-12


def inverse_sqrt(diagonal):
    """``diagonal^-1/2``, and 0 where it is 0: what nothing depends on is left alone."""
    if not math.isfinite(diagonal.sum()):  # its inverse would be zero, and so would every step
        raise OutOfRangeError(NOT_FINITE)
    if diagonal.size and diagonal.min() > 0:
        return 1 / np.sqrt(diagonal)
    positive = diagonal > 0
    return np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=positive)


def inverse_cholesky(A, ridge):
    """``L^-1`` with ``L L' = A + ridge I``; overwrites A."""
    A.flat[:: len(A) + 1] += np.asarray(ridge, dtype=A.dtype)
    L, scale = _scaled_cholesky(A)
    (trtri,) = get_lapack_funcs(("trtri",), (A,))
    inverse, _ = trtri(L, lower=True, overwrite_c=True)
    inverse *= scale
    return inverse


def solver_of(A):
    """Function from a vector v to ``A^-1 v``; overwrites A."""
    L, scale = _scaled_cholesky(A)
    (potrs,) = get_lapack_funcs(("potrs",), (A,))
    return lambda v: scale * potrs(L, scale * v, lower=True)[0]


def _scaled_cholesky(A):
    """L and the scale of rows and columns that gives A, which it overwrites, a unit diagonal.

    What rounding leaves indefinite gets as much more on that diagonal as it takes.
    """
    scale = inverse_sqrt(np.maximum(A.diagonal(), 0))
    A *= scale
    A *= scale[:, np.newaxis]
    (potrf,) = get_lapack_funcs(("potrf",), (A,))
    jitter, failed = 10 * np.finfo(A.dtype).eps, True
    while failed:
        A.flat[:: len(A) + 1] = 1 + jitter
        L, failed = potrf(A.T, lower=True, clean=True)  # A is symmetric; A.T needs no copy
        jitter *= 10
    return L, scale


def with_unit_diagonal(A):
    """A positive matrix scaled to a unit diagonal, and the roots of its diagonal, 1 for 0."""
    size = np.sqrt(np.diag(A))
    size[size == 0] = 1.0
    return A / size / size[:, np.newaxis], size


def null_space(A):
    """What a positive matrix maps to zero, up to rounding.

    Orthonormal vectors in units in which its diagonal is one, and these units.
    """
    scaled, size = with_unit_diagonal(A)
    values, vectors = np.linalg.eigh(scaled)
    return vectors[:, values < _ROUNDING * len(A)], size


class DiagonalFactor:
    """A scale (K, p)."""

    def __init__(self, scale):
        self._scale = scale

    def apply(self, W):
        """The factor times W."""
        return W * self._scale

    apply_transpose = apply


class SharedFactor:
    """``L^-1``, (p, p), for all classes, which are scaled, (K, 1)."""

    def __init__(self, scale, inverse, threads):
        self._scale, self._inverse, self._threads = scale, inverse, threads
        self._parts = slices(slice(0, len(inverse)), number=1 + inverse.size // _THREADED_SIZE)

    def apply(self, W):
        """The factor times W."""
        return self._multiply(W, self._inverse)

    def apply_transpose(self, W):
        """Its transpose times W."""
        return self._multiply(W, self._inverse.T)

    def _multiply(self, W, matrix):
        W = (self._scale * W).astype(matrix.dtype)
        if len(self._parts) == 1:
            return W @ matrix
        products = self._threads.map(lambda part: W @ matrix[:, part], self._parts)
        return np.concatenate(products, axis=1)


class BlockFactors:
    """One ``L^-1`` for each class, (K, p, p)."""

    def __init__(self, inverses, threads):
        self._inverses, self._threads = inverses, threads
        K = len(inverses)
        self._parts = slices(slice(0, K), number=min(K, 1 + inverses.size // _THREADED_SIZE))

    def apply(self, W):
        """The factor times W."""
        return self._multiply(W, self._inverses.transpose(0, 2, 1))

    def apply_transpose(self, W):
        """Its transpose times W."""
        return self._multiply(W, self._inverses)

    def _multiply(self, W, matrices):
        W = W.astype(matrices.dtype)[:, :, np.newaxis]
        if len(self._parts) == 1:
            return (matrices @ W)[:, :, 0]
        products = self._threads.map(lambda part: matrices[part] @ W[part], self._parts)
        return np.concatenate(products)[:, :, 0]
