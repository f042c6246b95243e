"""Cutting rows into slices and blocks."""

from itertools import pairwise

import numpy as np
from scipy import sparse

# Features for each class from which their products with X outweigh copies of the logits.
_MANY_FEATURES = 32


def slices(whole, *, number=None, size=None):
    """Cut a slice into `number` slices, or slices of about `size`, of nearly equal length."""
    length = whole.stop - whole.start
    number = number or max(1, -(-length // size))
    edges = [whole.start + length * i // number for i in range(number + 1)]
    return [slice(*edge) for edge in pairwise(edges)]


def rows_view(X, rows):
    """``X[rows]`` for a slice, without copying the values of a CSR matrix either."""
    if not sparse.issparse(X):
        return X[rows]
    indptr = X.indptr[rows.start : rows.stop + 1]
    stored = slice(indptr[0], indptr[-1])
    block = sparse.csr_array((rows.stop - rows.start, X.shape[1]), dtype=X.dtype)
    # Handed to the constructor, these views would be copied.
    block.data, block.indices, block.indptr = X.data[stored], X.indices[stored], indptr - indptr[0]
    return block


def times_rows(R, X):
    """``R @ X`` for R (K, m) and the rows X (m, p) of a block."""
    if times_columns(len(R), X, R.dtype):
        return (X.T @ np.ascontiguousarray(R.T)).T
    return R @ X


def times_columns(K, X, dtype):
    """Whether X is multiplied by K columns rather than K rows by X' or X.

    Sparse rows want contiguous columns. So does BLAS in float64, where the few classes lie along
    the shorter side of the tiles that it computes, and in float32 it does not; beside many
    features the copies that this takes are nothing.
    """
    return sparse.issparse(X) or (dtype == np.float64 and X.shape[1] >= _MANY_FEATURES * K)


def padded_number(K):
    """K rows and rows of zeros, to a multiple of four.

    BLAS computes the rows of a flat product four at a time, and takes as long for a rest.
    """
    return -(-K // 4) * 4


def is_mapped(X):
    """Whether an array, or what it is a view of, is a memory map."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False
