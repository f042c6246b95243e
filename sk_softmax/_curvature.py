"""Second-order sums over rows: what changes of variables are made from.

The Hessian of the mean loss has the blocks ``1/S sum_i s_i p_ik (delta_kl - p_il) x_i x_i'``.
Diagonals are summed over all rows. Matrices are summed over as many rows as cost no more than
three evaluations of the objective, but at least ten for each of their columns: relative to the
whole sum's, the eigenvalues of such an estimate lie within about ``(1 +- sqrt(1/10))^2``, which
is near enough for a preconditioner. Rows are drawn in proportion to their weight in the sum and,
so that no column rests on few of them, to their leverage (Drineas, Mahoney, Muthukrishnan,
"Sampling algorithms for l2 regression", 2006), here with uncorrelated columns. Where all rows
are no more than that, they are taken and the sums are exact.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse

from sk_softmax._blocks import slices, times_rows
from sk_softmax._hessian import PairSums
from sk_softmax._objective import NOT_FINITE, TOO_SMALL
from sk_softmax._softmax import softmax

_ROWS_PER_COLUMN = 10
_EVALUATIONS = 3
_CHUNK_ROWS = 512
# Rounding errors that a sum over rows may be off by, with room to spare.
_NEAR = 1e5
# Multiplications that are worth a task of their own, and the most tasks of a matrix, each of
# which sums into a matrix of its own.
_PART_WORK = 2**22
_MAX_PARTS = 8
# Numbers in the moments of all classes up to which they are summed by one product a block, and
# in the weighted rows that it takes at once.
_NARROW_SIZE = 2**16
_CHUNK_SIZE = 2**17
# Bytes of probabilities held at once, or a tenth of X if that is more.
_PROBABILITY_BYTES = 2**24


@dataclass(frozen=True)
class Moments:
    """Weight of the rows, and mean and variance of the columns under it, for each class.

    With c_ik = s_i p_ik (1 - p_ik) / S, `weight` is sum_i c_ik of shape (K,), `mean` (K, p)
    the c-weighted mean of the columns, and `variance` (K, p) sum_i c_ik (x_ij - mean_kj)^2:
    the diagonal of the Hessian once each class's columns have been centred. Without an
    intercept nothing is centred and the mean is zero.

    `residual` (K,) is 1/2 sum_i s_i (p_ik + q_ik - 2 p_ik q_ik) / S, for one-hot targets half
    the mean absolute residual. Where the probabilities are right it is the weight; where they
    are confident and wrong, the weight vanishes and it does not.
    """

    weight: np.ndarray
    residual: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class Curvature:
    """Second-order sums of an objective, at any theta, in the objective's dtype.

    Sums that do not depend on theta are kept.
    """

    def __init__(self, objective):
        self.objective = objective
        self._shape = (objective.n_classes, objective.n_features)

    @cached_property
    def mean(self):
        """Weighted mean (p,) of the columns, exact if they are constant; zero without intercept."""
        objective = self.objective
        if not objective.fit_intercept:
            return np.zeros(objective.n_features, dtype=objective.dtype)
        mean = self._sums[0] + self.center
        if objective.is_sparse:
            mean[self.constant] = objective.X[[0]].toarray()[0, self.constant]
        return mean.astype(objective.dtype)

    @cached_property
    def center(self):
        """What columns are shifted by in sums of squares, lest these cancel.

        The mean, but zero for sparse X, which stays as it is. A mean is as many rounding errors
        off as there are rows, so that a constant column would not seem one: where the first row
        is as near, it takes the place of the mean.
        """
        objective = self.objective
        if objective.is_sparse or not objective.fit_intercept:
            return np.zeros(objective.n_features, dtype=objective.dtype)

        def part_sums(blocks):
            return (sum(objective.s[rows] @ objective.in_dtype(X) for rows, X in blocks),)

        mean = objective.map_parts(part_sums)[0].astype(objective.dtype)
        first = objective.X[0].astype(objective.dtype)
        is_near = abs(first - mean) <= _NEAR * np.finfo(first.dtype).eps * abs(first)
        return np.where(is_near, first, mean)

    @cached_property
    def constant(self):
        """Mask (p,) of the constant columns of a sparse X."""
        objective, (first, squares) = self.objective, self._sums
        rounding = _NEAR * np.finfo(objective.dtype).eps
        columns = np.flatnonzero(abs(squares - first**2) <= rounding * squares)
        values = objective.X[:, columns]
        constant = np.zeros(len(squares), dtype=bool)
        constant[columns] = (values.max(axis=0) - values.min(axis=0)).toarray().ravel() == 0
        return constant

    @cached_property
    def _sums(self):
        """Weighted means (p,) of the columns about `center`, and of their squares."""
        s, centered = self.objective.s, self._centering()

        def part_sums(blocks):
            first, second = np.zeros((2, len(self.center)))
            for rows, X in blocks:
                X = centered(X)
                first += s[rows] @ X
                second += s[rows] @ _squares(X)
            return first, second

        first, second = self.objective.map_parts(part_sums)
        self._refuse_underflow(second)
        return first, second

    def _refuse_underflow(self, squares):
        """A column whose squares vanish would pass for a constant one, and be left out.

        Where the penalty curves the objective more than it could, that is no loss.
        """
        objective, info = self.objective, np.finfo(self.objective.dtype)
        negligible = info.tiny / info.eps
        columns = np.flatnonzero(squares < negligible)
        if objective.lam >= negligible or len(columns) == 0:
            return
        center = self.center[columns].astype(np.float64)

        def part_sums(blocks):
            count = np.zeros(len(columns))
            for _, X in blocks:  # as given: small values may vanish in the objective's dtype
                values = X[:, columns].astype(np.float64)
                distance = abs(values) if objective.is_sparse else abs(values - center)
                count += (distance > 8 * info.eps * abs(center)).sum(axis=0)
            return (count,)

        if objective.map_parts(part_sums)[0].any():
            raise FloatingPointError(TOO_SMALL)

    @cached_property
    def leverages(self):
        """How much each row stands out, (n,): its squares in units of their weighted means.

        The weighted mean over the rows is p. A row has a high leverage if it is one of the
        few in which some column is not constant.
        """
        objective, centered, (_, scale) = self.objective, self._centering(), self._sums
        inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        inverse = inverse.astype(objective.dtype)
        leverages = np.empty(objective.n_samples, dtype=objective.dtype)

        def fill(blocks):
            for rows, X in blocks:
                leverages[rows] = _squares(centered(X)) @ inverse
            return (0,)

        objective.map_parts(fill)
        return leverages

    @cached_property
    def variance(self):
        """Weighted variances (p,) of the columns, about `mean`."""
        mean, squares = self._sums
        return self._variance(1, squares, mean**2 if self.objective.fit_intercept else 0)

    @cached_property
    def covariance(self):
        """The weighted covariance (p, p) of the columns: at zero theta, every class's."""
        return self._covariance(self.objective.s, self.mean, self.variance, 1)

    @cached_property
    def pair_sums(self):
        """What the whole Hessian is made from."""
        return PairSums(self)

    def moments(self, theta):
        """`Moments` at theta, in one pass over the rows."""
        if self.objective.is_sparse:
            return self._sparse_moments(theta)
        K, p = self._shape
        weighted_rows = self._weighted_rows(theta)

        def part_sums(blocks):
            totals, first, second = np.zeros((2, K)), np.zeros((K, p)), np.zeros((K, p))
            for _, C, sums, X in weighted_rows(blocks):
                totals += sums
                first += C @ X
                second += C @ np.square(X, out=X)
            return totals, first, second

        totals, first, second = self.objective.map_parts(part_sums)
        return self._moments(*totals, first, second)

    def of_classes(self, theta):
        """`Moments` at theta, and the curvature (K, p, p) of the classes about their means.

        That is the covariance of the columns under the weights c_ik of `Moments`.
        """
        objective = self.objective
        K, p = self._shape
        if self._are_narrow(K):
            return self._narrow(theta, pool=False)
        m = rows_per_matrix(objective, K)
        moments = self.moments(theta)
        covariances = np.empty((K, p, p), dtype=objective.dtype)
        self.leverages  # noqa: B018  threads are to find them made

        def one_class(task):
            k, c = task
            covariances[k] = self._covariance(c, moments.mean[k], moments.variance[k], K)

        for classes, C in self._class_weights(theta):
            objective.threads.map(one_class, list(zip(classes, C, strict=True)), len(C) * m * p**2)
        return moments, covariances

    def pooled(self, theta):
        """Sums for all classes together, weighted by ``c_i = sum_k c_ik``.

        Returns `Moments` with the weight of each class, (K,), and the (1, p) means and variances
        of the columns under c; and the curvature (p, p) about the means.
        """
        objective = self.objective
        K, p = self._shape
        W, b = objective.unpack(theta)
        if not W.any():  # all rows have the same probabilities
            P = softmax(np.zeros((K, 1)) if b is None else b[:, np.newaxis])[:, 0]
            weight, residual = P * (1 - P), _disagreement(P, objective.class_frequencies())
            total = weight.sum()
            variance = total * self.variance[np.newaxis]
            moments = Moments(weight, residual, self.mean[np.newaxis], variance)
            return moments, total.astype(objective.dtype) * self.covariance
        if self._are_narrow(1):
            moments, (covariance,) = self._narrow(theta, pool=True)
            return moments, covariance
        weighted_rows = self._weighted_rows(theta)
        c = np.empty(objective.n_samples, dtype=objective.dtype)

        def part_sums(blocks):
            totals, first, second = np.zeros((2, K)), np.zeros((1, p)), np.zeros((1, p))
            for rows, C, sums, X in weighted_rows(blocks):
                totals += sums
                c[rows] = C.sum(axis=0)
                first += times_rows(c[np.newaxis, rows], X)
                second += times_rows(c[np.newaxis, rows], _squares(X))
            return totals, first, second

        (weight, residual), first, second = objective.map_parts(part_sums)
        moments = self._moments(weight.sum(keepdims=True), residual, first, second)
        covariance = self._covariance(c, moments.mean[0], moments.variance[0], 1)
        return replace(moments, weight=weight), covariance

    def _are_narrow(self, n_matrices):
        """Whether columns are few enough for `_narrow`."""
        objective = self.objective
        return (
            rows_per_matrix(objective, n_matrices) == objective.n_samples
            and n_matrices * (objective.n_features + 1) ** 2 <= _NARROW_SIZE
        )

    def _narrow(self, theta, pool):
        """`of_classes`, or `pooled`, of few columns: all sums by one product a block."""
        K, p = self._shape
        objective, weighted_rows = self.objective, self._weighted_rows(theta)

        def part_sums(blocks):
            totals, sums = np.zeros((2, K)), np.zeros(((1 if pool else K) * (p + 1), p + 1))
            for _, C, class_sums, X in weighted_rows(blocks):
                totals += class_sums
                if pool:
                    C = C.sum(axis=0, keepdims=True)
                X1 = np.ones((len(C.T), p + 1), dtype=objective.dtype)
                X1[:, :p] = X.toarray() if objective.is_sparse else X
                for rows in slices(slice(0, len(X1)), size=max(64, _CHUNK_SIZE // sums.size * p)):
                    chunk = X1[rows]
                    sums += (C[:, np.newaxis, rows] * chunk.T).reshape(len(sums), -1) @ chunk
            return totals, sums.reshape(-1, p + 1, p + 1)

        (weight, residual), sums = objective.map_parts(part_sums)
        second, first, total = sums[:, :p, :p], sums[:, p, :p], sums[:, p, p]
        moments = self._moments(total, residual, first, np.einsum("kjj->kj", second))
        if objective.fit_intercept:
            mean = moments.mean - self.center
            second -= (total[:, np.newaxis] * mean)[:, :, np.newaxis] * mean[:, np.newaxis]
        covariances = second.astype(objective.dtype)
        if not moments.variance.all():
            for covariance, variance in zip(covariances, moments.variance, strict=True):
                _calibrate(covariance, variance)
        return replace(moments, weight=weight), covariances

    def _sparse_moments(self, theta):
        """`moments` of sparse rows."""
        objective = self.objective
        logits = objective.logits_at(theta)
        first, second = np.zeros((2, *self._shape))

        def weights(rows, X):
            return self._weights_and_sums(softmax(logits(objective.in_dtype(X))), rows)

        totals = sum(objective.column_sums.add(weights, objective.dtype, first, second))
        return self._moments(*totals, first, second)

    def _weighted_rows(self, theta):
        """Function from blocks to their slices, `_weights_and_sums`, and centred rows."""
        objective, centered = self.objective, self._centering()
        logits = objective.logits_at(theta)

        def weighted_rows(blocks):
            for rows, X in blocks:
                P = softmax(logits(objective.in_dtype(X)))
                yield rows, *self._weights_and_sums(P, rows), centered(X)

        return weighted_rows

    def _weights_and_sums(self, P, rows):
        """c_ik (K, m) of some rows, and the (2, K) `weight` and `residual` of `Moments`."""
        s = self.objective.s[rows]
        residual = _disagreement(P, self.objective.targets(rows)) @ s.astype(np.float64)
        C = _hessian_weights(P, s)
        return C, np.stack([C.sum(axis=1, dtype=np.float64), residual])

    def _class_weights(self, theta):
        """Yield ``(classes, C[classes])``, as many of the (n,) rows of c_ik at once as fit."""
        objective, (K, _) = self.objective, self._shape
        n, itemsize = objective.n_samples, objective.dtype.itemsize
        budget = max(_PROBABILITY_BYTES, objective.n_stored * itemsize // 10)
        logits = objective.logits_at(theta)
        for chunk in slices(slice(0, K), size=max(1, budget // (n * itemsize))):
            P = np.empty((chunk.stop - chunk.start, n), dtype=objective.dtype)

            def fill(blocks, P=P, chunk=chunk):
                for rows, X in blocks:
                    P[:, rows] = softmax(logits(objective.in_dtype(X)))[chunk]
                return (0,)

            objective.map_parts(fill)
            yield range(chunk.start, chunk.stop), _hessian_weights(P, objective.s)

    def _centering(self):
        """Function from a block of X to a copy in the objective's dtype, shifted by `center`."""
        objective, center = self.objective, self.center
        if objective.is_sparse:
            return objective.in_dtype
        return lambda X: X.astype(objective.dtype) - center

    def _moments(self, weight, residual, first, second):
        """`Moments` from sums over centred rows, of c_ik, c_ik x_i and c_ik x_i^2."""
        if not self.objective.fit_intercept:
            return Moments(weight, residual, np.zeros_like(first), second.copy())
        column = weight[:, np.newaxis]
        mean = first / np.maximum(column, np.finfo(float).tiny)
        variance = self._variance(column, second, first * mean)
        return Moments(weight, residual, mean + self.center, variance)

    def _variance(self, weight, squares, squared_mean):
        """The difference of sums about `center`; zero where it is but a rounding error."""
        if not np.isfinite(squares.sum()):
            raise FloatingPointError(NOT_FINITE)
        variance = squares - squared_mean
        eps = 8 * np.finfo(self.objective.dtype).eps
        variance[variance <= eps * squares] = 0
        if self.objective.is_sparse and self.objective.fit_intercept:
            variance[..., self.constant] = 0
        # A constant column differs from its mean by the mean's rounding error.
        variance[squares <= weight * (eps * self.center.astype(np.float64)) ** 2] = 0
        return variance

    def _covariance(self, c, mean, variance, n_matrices):
        """``sum_i c_i (x_i - mean)(x_i - mean)'`` from all rows, or calibrated from drawn ones."""
        objective = self.objective
        m = rows_per_matrix(objective, n_matrices)
        rows, w = None, c
        if m < objective.n_samples:
            rows, w = _draw_rows(c, 1 + self.leverages / objective.n_features, m)
        mean = mean.astype(objective.dtype)
        work = len(w) * objective.n_features**2
        # Several matrices are each left to one thread.
        n_parts = 1 + min(_MAX_PARTS - 1, work // _PART_WORK) if n_matrices == 1 else 1
        parts = slices(slice(0, len(w)), number=n_parts)
        grams = objective.threads.map(
            lambda part: _gram(objective, rows, w, mean, part), parts, work
        )
        covariance = sum(grams[1:], grams[0])
        if rows is not None or not variance.all():
            _calibrate(covariance, variance)
        return covariance


def _hessian_weights(P, s):
    """``s_i p_ik (1 - p_ik)``; overwrites P."""
    P *= (1 - P) * s
    return P


def _disagreement(P, Q):
    """Half the probability that for one of two draws, from P and from Q, it is the class."""
    return 0.5 * (P * (1 - Q) + Q * (1 - P))


def _squares(X):
    """The squared values of a block; overwrites a dense one."""
    return X.power(2) if sparse.issparse(X) else np.square(X, out=X)


def rows_per_matrix(objective, n_matrices):
    """Number of rows that each of some (p, p) matrices is summed over."""
    n, p = objective.n_samples, objective.n_features
    affordable = _EVALUATIONS * objective.work / (n_matrices * p**2)
    return int(min(n, max(_ROWS_PER_COLUMN * p, affordable)))


def _draw_rows(c, stress, m):
    """About m rows, and weights such that their sums estimate sums weighted by c.

    Systematic sampling: the rows at equal steps of the cumulative ``c * stress``, among which
    heavy ones may come twice.
    """
    cumulative = np.cumsum(c * stress, dtype=np.float64)
    step = cumulative[-1] / m
    rows = np.searchsorted(cumulative, (np.arange(m) + 0.5) * step)
    return rows, (step / stress[rows]).astype(c.dtype)


def _gram(objective, rows, w, mean, part):
    """``sum_i w_i (x_i - mean)(x_i - mean)'`` over a part of some rows, or of all if None."""
    G = np.zeros((objective.n_features,) * 2, dtype=objective.dtype)
    for chunk in slices(part, size=_CHUNK_ROWS):
        X = objective.X[chunk if rows is None else rows[chunk]]
        X = objective.in_dtype(X.toarray() if sparse.issparse(X) else X) - mean
        X *= np.sqrt(w[chunk])[:, np.newaxis]
        G += X.T @ X
    return G


def _calibrate(covariance, variance):
    """Give a covariance from drawn rows the variances of all, keeping its correlations.

    A column whose few large values the drawn rows missed would otherwise seem constant, and a
    constant one, by rounding, not.
    """
    drawn = np.diagonal(covariance)
    ratio = np.sqrt(np.divide(variance, drawn, out=np.zeros_like(variance), where=drawn > 0))
    ratio = ratio.astype(covariance.dtype)
    covariance *= ratio
    covariance *= ratio[:, np.newaxis]
    np.fill_diagonal(covariance, variance)
