"""Operations that arrays and CSR matrices both need, each in its own way."""

import numpy as np
from scipy import sparse


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


def dense(X):
    """The values of an array or a sparse matrix, an array."""
    return X.toarray() if sparse.issparse(X) else X


def canonical(X):
    """X without duplicates among stored values."""
    if not sparse.issparse(X):
        return X
    X = rows_view(X, slice(0, X.shape[0]))  # which finds out anew whether it has duplicates
    if not X.has_canonical_format:
        X = X.copy()  # the caller's matrix stays as it is
        X.sum_duplicates()
    return X


def joined(arrays):
    """Arrays or sparse matrices one below the other; a single one as it is."""
    if len(arrays) == 1:
        return arrays[0]
    if any(map(sparse.issparse, arrays)):
        return sparse.vstack(arrays, format="csr")
    return np.concatenate(arrays)


def n_bytes(*arrays):
    """Bytes of arrays and CSR matrices."""
    return sum(
        sum(part.nbytes for part in (array.data, array.indices, array.indptr))
        if sparse.issparse(array)
        else array.nbytes
        for array in arrays
    )


def root_mean_squares(X):
    """Root mean square of each column, and 1 for a column of zeros."""
    largest = abs(X).max(axis=0)
    largest = dense(largest).ravel()
    largest = np.where(largest > 0, largest, 1.0)  # in these units squares do not overflow
    unit = X.multiply(1 / largest).tocsr() if sparse.issparse(X) else X / largest
    squares = unit.power(2) if sparse.issparse(X) else np.square(unit)
    scale = largest * np.sqrt(np.asarray(squares.mean(axis=0)).ravel())
    return np.where(scale > 0, scale, 1.0)
