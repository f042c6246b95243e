"""Slices of rows, and products with blocks."""

from itertools import pairwise

import numpy as np

from sk_softmax._device_array import DeviceArray

# Features for each class from which their products with X outweigh copies of the logits.
_MANY_FEATURES = 32
# Multiplications up to which OpenBLAS takes factors as they lie in memory. To rearrange them first
# takes longer than to multiply them if there are few classes; the tiles of its result are cut from
# columns in multiples of 32.
_SMALL_PRODUCT = 10**6
_TILE = 32
# Columns from which the product of a matrix with its own transpose is quicker than any other.
_WIDE = 32
# Numbers in weighted rows that one product takes at once: they fit the cache.
_CHUNK_SIZE = 2**17


def slices(whole, *, number=None, size=None):
    """Cut a slice into `number` slices, or slices of about `size`, of nearly equal length."""
    length = whole.stop - whole.start
    number = number or max(1, -(-length // size))
    edges = [whole.start + length * i // number for i in range(number + 1)]
    return [slice(*edge) for edge in pairwise(edges)]


def times_transposed(W, X):
    """``W @ X.T`` for W (K, p) and the rows X (m, p) of a block."""
    return _multiply(W, X.T) if isinstance(X, np.ndarray) else (X @ W.T).T


def times_rows(R, X, out=None):
    """``R @ X`` for R (K, m) and the rows X (m, p) of a block; `out` is laid out as it would be."""
    if times_columns(len(R), X, R.dtype):
        R = np.asfortranarray(R)
    if isinstance(X, np.ndarray):
        return _multiply(R, X, out)
    product = (X.T @ R.T).T
    if out is not None:
        out[:] = product
    return product


def _multiply(A, B, out=None):
    """``A @ B``, laid out like A, in products of A with some columns of B that are small."""
    # Of one row or column A is laid out both ways.
    order = "C" if (A if out is None else out).flags.c_contiguous else "F"
    n_columns = B.shape[1]
    size = _SMALL_PRODUCT // A.size // _TILE * _TILE
    if len(A) == 1 or not 0 < size < n_columns:
        # By `dot`: unlike `matmul` it leaves single rows to BLAS too.
        if order == "C":
            return np.dot(A, B, out)
        return np.dot(B.T, A.T, None if out is None else out.T).T
    if out is None:
        out = np.empty((len(A), n_columns), dtype=A.dtype, order=order)
    whole = n_columns - n_columns % size

    def tiles(M):
        return M[:, :whole].reshape(len(M), -1, size).transpose(1, 0, 2)

    np.matmul(A, tiles(B), out=tiles(out))
    if whole < n_columns:
        np.matmul(A, B[:, whole:], out=out[:, whole:])
    return out


def times_columns(K, X, dtype):
    """Whether X is multiplied by K columns rather than K rows by X' or X.

    Sparse rows want contiguous columns. So does BLAS in float64, where the few classes lie along
    the shorter side of the tiles that it computes, and in float32 it does not; beside many
    features the copies that this takes are nothing.
    """
    return not isinstance(X, np.ndarray) or (
        dtype == np.float64 and X.shape[1] >= _MANY_FEATURES * K
    )


def padded_number(K):
    """K rows and rows of zeros, to a multiple of four.

    BLAS computes the rows of a flat product four at a time, and takes as long for a rest; a single
    row it multiplies as a vector.
    """
    return -(-K // 4) * 4 if K > 1 else 1


def is_mapped(X):
    """Whether an array, or what it is a view of, is a memory map."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False


def add_weighted_grams(sums, C, columns):
    """Add ``sum_i c_ri x_i x_i'`` to sums (r, q, q), for weights C (r, m) and columns (q, m).

    Weights are not negative. Columns may be a `DeviceArray`.
    """
    if isinstance(columns, DeviceArray):
        columns.add_weighted_grams(sums, C)
        return
    r, q, _ = sums.shape
    is_wide = q >= _WIDE
    size = _CHUNK_SIZE // q if is_wide else min(_CHUNK_SIZE // (r * q), _SMALL_PRODUCT // q**2)
    for chunk in slices(slice(0, columns.shape[1]), size=max(64, size)):
        X = columns[:, chunk]
        if not is_wide:
            sums += np.matmul(C[:, np.newaxis, chunk] * X, X.T)
            continue
        for total, root in zip(sums, np.sqrt(C[:, chunk]), strict=True):
            weighted = root * X
            total += weighted @ weighted.T
