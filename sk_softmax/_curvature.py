"""Second-order sums over rows: what changes of variables are made from.

The Hessian of the mean loss has the blocks ``sum_i s_i p_ik (delta_kl - p_il) x_i x_i'``.
Diagonals are summed over all rows. Matrices are summed over as many rows as cost no more than
three evaluations of the objective, but at least ten for each of their columns, drawn by weight and
leverage: near enough for a preconditioner. Where all rows are no more than that, they are taken and
the sums are exact.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np

from sk_softmax._anywhere import anywhere
from sk_softmax._device_array import to_numpy
from sk_softmax._hessian import PairSums
from sk_softmax._kernels import class_curvature, disagreement, pooled_curvature
from sk_softmax._objective import NOT_FINITE, TOO_SMALL, OutOfRangeError
from sk_softmax._rows import ColumnStatistics, add_weighted_grams, pairs_work, row_weights, varies
from sk_softmax._standardised import StandardisedColumns

# The eigenvalues of the sampled matrix are then those of the whole one times 0.47 to 1.73, or so.
_ROWS_PER_COLUMN = 10
# Evaluations that sums of pairs of columns may cost: more rows than these afford are drawn from.
PAIR_EVALUATIONS = 3
# Deviations that a column's mean may be off zero in float32.
_FLOAT32_OFFSET = 300
# Numbers in the moments of all classes up to which they are summed by one product a block.
_NARROW_SIZE = 2**16


def are_near_zero(mean, variance, lam=0.0):
    """Whether columns are so near zero, in their deviations, that float32 leaves them digits.

    An intercept makes up for the rest, and what steps add to that is lost in its rounding. With lam
    constant columns count too: their curvature is the penalty's.
    """
    variance = np.where(variance > 0, variance, lam)
    has_curvature = variance > 0
    return bool((mean**2 <= _FLOAT32_OFFSET**2 * variance)[has_curvature].all())


def in_float32(objective):
    """The objective in float32, or None if its columns do not bear that."""
    with suppress(FloatingPointError):
        working = objective.astype(np.float32)
        if Curvature(working).bears_float32:
            return working
    return None


def in_dtype_of_data(objective):
    """The objective in float32 if X is exact in it and columns bear that, else itself."""
    if objective.rows.float_dtype != np.float32:
        return objective
    return in_float32(objective) or objective


@dataclass(frozen=True)
class Moments:
    """Weight of the rows, and mean and variance of the columns under it, for each class.

    With c_ik = s_i p_ik (1 - p_ik), `weight` is sum_i c_ik of shape (K,), `mean` (K, p)
    the c-weighted mean of the columns, and `variance` (K, p) sum_i c_ik (x_ij - mean_kj)^2:
    the diagonal of the Hessian once each class's columns have been centred. Without an
    intercept nothing is centred and the mean is zero.

    `residual` (K,) is 1/2 sum_i s_i (p_ik + q_ik - 2 p_ik q_ik), for one-hot targets half
    the mean absolute residual. Where the probabilities are right it is the weight; where they
    are confident and wrong, the weight vanishes and it does not.
    """

    weight: np.ndarray
    residual: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def _kept_with_rows(make):
    """A property that does not depend on theta, and is kept for other penalties."""

    @property
    def kept(self):
        found = self.objective.kept
        if make.__name__ not in found:
            found[make.__name__] = make(self)
        return found[make.__name__]

    return kept


class Curvature:
    """Second-order sums of an objective, at any theta, in the dtype of its rows.

    Sums that do not depend on theta are kept with the objective.
    """

    def __init__(self, objective):
        self.objective, self.rows = objective, objective.rows

    @_kept_with_rows
    def statistics(self):
        """`ColumnStatistics` of the rows, whose squares neither overflow nor vanish."""
        statistics = ColumnStatistics.of(self.rows, self.objective.fit_intercept)
        if not np.isfinite(statistics.squares.sum()):
            raise OutOfRangeError(NOT_FINITE)
        self._refuse_underflow(statistics)
        return statistics

    def _refuse_underflow(self, statistics):
        """A column whose squares vanish would pass for a constant one, and be left out.

        Where the penalty curves the objective more than it could, that is no loss.
        """
        info = np.finfo(self.rows.dtype)
        negligible = info.tiny / info.eps
        if (statistics.squares >= negligible).all():
            return
        is_free = np.broadcast_to(self.objective.penalty.l2 < negligible, statistics.squares.shape)
        columns = np.flatnonzero((statistics.squares < negligible) & is_free)
        if len(columns) == 0:
            return
        center = statistics.center[columns].astype(np.float64)
        kernel = partial(varies, columns=columns, center=center, is_centred=self.rows.are_centred)
        if self.rows.reduce(kernel)[0].any():
            raise OutOfRangeError(TOO_SMALL)

    @property
    def mean(self):
        """Weighted mean (p,) of the columns, exact if they are constant; zero without intercept."""
        return self.statistics.mean

    @property
    def variance(self):
        """Weighted variances (p,) of the columns, about `mean`."""
        return self.statistics.variance

    @property
    def bears_float32(self):
        """Whether float32 leaves digits to the columns."""
        is_known = (self.variance > 0) | self.statistics.constant | (self.mean == 0)
        if not (self.rows.are_centred or is_known.all()):
            return False  # a variance is lost in the rounding of uncentred squares
        return are_near_zero(self.mean.astype(np.float64), self.variance)

    @_kept_with_rows
    def covariance(self):
        """The weighted covariance (p, p) of the columns: at zero theta, every class's."""
        means, variances = self.mean[np.newaxis], self.variance[np.newaxis]
        return self._covariances(row_weights, None, means, variances)[0]

    def known_scatter(self):
        """``sum_i s_i (x_i - mean)(x_i - mean)'``, (p, p), if a Hessian was made of it, or None.

        It has zeros where a column is constant.
        """
        sums = self.objective.kept.get("pair_sums")
        if sums is None or not (sums.knows_gram and self.objective.fit_intercept):
            return None
        scale = self.standardised_columns.scale
        scatter = sums.gram[: len(scale), : len(scale)] / np.outer(scale, scale)
        is_constant = self.variance == 0
        scatter[is_constant] = scatter[:, is_constant] = 0
        np.fill_diagonal(scatter, self.variance)
        return scatter

    @_kept_with_rows
    def standardised_columns(self):
        """Parameters in columns of mean zero and variance one."""
        return StandardisedColumns(self.mean, self.variance, self.objective.fit_intercept)

    @_kept_with_rows
    def pair_sums(self):
        """What the whole Hessian is made from."""
        return PairSums(self)

    def moments(self, theta):
        """`Moments` at theta, in one pass over the rows."""
        return self._moments(class_curvature, theta, self.rows.n_classes)

    def of_classes(self, theta):
        """`Moments` at theta, and the curvature (K, p, p) of the classes about their means.

        That is the covariance of the columns under the weights c_ik of `Moments`.
        """
        K = self.rows.n_classes
        if self._are_narrow(K):
            return self._narrow(class_curvature, theta)
        moments = self.moments(theta)
        model = self.objective.unpack(theta)
        return moments, self._covariances(class_curvature, model, moments.mean, moments.variance)

    def pooled(self, theta):
        """Sums for all classes together, weighted by ``c_i = sum_k c_ik``.

        Returns `Moments` with the weight of each class, (K,), and the (1, p) means and variances
        of the columns under c; and the curvature (p, p) about the means.
        """
        model = self.objective.unpack(theta)
        common = self.objective.common_probabilities(*model)
        if common is not None:
            P = common[:, 0]
            weight, residual = P * (1 - P), disagreement(P, self.rows.class_weight)
            total = weight.sum()
            variance = total * self.variance[np.newaxis]
            moments = Moments(weight, residual, self.mean[np.newaxis], variance)
            return moments, total.astype(self.rows.dtype) * self.covariance
        if self._are_narrow(1):
            moments, (covariance,) = self._narrow(pooled_curvature, theta)
            return moments, covariance
        moments = self._moments(pooled_curvature, theta, 1)
        means, variances = moments.mean, moments.variance
        return moments, self._covariances(pooled_curvature, model, means, variances)[0]

    def _moments(self, kernel, theta, n_weights):
        """`Moments` under some weights."""
        model, center = self.objective.unpack(theta), self.statistics.center
        (weight, residual), first, second = self.rows.moments(kernel, model, center, n_weights)
        total = weight if n_weights > 1 else weight.sum(keepdims=True)
        return self._moments_of(weight, residual, total, first, second)

    def _moments_of(self, weight, residual, total, first, second):
        """`Moments` from sums over centred rows, of c_ik, c_ik x_i and c_ik x_i^2."""
        if not np.isfinite(second.sum()):
            raise OutOfRangeError(NOT_FINITE)
        if not self.objective.fit_intercept:
            return Moments(weight, residual, np.zeros_like(first), second.copy())
        total = total[:, np.newaxis]
        mean = first / np.maximum(total, np.finfo(float).tiny)
        variance = self.statistics.variance_of(total, second, first * mean)
        return Moments(weight, residual, mean + self.statistics.center, variance)

    def _are_narrow(self, n_matrices):
        """Whether columns are few enough for `_narrow`."""
        return (
            rows_per_matrix(self.objective, n_matrices) == self.rows.n_samples
            and n_matrices * (self.rows.n_features + 1) ** 2 <= _NARROW_SIZE
        )

    def _narrow(self, kernel, theta):
        """`Moments` and curvature of few columns, all of them by one product a block."""
        p, center = self.rows.n_features, self.statistics.center
        accumulate = partial(_grams_and_numbers, weights=kernel, center=center)
        sums, weight, residual = self.rows.accumulate(accumulate, self.objective.unpack(theta))
        second, first, total = sums[:, :p, :p], sums[:, p, :p], sums[:, p, p]
        diagonals = np.einsum("kjj->kj", second)
        moments = self._moments_of(weight, residual, total, first, diagonals)
        if self.objective.fit_intercept:
            mean = moments.mean - center
            second -= (total[:, np.newaxis] * mean)[:, :, np.newaxis] * mean[:, np.newaxis]
        covariances = second.astype(self.rows.dtype)
        if not moments.variance.all():
            _calibrate(covariances, moments.variance)
        return moments, covariances

    def _covariances(self, kernel, model, means, variances):
        """``sum_i c_i (x_i - mean)(x_i - mean)'`` from all rows, or calibrated from drawn ones."""
        n_rows = rows_per_matrix(self.objective, len(means))
        arguments = means.astype(self.rows.dtype), n_rows, self.statistics
        covariances = self.rows.drawn_grams(kernel, model, *arguments)
        if n_rows < self.rows.n_samples or not variances.all():
            _calibrate(covariances, variances)
        return covariances


