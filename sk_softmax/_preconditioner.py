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

from sk_softmax._curvature import Moments, rows_per_matrix
from sk_softmax._factors import (
    BlockFactors,
    DiagonalFactor,
    SharedFactor,
    inverse_cholesky,
    inverse_sqrt,
)
from sk_softmax._hessian import FactorisedHessian
from sk_softmax._rows import CALL_WORK, READ_WORK, pairs_work

DAMPING = 0.03
# Matrices of the size of the whole Hessian that exist while it is summed, by parts, and inverted.
_HESSIANS = 7
# Evaluations of the objective that a matrix may cost at any time.
CHEAP = 10


class ChangeOfVariables:
    """``T = gauge . centring . factor`` on arrays of theta's layout (K, p + 1).

    Parameters
    ----------
    objective : Objective
    factor : DiagonalFactor, SharedFactor or BlockFactors
        Of an approximate inverse Hessian of the coefficients, (K, p) to (K, p).
    weight, mean : ndarray of shape (K,); (K, p), or (1, p) for all classes
        Weight of the rows for each class, and means of the columns.
    """

    def __init__(self, objective, factor, weight, mean):
        self.shape = objective.shape
        self._factor = factor
        self._n_features = objective.n_features
        self._fit_intercept = objective.fit_intercept
        self._mean = mean
        self._intercept_scale = inverse_sqrt(gauge_factor(objective) * weight)

    def forward(self, V):
        """T v."""
        theta = np.empty(V.shape)
        W = self._factor.apply(V[:, : self._n_features])
        theta[:, : self._n_features] = W
        if self._fit_intercept:
            theta[:, -1] = V[:, -1] * self._intercept_scale - (W * self._mean).sum(axis=1)
        theta -= theta.sum(axis=0) / len(theta)
        return theta

    def backward(self, G):
        """T' g."""
        V = G - G.sum(axis=0) / len(G)
        if not self._fit_intercept:
            return self._factor.apply_transpose(V).astype(np.float64, copy=False)
        b = V[:, -1:]
        V[:, :-1] = self._factor.apply_transpose(V[:, :-1] - b * self._mean)
        V[:, -1] *= self._intercept_scale
        return V


@dataclass(frozen=True)
class CurvatureEstimate:
    """What is known of the Hessian of the loss at some theta, whatever the penalty is.

    Attributes
    ----------
    moments : Moments
    matrices : ndarray or None
        Of shape (p, p), shared by all classes, or (K, p, p); None if variances are all.
    """

    moments: Moments
    matrices: np.ndarray | None = None


def diagonal(curvature, theta, damping=DAMPING):
    """From the diagonal of the Hessian at theta; any data, no more memory than theta."""
    return factorised_diagonal(curvature, diagonal_estimate(curvature, theta), damping)


def diagonal_estimate(curvature, theta):
    """Of each coefficient's variance."""
    return CurvatureEstimate(curvature.moments(theta))


def factorised_diagonal(curvature, estimate, damping):
    """The change of variables of a `diagonal_estimate`, with the penalty of the objective."""
    moments = estimate.moments
    at_start = np.outer(moments.residual, curvature.variance)
    variance = _damped(moments.variance, at_start, damping)
    weight = _damped(moments.weight, moments.residual, damping)
    return of_variances(curvature.objective, weight, moments.mean, variance)


def of_variances(objective, weight, mean, variance):
    """From the diagonal of a Hessian, given by what `Moments` hold."""
    scale = inverse_sqrt(gauge_factor(objective) * variance + objective.penalty.l2)
    return ChangeOfVariables(objective, DiagonalFactor(scale), weight, mean)


def shared(curvature, theta, damping=DAMPING):
    """From the covariance of the columns, weighted for each class by its curvature.

    At zero coefficients that is the Hessian, a Kronecker product.
    """
    return factorised_shared(curvature, shared_estimate(curvature, theta), damping)


def shared_estimate(curvature, theta):
    """Of one matrix for all classes."""
    return CurvatureEstimate(*curvature.pooled(theta))


def factorised_shared(curvature, estimate, damping):
    """The change of variables of a `shared_estimate`, with the penalty of the objective."""
    objective, moments = curvature.objective, estimate.moments
    weight = _damped(moments.weight, moments.residual, damping)
    share = gauge_factor(objective) * weight / weight.sum()
    residual = moments.residual.sum().astype(objective.dtype)
    covariance = _damped(estimate.matrices, residual * curvature.covariance, damping)
    inverse = inverse_cholesky(covariance, objective.penalty.l2 / share.mean())
    factor = SharedFactor(inverse_sqrt(share)[:, np.newaxis], inverse, objective.threads)
    return ChangeOfVariables(objective, factor, weight, moments.mean)


def class_blocks(curvature, theta, damping=DAMPING):
    """From the Hessian's diagonal blocks at theta, one (p, p) for each class."""
    estimate = block_estimate(curvature, theta)
    return factorised_blocks(curvature, estimate, damping, overwrite=True)


def block_estimate(curvature, theta):
    """Of one matrix for each class."""
    return CurvatureEstimate(*curvature.of_classes(theta))


