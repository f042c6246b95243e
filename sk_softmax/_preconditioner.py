"""Changes of variables theta = theta_0 + T v in which the objective is better conditioned.

With T T' near the inverse Hessian, the gradient T' g in the new variables is the
quasi-Newton step itself, and half its square the quasi-Newton estimate of f - f*:

    1/2 ||T' g||^2 = 1/2 g' T T' g  ~  1/2 g' H^-1 g  ~  f - f*.

T applies three maps in turn, and its transpose the three in reverse:

- a factor of an approximate inverse Hessian, of which there are three kinds: from its
  diagonal, from one (p, p) matrix that all classes share, or from one for each class;
- centring: the model is written in ``x - mu_k`` with a mean mu_k of the columns, which makes
  intercepts (nearly) independent of coefficients. X is not touched, it may be sparse:
  ``b_k = c_k - W_k mu_k``;
- the gauge: adding one vector to all rows of W moves no probability, so theta is projected
  to class rows that sum to zero, as they do at the minimum. The flat direction becomes
  exactly flat and its gradient exactly zero.

Only blocks of the Hessian on its diagonal are used. They carry the factor K / (K - 1): within
the gauge that makes them exact where all classes are equally probable, as at the start, and
for two classes everywhere. The whole Hessian, (K p)^2 numbers, was tried and left out: what
slows L-BFGS down is a T made too far from the minimum, not the missing blocks.

Where a class is nearly certain its curvature vanishes, but not for long: a step as long as
Newton's may make it grow a thousandfold. So a little curvature is spread over the rows as it was
at zero theta: the damping of Levenberg and Marquardt, in the metric of Boehning's bound
("Multinomial logistic regression algorithm", 1992). Each class gets it in proportion to its
residuals. Where probabilities are right these weigh as much as its curvature; where rows are
certain and wrong they say how far Newton's step could be off, which curvature does not.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import get_lapack_funcs

from sk_softmax._blocks import slices
from sk_softmax._curvature import rows_per_matrix
from sk_softmax._objective import CALL_WORK, NOT_FINITE

DAMPING = 0.03
# Numbers in a factor from which its product with a vector is shared out to threads.
_THREADED_SIZE = 2**20


class ChangeOfVariables:
    """``T = gauge . centring . factor`` on arrays of theta's layout (K, p + 1).

    Parameters
    ----------
    objective : Objective
    apply, apply_transpose : callable
        The factor and its transpose for the coefficients, (K, p) to (K, p).
    weight, mean : ndarray of shape (K,); (K, p), or (1, p) for all classes
        Weight of the rows for each class, and means of the columns.
    """

    def __init__(self, objective, apply, apply_transpose, weight, mean):
        self._apply, self._apply_transpose = apply, apply_transpose
        self._n_features = objective.n_features
        self._fit_intercept = objective.fit_intercept
        self._mean = mean
        self._intercept_scale = _inverse_sqrt(_gauge_factor(objective) * weight)

    def forward(self, V):
        """T v."""
        theta = np.empty(V.shape)
        W = self._apply(V[:, : self._n_features])
        theta[:, : self._n_features] = W
        if self._fit_intercept:
            theta[:, -1] = V[:, -1] * self._intercept_scale - (W * self._mean).sum(axis=1)
        theta -= theta.sum(axis=0) / len(theta)
        return theta

    def backward(self, G):
        """T' g."""
        V = G - G.sum(axis=0) / len(G)
        if not self._fit_intercept:
            return self._apply_transpose(V).astype(np.float64, copy=False)
        b = V[:, -1:]
        V[:, :-1] = self._apply_transpose(V[:, :-1] - b * self._mean)
        V[:, -1] *= self._intercept_scale
        return V


def diagonal(curvature, theta, damping=DAMPING):
    """From the diagonal of the Hessian at theta; any data, no more memory than theta."""
    moments = curvature.moments(theta)
    at_start = np.outer(moments.residual, curvature.variance)
    variance = _damped(moments.variance, at_start, damping)
    weight = _damped(moments.weight, moments.residual, damping)
    return of_variances(curvature.objective, weight, moments.mean, variance)


def of_variances(objective, weight, mean, variance):
    """From the diagonal of a Hessian, given by what `Moments` hold."""
    scale = _inverse_sqrt(_gauge_factor(objective) * variance + objective.lam)
    return ChangeOfVariables(objective, lambda W: W * scale, lambda W: W * scale, weight, mean)