def rows_per_matrix(objective, n_matrices):
    """Number of rows that each of some (p, p) matrices is summed over."""
    n, p = objective.n_samples, objective.n_features
    affordable = PAIR_EVALUATIONS * objective.work / (n_matrices * pairs_work(p))
    return int(min(n, max(_ROWS_PER_COLUMN * p, affordable)))


@anywhere
def _grams_and_numbers(total, block, Z, weights, center):
    """``sum_i c_i [x_i, 1] [x_i, 1]'``, (r, p + 1, p + 1), and the numbers of the weights."""
    C, numbers = weights(block, Z)
    numbers = tuple(map(to_numpy, numbers))
    columns = block.columns(center, np.ones_like(center), block.dtype)
    if total is None:
        total = np.zeros((C.shape[0], len(columns), len(columns))), *map(np.zeros_like, numbers)
    add_weighted_grams(total[0], C, columns)
    for number, one in zip(total[1:], numbers, strict=True):
        number += one
    return total


def _calibrate(covariances, variances):
    """Give covariances from drawn rows the variances of all, keeping their correlations.

    A column whose few large values the drawn rows missed would otherwise seem constant, and a
    constant one, by rounding, not.
    """
    for covariance, variance in zip(covariances, variances, strict=True):
        drawn = np.diagonal(covariance)
        ratio = np.sqrt(np.divide(variance, drawn, out=np.zeros_like(variance), where=drawn > 0))
        ratio = ratio.astype(covariance.dtype)
        covariance *= ratio
        covariance *= ratio[:, np.newaxis]
        np.fill_diagonal(covariance, variance)
