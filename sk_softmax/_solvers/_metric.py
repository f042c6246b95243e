"""What ``learning_rate="auto"`` multiplies gradients by, and the step size that goes with it.

In the variables v of ``theta = T v`` a step along the gradient ``T' g`` moves theta along
``T T' g``. So SGD in those variables is SGD in theta with the matrix ``M = T T'``, applied
here as one product. T is that of `sk_softmax._preconditioner`, "shared" or "diagonal", at zero
coefficients. There it stays: curvature vanishes where rows are fitted, and is back after one step
in the wrong direction.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.linalg import eigvalsh_tridiagonal

from sk_softmax._curvature import Curvature, rows_per_matrix
from sk_softmax._factors import inverse_cholesky
from sk_softmax._preconditioner import SHARED, PreconditionerCosts, gauge_factor, of_variances
from sk_softmax._rows import FIT_EVALUATIONS
from sk_softmax._rows._products import slices, times_columns
from sk_softmax._solvers._moments import SecondMoments, about_offsets

_CHUNK_ROWS = 512
# They find the largest curvature to 5% or so, as twice as many steps of power iteration do.
_LANCZOS_STEPS = 5
# The largest p (1 - p) that a row may come to have.
_LARGEST_WEIGHT = 0.25


@dataclass(frozen=True)
class Metric:
    """M = T T' with a `matrix` (p, p) or None, and `scale` (p, K).

    For class k it is ``diag(scale_k) matrix diag(scale_k)``, without a matrix ``diag(scale_k)``.
    `centred` are the places of the c columns that are centred, by `mean` (c, K) or (c, 1).
    """

    matrix: np.ndarray | None
    scale: np.ndarray
    centred: slice | np.ndarray
    mean: np.ndarray
    intercept_scale: np.ndarray
    fit_intercept: bool

    def multiply(self, G, product):
        """Write M G into other `Parameters`; overwrites G."""
        W, D = G.W, product.W
        if self.mean.size:
            W[self.centred] -= self.mean * G.b
        if self.matrix is None:
            np.multiply(W, self.scale, out=D)
        else:
            W *= self.scale
            np.matmul(self.matrix, G.padded, out=product.padded)
            D *= self.scale
        if self.fit_intercept:
            np.multiply(G.b, self.intercept_scale, out=product.b)
            if self.mean.size:
                moved = D[self.centred]
                product.b -= np.einsum("ij,ij->j", np.broadcast_to(self.mean, moved.shape), moved)
            product.b -= product.b.mean()
        # Class rows keep summing to zero. A product is quicker than a mean of few.
        K = D.shape[1]
        D -= (D @ np.full(K, 1 / K, dtype=D.dtype))[:, np.newaxis]

    def settle(self, A):
        """Leave to the intercepts what constant columns add in parameters (p + 1, K), in place.

        Their scale is zero, so that no step would ever do it.
        """
        if not self.mean.size:
            return
        W, is_constant = A[: len(self.scale)], np.zeros(len(self.scale), dtype=bool)
        is_constant[self.centred] = ~self.scale[self.centred].any(axis=1)
        mean = np.zeros((len(W), 1))
        mean[self.centred] = self.mean
        A[-1] += (mean * W)[is_constant].sum(axis=0)
        W[is_constant] = 0


class Preconditioning:
    """The metric, and the steps to take in it.

    Where a (p, p) matrix costs no more than 50 evaluations and fits in memory it is that of
    "shared", otherwise "diagonal". For a stream, whose `RunningMoments` are given, it is "shared"
    if these have all pairs of columns.
    """

    def __init__(self, objective, running=None, noise=0.0, affordable=FIT_EVALUATIONS):
        self._objective = objective
        if running is None:
            self._is_shared = PreconditionerCosts(objective).allows(SHARED, affordable)
            self._curvature = Curvature(objective)
            self._moments = self._at_start()
        else:
            self._is_shared = running.scatter is not None
            self._moments = running.at_start(objective.fit_intercept)
        self._unscaled = self._metric()
        self._largest_curvature = (
            1.0 if self._is_shared else _largest_curvature(objective, self._moments)
        )
        of_intercept = (
            objective.n_samples * np.square(objective.rows.weights, dtype=np.float64).sum()
        )
        self.noise = self._largest_of_rows() + objective.fit_intercept * of_intercept
        self._noise = max(self.noise, noise)  # that of these rows, or of all rows so far

    def step_size(self, batch_size):
        """``1 / (L + R / m)`` for batches of m rows.

        L is the largest curvature of the mean loss and R that of one row's; averaging m rows
        leaves an m-th of it. This is the expected smoothness of Gower et al., "SGD: General
        Analysis and Improved Rates", ICML 2019, Theorem 3.1.
        """
        return float(self._step_size(1, batch_size))

    def time(self, batch_size):
        """The rows q = ``(m L + R) / 2`` of a stream, whose first step is m / q, and then falls.

        That is twice the `step_size`, as long as steps of descent may be, with R as large as it may
        become for an average class, see `metric`.
        """
        return 0.5 * batch_size / float(self._step_size(self._mean_excess, batch_size))

    def metric(self, batch_size, of_stream=False):
        """The `Metric`, which makes steps of `step_size` shorter for rare classes.

        At the start all rows have the same curvature w_k along class k. Later it gathers on those
        that might be of the class, up to 1/4 each: a single row's exceeds R by 1 / (4 w_k). For a
        stream the step is a row's in `time`.
        """
        excess = _LARGEST_WEIGHT / _positive(self._moments.weight)
        usual = self._step_size(self._mean_excess if of_stream else 1, batch_size)
        step = self._step_size(excess, batch_size) / usual
        metric = self._unscaled
        scale = np.sqrt(step) if self._is_shared else step  # which is on both sides of the matrix
        return replace(
            metric,
            scale=np.multiply(metric.scale, scale, dtype=metric.scale.dtype, casting="same_kind"),
            intercept_scale=(metric.intercept_scale * step).astype(metric.intercept_scale.dtype),
        )

    @property
    def _mean_excess(self):
        """The factor by which the curvature of a row may exceed R, for an average class."""
        return _LARGEST_WEIGHT / max(self._moments.weight.mean(), np.finfo(np.float32).eps)

    def _step_size(self, excess, batch_size):
        """`step_size` where the noise exceeds R by a factor."""
        return 1 / (self._largest_curvature + excess * self._noise / batch_size)

    def batch_size(self):
        """Rows per batch: ``R / L``, between a 256th and a 32nd of all, at least 8.

        An epoch of steps of `step_size` gets ``n / (m L + R)`` far. Smaller batches cost more
        steps and get hardly further, larger ones less far, but 256 steps are enough for an
        epoch. Fewer than 8 rows take as long as 8, and sparse rows with fewer values than there are
        columns take as long as the step, which changes all columns.
        """
        rows = self._objective.rows
        n, m = rows.n_samples, self._noise / self._largest_curvature
        m = max(m, n / 256, rows.n_features * n / max(rows.n_stored, 1))
        return int(min(max(min(m, n / 32), 8), n))

    def _at_start(self):
        """`SecondMoments` where coefficients are zero and intercepts those of the frequencies."""
        objective, curvature = self._objective, self._curvature
        P = _probabilities_at_start(objective)
        weight = P * (1 - P)
        mean = curvature.mean
        if self._is_shared:
            second = weight.sum().astype(objective.dtype) * curvature.covariance
        elif not objective.rows.are_centred:
            mean, squares = about_offsets(mean.astype(np.float64), curvature.variance)
            second = np.outer(weight, squares)
        else:
            second = np.outer(weight, curvature.variance)
        return SecondMoments(weight, mean[np.newaxis], second)

    def _metric(self):
        """The `Metric` with the same steps for all classes."""
        objective, gauge = self._objective, gauge_factor(self._objective)
        curvature = self._moments
        dtype = objective.dtype
        order = "C" if times_columns(objective.n_classes, objective.rows.X, dtype) else "F"
        weight = _positive(curvature.weight)
        intercept_scale = 1 / (gauge * weight)
        is_centred = curvature.mean.any(axis=0) & objective.fit_intercept
        centred = slice(None) if is_centred.all() else np.flatnonzero(is_centred)
        if self._is_shared:
            second = curvature.second.astype(dtype)
            matrix, scale = _shared_factors(
                second, gauge * weight / weight.sum(), objective.penalty.l2
            )
            is_constant = np.diagonal(second) == 0
        else:
            diagonal_ = (gauge * curvature.second + objective.penalty.l2).T
            scale = np.divide(1, diagonal_, out=np.zeros_like(diagonal_), where=diagonal_ > 0)
            is_constant, matrix = (curvature.second == 0).all(axis=0), None
        # The gradient of a constant column that has been centred is but a rounding error.
        scale[is_constant & is_centred] = 0.0
        return Metric(
            matrix,
            np.asarray(scale, dtype=dtype, order=order),
            centred,
            np.asarray(curvature.mean.T[centred], dtype=dtype, order=order),
            intercept_scale.astype(dtype),
            objective.fit_intercept,
        )

    def _largest_of_rows(self):
        """``n E s l^2 / E l`` of the leverages l of rows, their mean weighted by ``s_i``.

        With equal weights and Gaussian columns p + 2, with heavy tails or unequal weights more.
        """
        leverages, s = self._leverages()
        mean = float(s @ leverages)
        if mean == 0:
            return 0.0
        return self._objective.n_samples * float(np.square(s * leverages).sum()) / mean

    def _leverages(self):
        """Curvature of the loss of some rows at the start, and the weights of these rows."""
        objective, moments, metric = self._objective, self._moments, self._unscaled
        mean = moments.mean[0].astype(objective.dtype)
        weight = gauge_factor(objective) * moments.weight
        scale = moments.weight.sum()  # of every class: weight / share
        if metric.matrix is None:
            scale = (metric.scale * weight).mean(axis=1)
        scale = scale.astype(objective.dtype)
        m = rows_per_matrix(objective, 1)
        rows = np.arange(m) * objective.n_samples // m  # m of them, at equal steps
        leverages = np.empty(len(rows))

        def fill(chunk):
            if metric.matrix is None and not objective.rows.are_centred:
                X = objective.rows.gathered(rows[chunk]).astype(objective.dtype, copy=False)
                leverages[chunk] = _centred_squares(X, mean, scale)
                return
            X = objective.rows.dense(rows[chunk]) - mean
            if metric.matrix is None:
                leverages[chunk] = np.square(X) @ scale
            else:
                leverages[chunk] = scale * np.einsum("ij,ij->i", X @ metric.matrix, X)

        chunks = slices(slice(0, len(rows)), size=_CHUNK_ROWS)
        work = len(rows) * objective.n_features * (1 if metric.matrix is None else len(mean))
        objective.threads.map(fill, chunks, work)
        return leverages, objective.rows.weights[rows].astype(np.float64)


def _shared_factors(second, share, lam):
    """The factors of a `Metric` near the inverses of ``share_k second + lam I``.

    All classes share the inverse of ``second + ridge I`` with the ridge of an average class. For
    uncorrelated columns the scales make up for what that of each class differs by. Otherwise the
    metric of a rare class could exceed 1 / lam, so that steps along the penalty's gradient
    overshoot: it is scaled down, as far as bounds on its largest eigenvalue ask for.
    """
    ridge = lam / share.mean()
    inverse = inverse_cholesky(second.copy(), ridge)
    matrix = inverse.T @ inverse
    variance = np.diagonal(second).astype(np.float64)[:, np.newaxis]
    wanted = share * variance + lam
    scale = np.divide(variance + ridge, wanted, out=np.zeros_like(wanted), where=wanted > 0) ** 0.5
    row_sums = scale * (np.abs(matrix) @ scale)
    excess = np.minimum(lam * row_sums.max(axis=0), share.mean() / share)
    return matrix, scale / np.sqrt(np.maximum(excess, 1))


def _centred_squares(X, mean, scale):
    """``sum_j scale_j (x_ij - mean_j)^2`` of sparse rows, which stay sparse.

    Zeros add the same to all rows, but for columns that have none: theirs would cancel.
    """
    counts = np.bincount(X.indices, minlength=X.shape[1])
    at_zero = np.where(counts == X.shape[0], 0, scale * np.square(mean, dtype=np.float64))
    columns = X.indices
    squares = scale[columns] * np.square(X.data - mean[columns], dtype=np.float64)
    squares -= at_zero[columns]
    rows = sparse.csr_array((squares, columns, X.indptr), shape=X.shape)
    return at_zero.sum() + rows.sum(axis=1)


def _probabilities_at_start(objective):
    """Those of the classes at zero coefficients, (K,): their frequencies, or equal ones."""
    if not objective.fit_intercept:
        return np.full(objective.n_classes, 1 / objective.n_classes)
    P = np.exp(objective.log_priors())
    return P / P.sum()


def _positive(weight):
    """Weights of classes, none of them so small that its inverse is of no use."""
    return np.maximum(weight, np.finfo(np.float32).eps)


def _largest_curvature(objective, moments):
    """The largest curvature in the diagonal's variables, on some rows, and at least one.

    By the method of Lanczos, from the gradient, which knows no order of classes or columns.
    """
    T = of_variances(objective, moments.weight, moments.mean, moments.second)
    rows = np.arange(0, objective.n_samples, max(1, objective.n_samples // 1024))
    sample = objective.on(objective.rows.take(rows))
    theta = np.zeros(objective.shape)
    if objective.fit_intercept:
        theta[:, -1] = np.log(_probabilities_at_start(objective))
    theta = theta.ravel()
    product = sample.hessian_operator(theta)
    _, gradient = sample.value_and_gradient(theta)
    r, v = T.backward(gradient.reshape(objective.shape)), np.zeros(objective.shape)
    diagonal, beside = [], []
    for _ in range(_LANCZOS_STEPS):
        norm = np.linalg.norm(r)
        if norm == 0:
            break
        beside.append(norm)
        v, previous = r / norm, v
        r = T.backward(product(T.forward(v).ravel()).reshape(objective.shape))
        diagonal.append(np.vdot(v, r))
        r -= diagonal[-1] * v + norm * previous
    return max(1.0, eigvalsh_tridiagonal(diagonal, beside[1:])[-1]) if diagonal else 1.0
