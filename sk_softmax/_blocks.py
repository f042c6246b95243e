"""Cutting rows into slices and blocks."""

from itertools import pairwise

import numpy as np
from scipy import sparse


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
    return (X.T @ R.T).T if sparse.issparse(X) else R @ X


def is_mapped(X):
    """Whether an array, or what it is a view of, is a memory map."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False
