"""Means and variances of the columns, with care for rounding.

Squares are summed about a center, so that they do not cancel. The center is the mean, or zero for
sparse rows, which are not centred. Each row adds a rounding error to a mean, so that a constant
column would have a variance: where the first row is as near to the mean, it is the center.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np


@dataclass(frozen=True)
class ColumnStatistics:
    """Of columns under the weights of the rows, in float64 but for `center` and `mean`.

    Attributes
    ----------
    center : ndarray of shape (p,)
        What sums of squares are about.
    mean : ndarray of shape (p,)
        Exact where columns are constant; zero without an intercept.
    squares : ndarray of shape (p,)
        Mean squares about `center`.
    variance : ndarray of shape (p,)
        About `mean`.
    constant : ndarray of shape (p,), bool
        Columns of uncentred rows, with an intercept, that are known to be constant.
    """

    center: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    variance: np.ndarray
    constant: np.ndarray

    @classmethod
    def of(cls, rows, fit_intercept):
        """Those of some rows."""
        center = _center(rows, fit_intercept)
        _, first, second = rows.moments(row_weights, None, center, 1)
        first, second = first[0], second[0]
        constant = np.zeros(len(first), dtype=bool)
        mean = np.zeros_like(center)
        if fit_intercept:
            mean = first + center
            if not rows.are_centred:
                constant = _constant(rows, first, second)
                mean[constant] = rows.first_row()[constant]
            mean = mean.astype(rows.dtype)
        squared_mean = first**2 if fit_intercept else 0
        variance = _variance(1, second, squared_mean, center, constant, rows.dtype)
        return cls(center, mean, second, variance, constant)

    def variance_of(self, weight, squares, squared_mean):
        """The difference of sums about `center`; zero where it is but a rounding error."""
        dtype = self.center.dtype
        return _variance(weight, squares, squared_mean, self.center, self.constant, dtype)


def row_weights(block, Z):
    """The weights of the rows themselves, as a kernel for `Rows.moments`."""
    return block.weights[np.newaxis], ()


def varies(block, columns, center, is_centred):
    """In how many rows columns differ from their center by more than rounding, (1,)."""
    values = block.X[:, columns].astype(np.float64)  # small ones may vanish in the dtype of rows
    distance = abs(values - center) if is_centred else abs(values)
    return ((distance > 8 * np.finfo(block.dtype).eps * abs(center)).sum(axis=0),)


def _center(rows, fit_intercept):
    """See above."""
    if not (rows.are_centred and fit_intercept):
        return np.zeros(rows.n_features, dtype=rows.dtype)
    (mean,) = rows.reduce(_weighted_sum)
    mean = mean.astype(rows.dtype)
    first = rows.first_row().astype(rows.dtype)
    is_near = abs(first - mean) <= _rounding(rows) * abs(first)
    return np.where(is_near, first, mean)


def _rounding(rows):
    """What a mean over the rows may be off by, relative to that of absolute values."""
    return rows.n_samples * np.finfo(rows.dtype).eps


def _weighted_sum(block):
    return (block.weighted_sum(),)


def _constant(rows, first, squares):
    """Mask (p,) of the constant columns of uncentred rows."""
    columns = np.flatnonzero(abs(squares - first**2) <= _rounding(rows) * squares)
    least, largest = rows.reduce(partial(_extent, columns=columns), combine=_joined_extents)
    constant = np.zeros(len(squares), dtype=bool)
    constant[columns] = largest == least
    return constant


def _extent(block, columns):
    return block.extent(columns)


def _joined_extents(one, other):
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _variance(weight, squares, squared_mean, center, constant, dtype):
    variance = squares - squared_mean
    eps = 8 * np.finfo(dtype).eps
    # A constant column differs from its mean by the mean's rounding error.
    rounding = weight * (eps * center.astype(np.float64)) ** 2
    variance[(variance <= eps * squares) | (squares <= rounding) | constant] = 0
    return variance
