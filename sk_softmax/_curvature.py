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

import numpy as np
from scipy import sparse

from sk_softmax._blocks import slices, times_rows
from sk_softmax._softmax import softmax

_ROWS_PER_COLUMN = 10
_EVALUATIONS = 3
_CHUNK_ROWS = 512
# Numbers in the moments of all classes up to which they are summed by one product a block, and
# in the weighted rows that it takes at once.
_NARROW_SIZE = 2**16
_CHUNK_SIZE = 2**17
_MAX_PARTS = 8
# Bytes of probabilities held at once, or a tenth of X if that is more.
_PROBABILITY_BYTES = 2**24


@dataclass(frozen=True)
class Moments:
    """Weight of the rows, and mean and variance of the columns under it, for each class.

    With c_ik = s_i p_ik (1 - p_ik) / S, `weight` is sum_i c_ik of shape (K,), `mean` (K, p)
    the c-weighted mean of the columns, and `variance` (K, p) sum_i c_ik (x_ij - mean_kj)^2:
    the diagonal of the Hessian once each class's columns have been centred. Without an
    intercept nothing is centred and the mean is zero.
    """

    weight: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def class_moments(objective, theta):
    """`Moments` at theta, in one pass over the rows."""
    K, p = objective.n_classes, objective.n_features
    if objective.is_sparse:
        return _sparse_class_moments(objective, theta)
    weighted_rows = _weighted_rows(objective, theta)

    def part_sums(blocks):
        weight, first, second = np.zeros(K), np.zeros((K, p)), np.zeros((K, p))
        for _, C, X in weighted_rows(blocks):
            weight += C.sum(axis=1, dtype=np.float64)
            first += times_rows(C, X)
            second += times_rows(C, _squares(X))
        return weight, first, second

    return _moments(objective, *objective.map_parts(part_sums))


def _sparse_class_moments(objective, theta):
    """`class_moments` of sparse rows."""
    logits = objective.logits_at(theta)
    first, second = np.zeros((2, objective.n_classes, objective.n_features))

    def weights(rows, X):
        C = _hessian_weights(softmax(logits(objective.in_dtype(X))), objective.s[rows])
        return C, C.sum(axis=1, dtype=np.float64)

    weight = sum(objective.column_sums.add(weights, objective.dtype, first, second))
    return _moments(objective, weight, first, second)


def class_curvature(objective, theta):
    """`Moments` at theta, and the centred curvature (K, p, p) of the classes.

    That is the covariance of the columns under the weights c_ik of `Moments`.
    """
    n, p, K = objective.n_samples, objective.n_features, objective.n_classes
    m = rows_per_matrix(objective, K)
    if m == n and K * (p + 1) ** 2 <= _NARROW_SIZE:
        return _narrow_class_curvature(objective, theta)
    moments = class_moments(objective, theta)
    covariances = np.empty((K, p, p), dtype=objective.dtype)
    if m < n:
        objective.leverages  # noqa: B018  threads are to find it made

    def one_class(task):
        k, c = task
        covariances[k] = _covariance(objective, c, moments.mean[k], moments.variance[k], m=m)

    for classes, P in _probabilities(objective, theta):
        C = _hessian_weights(P, objective.s)
        objective.threads.map(one_class, list(zip(classes, C, strict=True)), len(C) * m * p**2)
    return moments, covariances