def factorised_blocks(curvature, estimate, damping, overwrite=False):
    """The change of variables of a `block_estimate`, with the penalty of the objective.

    Its matrices may be overwritten.
    """
    objective, moments = curvature.objective, estimate.moments
    gauge, at_start = gauge_factor(objective), curvature.covariance
    weight = _damped(moments.weight, moments.residual, damping)
    residual = moments.residual.astype(objective.dtype)
    K, p, _ = estimate.matrices.shape
    inverses = estimate.matrices if overwrite else np.empty_like(estimate.matrices)

    def invert(k):
        block = _damped(estimate.matrices[k], residual[k] * at_start, damping)
        inverses[k] = inverse_cholesky(gauge * block, objective.penalty.l2)

    objective.threads.map(invert, range(K), K * p**3)
    factor = BlockFactors(inverses, objective.threads)
    return ChangeOfVariables(objective, factor, weight, moments.mean)


@dataclass(frozen=True)
class PreconditionerKind:
    """A kind of change of variables.

    `make(curvature, theta, damping)` makes one. `size(p, K)` is the number of numbers in its
    factor, of which there are `copies` while it is made, and `work(objective)` the multiplications
    to sum, factorise and invert it.
    """

    name: str
    make: Callable
    size: Callable
    work: Callable
    copies: int = 1


def _work_of_matrices(n_matrices):
    """Function from an objective to the multiplications that some (p, p) matrices take."""

    def work(objective):
        K, p = objective.n_classes, objective.n_features
        number = n_matrices(K)
        m = rows_per_matrix(objective, number) if number else 0
        return number * (m * pairs_work(p) + p**3 + CALL_WORK / 4)

    return work


def _work_of_hessian(objective):
    """Multiplications for the pairs of classes, on all rows, and for one large matrix."""
    K, q = objective.shape
    pairs = K * (K - 1) / 2 * objective.n_samples * pairs_work(q)
    return pairs + ((K - 1) * q) ** 3 + CALL_WORK


def whole(curvature, theta, damping=0.0, P=None):
    """From the whole Hessian at theta: exact, so that steps can be limited without damping.

    P is what an `Evaluation` kept of the probabilities at theta, or None.
    """
    sums = curvature.pair_sums
    H = sums.hessian(theta, P)
    return FactorisedHessian(sums, theta, H, curvature.objective.penalty)


DIAGONAL = PreconditionerKind("diagonal", diagonal, lambda p, K: 0, _work_of_matrices(lambda K: 0))
SHARED = PreconditionerKind("shared", shared, lambda p, K: p**2, _work_of_matrices(lambda K: 1))
CLASS_BLOCKS = PreconditionerKind(
    "class blocks", class_blocks, lambda p, K: K * p**2, _work_of_matrices(lambda K: K)
)
WHOLE = PreconditionerKind(
    "hessian", whole, lambda p, K: ((K - 1) * (p + 1)) ** 2, _work_of_hessian, _HESSIANS
)
KINDS = (DIAGONAL, SHARED, CLASS_BLOCKS, WHOLE)


class PreconditionerCosts:
    """The kinds that the data's shape allows, from the cheapest to the best, and their cost.

    Costs are in evaluations of the objective: two for the moments of the columns, and the work
    of its matrices. These may take `spare_bytes`. Two classes have the same block, which they
    share.
    """

    def __init__(self, objective):
        p, K = objective.n_features, objective.n_classes
        self._objective = objective
        bytes_allowed = objective.rows.spare_bytes
        self._costs = {
            kind: 2 + kind.work(objective) / objective.work
            for kind in KINDS
            if 8 * kind.copies * kind.size(p, K) <= bytes_allowed
            and not (K == 2 and kind is CLASS_BLOCKS)
        }

    def cost(self, kind):
        """Evaluations that making this change of variables is worth."""
        return self._costs[kind]

    def cost_per_iteration(self, kind):
        """Evaluations that an iteration is worth: one, and the products with T and T'."""
        p, K = self._objective.n_features, self._objective.n_classes
        size = kind.size(p, K)
        products = READ_WORK / 2 * size + 2 * K * p**2 if size else 0
        return 1 + 2 * products / self._objective.work

    def first(self):
        """The best that costs few evaluations; at zero coefficients all classes share a matrix."""
        kinds = WHOLE, SHARED
        return next((kind for kind in kinds if self.allows(kind, CHEAP)), DIAGONAL)

    def allows(self, kind, cost):
        """Whether the kind fits in memory and costs no more than so many evaluations."""
        return self._costs.get(kind, np.inf) <= cost

    def best_within(self, kind, cost):
        """The best kind that costs no more than so many evaluations, at least the given one."""
        better = [r for r in self._costs if self._costs[r] <= cost]
        return max([kind, *better], key=KINDS.index)


def _damped(curvature, at_start, damping):
    """A mixture of the curvature at theta and that at zero theta, by the weight of residuals."""
    return (1 - damping) * curvature + damping * at_start


def gauge_factor(objective):
    """K / (K - 1)."""
    return objective.n_classes / (objective.n_classes - 1)