def shared(curvature, theta, damping=DAMPING):
    """From the covariance of the columns, weighted for each class by its curvature.

    At zero coefficients that is the Hessian, a Kronecker product.
    """
    objective = curvature.objective
    moments, covariance = curvature.pooled(theta)
    weight = _damped(moments.weight, moments.residual, damping)
    share = _gauge_factor(objective) * weight / weight.sum()
    residual = moments.residual.sum().astype(objective.dtype)
    covariance = _damped(covariance, residual * curvature.covariance, damping)
    inverse = _inverse_cholesky(covariance, objective.lam / share.mean())
    scale = _inverse_sqrt(share)[:, np.newaxis]
    parts = slices(slice(0, len(inverse)), number=1 + inverse.size // _THREADED_SIZE)

    def multiply(W, matrix):
        W = (scale * W).astype(objective.dtype)
        if len(parts) == 1:
            return W @ matrix
        products = objective.threads.map(lambda part: W @ matrix[:, part], parts)
        return np.concatenate(products, axis=1)

    return ChangeOfVariables(
        objective,
        lambda W: multiply(W, inverse),
        lambda W: multiply(W, inverse.T),
        weight,
        moments.mean,
    )


def class_blocks(curvature, theta, damping=DAMPING):
    """From the Hessian's diagonal blocks at theta, one (p, p) for each class."""
    objective = curvature.objective
    K, p = objective.n_classes, objective.n_features
    gauge = _gauge_factor(objective)
    moments, inverses = curvature.of_classes(theta)
    weight = _damped(moments.weight, moments.residual, damping)
    residual = moments.residual.astype(objective.dtype)
    at_start = curvature.covariance

    def invert(k):
        block = _damped(inverses[k], residual[k] * at_start, damping)
        inverses[k] = _inverse_cholesky(gauge * block, objective.lam)

    objective.threads.map(invert, range(K), K * p**3)
    parts = slices(slice(0, K), number=min(K, 1 + inverses.size // _THREADED_SIZE))

    def multiply(W, matrices):
        W = W.astype(objective.dtype)[:, :, np.newaxis]
        if len(parts) == 1:
            return (matrices @ W)[:, :, 0]
        products = objective.threads.map(lambda part: matrices[part] @ W[part], parts)
        return np.concatenate(products)[:, :, 0]

    transposed = inverses.transpose(0, 2, 1)
    return ChangeOfVariables(
        objective,
        lambda W: multiply(W, transposed),
        lambda W: multiply(W, inverses),
        weight,
        moments.mean,
    )


@dataclass(frozen=True)
class Rung:
    """A kind of change of variables; `n_matrices(K)` of (p, p) is what it must factorise."""

    name: str
    make: Callable
    n_matrices: Callable


RUNGS = (
    Rung("diagonal", diagonal, lambda K: 0),
    Rung("shared", shared, lambda K: 1),
    Rung("class blocks", class_blocks, lambda K: K),
)


class Ladder:
    """The rungs that the data's shape allows, from the cheapest to the best, and their cost.

    Costs are in evaluations of the objective: two for the moments of the columns, and for
    each matrix ``m p^2`` multiplications to sum it over m rows and about ``p^3`` to factorise
    and invert it. Matrices may take `spare_bytes`. Two classes have the same block, which
    they share.
    """

    def __init__(self, objective):
        p, K = objective.n_features, objective.n_classes
        self._objective = objective
        bytes_allowed = spare_bytes(objective)
        self._costs = {
            rung: 2 + _matrix_work(objective, rung.n_matrices(K)) / objective.work
            for rung in RUNGS
            if rung.n_matrices(K) * p**2 * objective.dtype.itemsize <= bytes_allowed
            and not (K == 2 and rung.n_matrices(K) == 2)
        }

    def cost(self, rung):
        """Evaluations that making this change of variables is worth."""
        return self._costs[rung]

    def cost_per_iteration(self, rung):
        """Evaluations that an iteration is worth: one, and the products with T and T'."""
        p, K = self._objective.n_features, self._objective.n_classes
        products = p**2 * (40 * rung.n_matrices(K) + 2 * K) if rung.n_matrices(K) else 0
        return 1 + 2 * products / self._objective.work

    def first(self):
        """The best that costs few evaluations; at zero coefficients all classes share a matrix."""
        return [r for r, cost in self._costs.items() if cost <= 10 and r.n_matrices(2) < 2][-1]

    def allows(self, rung, cost):
        """Whether the rung fits in memory and costs no more than so many evaluations."""
        return self._costs.get(rung, np.inf) <= cost

    def above(self, rung):
        """The next better rung, or None."""
        better = [r for r in self._costs if r.n_matrices(2) > rung.n_matrices(2)]
        return better[0] if better else None


def spare_bytes(objective):
    """Memory that a solver may take beside X: 256 MiB, or as much as X if that is more."""
    return max(2**28, objective.n_stored * objective.X.dtype.itemsize)


def _matrix_work(objective, n_matrices):
    """Multiplications to sum, factorise and invert some (p, p) matrices."""
    if n_matrices == 0:
        return 0
    p = objective.n_features
    return n_matrices * ((rows_per_matrix(objective, n_matrices) + p) * p**2 + CALL_WORK / 4)


def _damped(curvature, at_start, damping):
    """A mixture of the curvature at theta and that at zero theta, by the weight of residuals."""
    return (1 - damping) * curvature + damping * at_start


def _gauge_factor(objective):
    """K / (K - 1)."""
    return objective.n_classes / (objective.n_classes - 1)


def _inverse_sqrt(diagonal):
    """``diagonal^-1/2``, and 0 where it is 0: what nothing depends on is left alone."""
    if not np.isfinite(diagonal.sum()):  # its inverse would be zero, and so would every step
        raise FloatingPointError(NOT_FINITE)
    positive = diagonal > 0
    return np.divide(1.0, np.sqrt(diagonal), out=np.zeros_like(diagonal), where=positive)


def _inverse_cholesky(A, ridge):
    """``L^-1`` with ``L L' = A + ridge I``; overwrites A.

    Columns are scaled to a unit diagonal first. What rounding leaves indefinite gets as much
    more on that diagonal as it takes.
    """
    diag = np.einsum("ii->i", A)  # a view
    diag += A.dtype.type(ridge)
    scale = _inverse_sqrt(diag)
    A *= scale
    A *= scale[:, np.newaxis]
    potrf, trtri = get_lapack_funcs(("potrf", "trtri"), (A,))
    jitter = 10 * np.finfo(A.dtype).eps
    failed = True
    while failed:
        diag[:] = 1 + jitter
        L, failed = potrf(A.T, lower=True, clean=True)  # A is symmetric; A.T needs no copy
        jitter *= 10
    inverse, _ = trtri(L, lower=True, overwrite_c=True)
    inverse *= scale
    return inverse