def _narrow_class_curvature(objective, theta):
    """`class_curvature` of few columns: all moments of all classes by one product a block."""
    p, K = objective.n_features, objective.n_classes
    weighted_rows = _weighted_rows(objective, theta)

    def part_sums(blocks):
        sums = np.zeros((K * (p + 1), p + 1))
        for _, C, X in weighted_rows(blocks):
            X1 = np.ones((len(C.T), p + 1), dtype=objective.dtype)
            X1[:, :p] = X.toarray() if objective.is_sparse else X
            for rows in slices(slice(0, len(X1)), size=max(64, _CHUNK_SIZE // sums.size * p)):
                chunk = X1[rows]
                sums += (C[:, np.newaxis, rows] * chunk.T).reshape(len(sums), -1) @ chunk
        return (sums.reshape(K, p + 1, p + 1),)

    (sums,) = objective.map_parts(part_sums)
    second = sums[:, :p, :p]
    diagonals = np.einsum("kjj->kj", second)
    moments = _moments(objective, sums[:, p, p], sums[:, p, :p], diagonals)
    if objective.fit_intercept:
        mean = moments.mean - objective.center
        second -= (moments.weight[:, np.newaxis] * mean)[:, :, np.newaxis] * mean[:, np.newaxis]
    covariances = second.astype(objective.dtype)
    if not moments.variance.all():
        for covariance, variance in zip(covariances, moments.variance, strict=True):
            _calibrate(covariance, variance)
    return moments, covariances


def _weighted_rows(objective, theta):
    """Function from blocks to their slices, weights c_ik (K, m), and centred rows."""
    logits = objective.logits_at(theta)
    objective.center  # noqa: B018  threads are to find it made

    def weighted_rows(blocks):
        for rows, X in blocks:
            P = softmax(logits(objective.in_dtype(X)))
            yield rows, _hessian_weights(P, objective.s[rows]), objective.centered(X)

    return weighted_rows


def _squares(X):
    """The squared values of a block; overwrites a dense one."""
    return X.power(2) if sparse.issparse(X) else np.square(X, out=X)


def _moments(objective, weight, first, second):
    """`Moments` from sums over centred rows, of c_ik, c_ik x_i and c_ik x_i^2."""
    if not objective.fit_intercept:
        return Moments(weight, np.zeros_like(first), second.copy())
    mean = first / np.maximum(weight, np.finfo(float).tiny)[:, np.newaxis]
    variance = second - first * mean
    # Below this a variance is the rounding error of its sums: the column is constant.
    rounding = 8 * np.finfo(objective.dtype).eps
    variance[variance <= rounding * second] = 0
    return Moments(weight, mean + objective.center, variance)


def pooled_curvature(objective, theta):
    """Sums for all classes together, weighted by ``c_i = sum_k c_ik``.

    Returns `Moments` with the weight of each class, (K,), and the (1, p) means and variances of
    the columns under c; and the centred curvature (p, p).
    """
    n, p, K = objective.n_samples, objective.n_features, objective.n_classes
    weighted_rows = _weighted_rows(objective, theta)
    c = np.empty(n, dtype=objective.dtype)

    def part_sums(blocks):
        weight, first, second = np.zeros(K), np.zeros((1, p)), np.zeros((1, p))
        for rows, C, X in weighted_rows(blocks):
            weight += C.sum(axis=1, dtype=np.float64)
            c[rows] = C.sum(axis=0)
            first += times_rows(c[np.newaxis, rows], X)
            second += times_rows(c[np.newaxis, rows], _squares(X))
        return weight, first, second

    weight, first, second = objective.map_parts(part_sums)
    moments = _moments(objective, weight.sum(keepdims=True), first, second)
    m = rows_per_matrix(objective, 1)
    covariance = _covariance(
        objective, c, moments.mean[0], moments.variance[0], m=m, n_parts=_MAX_PARTS
    )
    return replace(moments, weight=weight), covariance


def _hessian_weights(P, s):
    """``s_i p_ik (1 - p_ik)``; overwrites P."""
    P *= (1 - P) * s
    return P


def _probabilities(objective, theta):
    """Yield ``(classes, P[classes])``, as many of the (n,) rows of P at once as fit."""
    n, K, itemsize = objective.n_samples, objective.n_classes, objective.dtype.itemsize
    budget = max(_PROBABILITY_BYTES, objective.n_stored * itemsize // 10)
    logits = objective.logits_at(theta)
    for chunk in slices(slice(0, K), size=max(1, budget // (n * itemsize))):
        P = np.empty((chunk.stop - chunk.start, n), dtype=objective.dtype)

        def fill(blocks, P=P, chunk=chunk):
            for rows, X in blocks:
                P[:, rows] = softmax(logits(objective.in_dtype(X)))[chunk]
            return (0,)

        objective.map_parts(fill)
        yield range(chunk.start, chunk.stop), P


def _covariance(objective, c, mean, variance, *, m, n_parts=1):
    """``sum_i c_i (x_i - mean)(x_i - mean)'`` from all rows or from about m drawn ones."""
    n = objective.n_samples
    rows, w = None, c
    if m < n:
        rows, w = _draw_rows(c, 1 + objective.leverages / objective.n_features, m)
    mean = mean.astype(objective.dtype)
    parts = slices(slice(0, len(w)), number=n_parts)
    work = len(w) * objective.n_features**2
    grams = objective.threads.map(lambda part: _gram(objective, rows, w, mean, part), parts, work)
    covariance = sum(grams[1:], grams[0])
    if rows is not None or not variance.all():
        _calibrate(covariance, variance)
    return covariance


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
