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

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sk_softmax._objective import slices, times_rows
from sk_softmax._softmax import softmax

_ROWS_PER_COLUMN = 10
_EVALUATIONS = 3
_CHUNK_ROWS = 512
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

    def pooled(self):
        """The same for the sum of the classes' weights, with (1,) and (1, p) arrays."""
        weight = self.weight.sum(keepdims=True)
        mean = self.weight @ self.mean / weight
        within, between = self.variance.sum(axis=0), self.weight @ (self.mean - mean) ** 2
        variance = np.where(within > 0, within + between, 0)  # no row, no class differs
        return Moments(weight, mean[np.newaxis], variance[np.newaxis])


def class_moments(objective, theta):
    """`Moments` at theta, in one pass over the rows."""
    K, p = objective.n_classes, objective.n_features
    logits, center = objective.logits_at(theta), objective.center

    def part_sums(blocks):
        weight, first, second = np.zeros(K), np.zeros((K, p)), np.zeros((K, p))
        for rows, X in blocks:
            C = _hessian_weights(softmax(logits(objective.in_dtype(X))), objective.s[rows])
            X = objective.centered(X)
            weight += C.sum(axis=1, dtype=np.float64)
            first += times_rows(C, X)
            second += times_rows(C, X.power(2) if objective.is_sparse else np.square(X, out=X))
        return weight, first, second

    weight, first, second = objective.map_parts(part_sums)
    if not objective.fit_intercept:
        return Moments(weight, np.zeros((K, p)), second)
    mean = first / np.maximum(weight, np.finfo(float).tiny)[:, np.newaxis]
    variance = second - first * mean
    # Below this a variance is the rounding error of its sums: the column is constant.
    rounding = 8 * np.finfo(objective.dtype).eps
    variance[variance <= rounding * second] = 0
    return Moments(weight, mean + center, variance)


def class_covariances(objective, theta, moments, use):
    """Call ``use(k, covariance)`` with the centred curvature (p, p) of each class k at theta.

    It is the covariance of the columns under the weights c_ik of `Moments`. Classes are
    spread over the threads.
    """
    m = rows_per_matrix(objective, objective.n_classes)
    if m < objective.n_samples:
        objective.leverages  # noqa: B018  threads are to find it made

    def one_class(task):
        k, c = task
        use(k, _covariance(objective, c, moments.mean[k], moments.variance[k], m=m))

    for classes, P in _probabilities(objective, theta):
        C = _hessian_weights(P, objective.s)
        work = len(C) * m * objective.n_features**2
        objective.threads.map(one_class, list(zip(classes, C, strict=True)), work)


def pooled_covariance(objective, theta, pooled):
    """The sum (p, p) of all classes' curvature about the common mean, in `Moments.pooled`."""
    c = np.zeros(objective.n_samples, dtype=objective.dtype)
    for _, P in _probabilities(objective, theta):
        c += _hessian_weights(P, objective.s).sum(axis=0)
    m = rows_per_matrix(objective, 1)
    return _covariance(objective, c, pooled.mean[0], pooled.variance[0], m=m, n_parts=_MAX_PARTS)


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
    leverages = objective.leverages if m < objective.n_samples else 0
    rows, w = _draw_rows(c, 1 + leverages / objective.n_features, m)
    mean = mean.astype(objective.dtype)
    parts = slices(slice(0, len(rows)), number=n_parts)
    work = len(rows) * objective.n_features**2
    grams = objective.threads.map(
        lambda part: _gram(objective, rows[part], w[part], mean), parts, work
    )
    covariance = sum(grams[1:], grams[0])
    if len(rows) < objective.n_samples or not variance.all():
        _calibrate(covariance, variance)
    return covariance


def rows_per_matrix(objective, n_matrices):
    """Number of rows that each of some (p, p) matrices is summed over."""
    n, p = objective.n_samples, objective.n_features
    affordable = _EVALUATIONS * objective.work / (n_matrices * p**2)
    return int(min(n, max(_ROWS_PER_COLUMN * p, affordable)))


def _draw_rows(c, stress, m):
    """At most about m rows, and weights such that their sums estimate sums weighted by c.

    Systematic sampling: the rows at equal steps of the cumulative ``c * stress``, among which
    heavy ones may come twice.
    """
    if m >= len(c):
        return np.arange(len(c)), c
    cumulative = np.cumsum(c * stress, dtype=np.float64)
    step = cumulative[-1] / m
    rows = np.searchsorted(cumulative, (np.arange(m) + 0.5) * step)
    return rows, (step / stress[rows]).astype(c.dtype)


def _gram(objective, rows, w, mean):
    """``sum_i w_i (x_i - mean)(x_i - mean)'`` over an array of rows."""
    G = np.zeros((objective.n_features,) * 2, dtype=objective.dtype)
    for chunk in slices(slice(0, len(rows)), size=_CHUNK_ROWS):
        X = objective.X[rows[chunk]]
        X = (X.toarray() if sparse.issparse(X) else X).astype(objective.dtype, copy=False)
        X -= mean
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
