"""What kernels need of arrays of any library, and which kernels can compute with all of these."""

from functools import partial

import numpy as np

from sk_softmax._device_array import Place


def namespace_of(array):
    """The functions for an array: NumPy, or the namespace of its library."""
    return np if isinstance(array, np.ndarray) else Place(array).xp


def in_double(array):
    """An array in float64, or float32 where the device has nothing better."""
    if isinstance(array, np.ndarray):
        return array.astype(np.float64, copy=False)
    place = Place(array)
    return place.xp.astype(array, place.dtype(np.float64), copy=False)


def anywhere(kernel):
    """Mark a kernel that computes where its logits are, of a block with all else there."""
    kernel.is_anywhere = True
    return kernel


def is_anywhere(kernel):
    """Whether a kernel is so marked, and all kernels that it is given."""
    if isinstance(kernel, partial):
        return all(map(is_anywhere, [kernel.func, *filter(callable, kernel.keywords.values())]))
    return hasattr(kernel, "is_anywhere")


def row_sums(A):
    """The sum of each row, in float64 or what is nearest to it."""
    if isinstance(A, np.ndarray):
        return A.sum(axis=1, dtype=np.float64)
    place = Place(A)
    return place.xp.sum(A, axis=1, dtype=place.dtype(np.float64))


# Methods of NumPy's arrays take a microsecond less than its functions, and blocks may be small.


def column_max(A):
    """The largest value of each column."""
    return A.max(axis=0) if isinstance(A, np.ndarray) else namespace_of(A).max(A, axis=0)


def column_min(A):
    """The least value of each column."""
    return A.min(axis=0) if isinstance(A, np.ndarray) else namespace_of(A).min(A, axis=0)


def column_sums(A):
    """The sum of each column."""
    return A.sum(axis=0) if isinstance(A, np.ndarray) else namespace_of(A).sum(A, axis=0)


def taken(A, rows):
    """Some rows of A, by an ndarray of indices."""
    if isinstance(A, np.ndarray):
        return A[rows]
    return namespace_of(A).take(A, like(A, rows), axis=0)


def dots(A, B):
    """The product of each column of A with that of B."""
    if isinstance(A, np.ndarray):
        return np.einsum("km,km->m", A, B)
    return namespace_of(A).sum(A * B, axis=0)


def multiply_into(out, A, B):
    """Write ``A * B`` to `out`."""
    if isinstance(out, np.ndarray):
        np.multiply(A, B, out=out)
    else:
        out[...] = A * B


def like(A, values):
    """An ndarray as an array of the library of A, where A is; all else as it is."""
    return values if isinstance(A, np.ndarray) else Place(A).array(values)
