"""The whole Hessian, its factor, and the largest leverage of a row under it.

The Hessian of the mean loss is a graph Laplacian over the classes,

    H = sum_{k<l} (e_k - e_l)(e_k - e_l)' (x) A_kl,   A_kl = 1/S sum_i s_i p_ik p_il x_i x_i',

so that sums over pairs of classes make it without any cancellation. It is factorised on class
rows that sum to zero: with a class of reference r, theta is the projection of some a with
``a_r = 0``. In a the Hessian is that of the other classes, and the penalty

    lam/2 ||W||^2 = lam/2 sum_kl (delta_kl - 1/K) w_k' w_l.

The reference is the class of the largest weight: the blocks of the others, on the diagonal, are
then larger than those beside them. Columns are centred and scaled to unit variance.
"""

import math
from functools import cache, cached_property, partial

import numpy as np

from sk_softmax._anywhere import anywhere
from sk_softmax._factors import inverse_cholesky
from sk_softmax._kernels import (
    binary_pair_curvature_at,
    covariance_of_classes,
    pair_curvature,
    pair_curvature_at,
    still_margins,
)
from sk_softmax._rows import add_weighted_grams, largest


class PairSums:
    """Sums over the rows for each pair of classes, of standardised columns, in float64.

    Parameters
    ----------
    curvature : Curvature
        Whose means and variances of the columns standardise them.
    """

    def __init__(self, curvature):
        # Another object of the same rows: that of the curvature keeps these sums, and would never
        # be freed if they kept it.
        self.objective = objective = curvature.objective.on(curvature.objective.rows)
        K = objective.n_classes
        self.columns = columns = curvature.standardised_columns
        self.rows = objective.rows.astype(np.float64).standardised(columns.mean, columns.scale)
        self.reference = int(np.argmax(self.rows.class_weight))
        self.others = np.flatnonzero(np.arange(K) != self.reference)
        # Class rows that sum to zero, (K, q), are this matrix times a.
        self._basis = np.eye(K)[:, self.others] - 1 / K
        self._basis_gram = self._basis[self.others, :, np.newaxis]  # its product with itself
        # Pairs of classes, the reference last: their places, and their labels.
        self._first, self._second, self._incidence = _pairs(K)
        order = np.append(self.others, self.reference)
        self._classes = {"first": order[self._first], "second": order[self._second]}
        self._inner = self._second < K - 1

    @cached_property
    def largest_norm(self):
        """The largest norm of a standardised row, with the one for the intercept."""
        kernel = partial(_largest_square, **self.standardisation)
        return math.sqrt(self.rows.reduce(kernel, combine=largest)[0])

    def hessian(self, theta, P=None):
        """That of the loss in a of the classes other than the reference, ((K - 1) q, (K - 1) q).

        P is what an `Evaluation` kept of the probabilities at theta, or None. Where all rows have
        the same ones, the sums of all pairs are one.
        """
        common = None
        if P is None:
            common = self.objective.common_probabilities(*self.objective.unpack(theta))
        if common is not None:
            of_classes = covariance_of_classes(common[:, 0])[np.ix_(self.others, self.others)]
            H = of_classes[:, np.newaxis, :, np.newaxis] * self.gram[:, np.newaxis]
            return H.reshape(len(H) * self.objective.shape[1], -1)
        weights = pair_curvature
        if P is not None:
            weights = pair_curvature_at if len(P) > 1 else binary_pair_curvature_at
        H = self._matrix(partial(weights, **self._classes), theta, P)
        return H.reshape(len(H) * self.objective.shape[1], -1)

    @cached_property
    def gram(self):
        """``sum_i s_i x_i x_i'``, (q, q)."""
        (gram,) = self.grams(_row_weights)
        return gram

    @property
    def knows_gram(self):
        """Whether `gram` has been summed."""
        return "gram" in vars(self)

    def add_penalty(self, H, penalty):
        """Add the Hessian of a penalty to that of the loss."""
        K, q = self.objective.shape
        diagonals = np.einsum("kjlj->klj", H.reshape(K - 1, q, K - 1, q))  # a view
        squares = penalty.l2 * self.columns.scale**2
        diagonals[:, :, : len(squares)] += self._basis_gram * squares

    def gram_of_still_margins(self, step, size):
        """As `hessian`, with weight one for the margins that a step changes by less than `size`.

        A margin is what the logit of a label of a row has above that of another class.
        """
        G = self._matrix(partial(still_margins, **self._classes, size=size), step)
        return G.reshape(len(G) * self.objective.shape[1], -1)

    def theta_of(self, a):
        """theta, of layout (K, p + 1), of standardised a of the classes but the reference."""
        return self._basis @ self.columns.theta_of(a.copy())

    def gradient_of(self, G):
        """The gradient with respect to a from that with respect to theta, (K, p + 1)."""
        return self.columns.gradient_of(self._basis.T @ G)

    def standardised_of(self, theta):
        """The a of which `theta_of` makes theta, but for one vector added to all its rows."""
        return self.columns.of_theta((theta - theta[self.reference])[self.others])

    def columns_and_labels(self):
        """Standardised columns (q, n) of all rows, in memory, and `Targets.has` of these (K, n)."""
        columns, labels = self.rows.reduce(partial(_columns_and_labels, **self.standardisation))
        return np.hstack(columns), np.hstack(labels)

    def largest_form(self, M):
        """The largest sum of roots of two of the forms ``x' M_k x`` at a standardised row x.

        Of M (r, q, q). A single form counts twice.
        """
        kernel = partial(_largest_form, M=M, **self.standardisation)
        return self.rows.reduce(kernel, combine=largest)[0]

    @property
    def standardisation(self):
        """What makes a block's columns those of this object."""
        columns = self.columns
        return {"mean": columns.mean, "scale": columns.scale, "q": self.objective.shape[1]}

    def grams(self, weights, theta=None, known=None):
        """``sum_i c_ri x_i x_i'``, (r, q, q), for the weights (r, m) of ``weights(block, Z)``.

        Z are the logits at theta, or a block of what is `known` of all rows, (K, n); None without
        either.
        """
        kernel = partial(_grams, weights=weights, known=known, **self.standardisation)
        models = [] if theta is None or known is not None else [self.objective.unpack(theta)]
        (sums,) = self.rows.accumulate(kernel, *models)
        return sums

    def _matrix(self, weights, theta, known=None):
        """The Laplacian of the pairs' sums under some weights, without the reference's rows.

        ``weights(block, Z)`` are of shape (pairs, m). Returns an array (K - 1, q, K - 1, q).
        """
        K, q = self.objective.shape
        A = self.grams(weights, theta, known)
        if K == 2:
            return A.reshape(1, q, 1, q)
        H, classes = np.zeros((K - 1, q, K - 1, q)), np.arange(K - 1)
        H[classes, :, classes] = (self._incidence[:-1] @ A.reshape(len(A), -1)).reshape(-1, q, q)
        first, second = self._first[self._inner], self._second[self._inner]
        H[first, :, second] = H[second, :, first] = -A[self._inner]
        return H


@anywhere
def _grams(total, block, Z, weights, known, mean, scale, q):
    """Add ``sum_i c_i x_i x_i'`` for the weights of a block, (r, q, q)."""
    C = weights(block, Z if known is None else known[:, block.rows])
    (sums,) = (np.zeros((C.shape[0], q, q)),) if total is None else total
    add_weighted_grams(sums, C, block.columns(mean, scale)[:q])
    return (sums,)


@anywhere
def _row_weights(block, Z):
    return block.weights[None, ...]


def _largest_square(block, mean, scale, q):
    columns = block.columns(mean, scale)[:q]
    return (float(np.einsum("jm,jm->m", columns, columns).max()),)


def _largest_form(block, M, mean, scale, q):
    columns = block.columns(mean, scale)[:q]
    forms = ((M.reshape(-1, q) @ columns).reshape(len(M), q, -1) * columns).sum(axis=1)
    if len(M) > 2:
        forms.partition(len(M) - 2, axis=0)
    two = np.sqrt(np.maximum(forms[-2:], 0))
    return (float(2 * two.mean(axis=0).max()),)


def _columns_and_labels(block, mean, scale, q):
    return [block.columns(mean, scale)[:q]], [block.targets.has()]


@cache
def _pairs(K):
    """The two members of each pair of K classes, and which class is in which pair, (K, pairs)."""
    first, second = np.triu_indices(K, 1)
    pairs, incidence = np.arange(len(first)), np.zeros((K, len(first)))
    incidence[first, pairs] = incidence[second, pairs] = 1
    return first, second, incidence


class FactorisedHessian:
    """The change of variables ``theta = theta_0 + T v`` with ``T T'`` the inverse Hessian.

    Exact up to rounding, on all rows, in float64. `shape` is that of v, `theta` where it was made.

    Parameters
    ----------
    sums : PairSums
        Of an objective whose minimum has class rows that sum to zero.
    theta : ndarray
        Flat.
    H : ndarray
        That of the loss there, by `PairSums.hessian`; overwritten.
    penalty : Penalty
    """

    def __init__(self, sums, theta, H, penalty):
        self.sums, self.theta = sums, theta
        K, q = sums.objective.shape
        self.shape = K - 1, q
        sums.add_penalty(H, penalty)
        self._inverse = inverse_cholesky(H, 0.0)

    def forward(self, V):
        """T v, of theta's layout (K, p + 1)."""
        return self.sums.theta_of((V.ravel() @ self._inverse).reshape(self.shape))

    def backward(self, G):
        """T' g."""
        return (self._inverse @ self.sums.gradient_of(G).ravel()).reshape(self.shape)

    @cached_property
    def has_no_curvature(self):
        """Whether all probabilities that some parameter changes have vanished.

        Rows have an infinite leverage there, and the inverse factor holds a zero in its place.
        """
        is_still = (np.diag(self._inverse) == 0).reshape(self.shape)
        return bool(is_still.any() and (is_still & (np.diag(self.sums.gram) > 0)).any())

    def leverage_bound(self):
        """At least `largest_leverage`, at no cost: by the norm of the inverse factor."""
        if self.has_no_curvature:
            return math.inf
        n_classes = min(2, self.shape[0])  # k and l, less the reference
        return math.sqrt(n_classes) * float(np.linalg.norm(self._inverse)) * self.sums.largest_norm

    def largest_leverage(self):
        """At least ``max ||(e_k - e_l) (x) x_i||`` in the norm of the inverse Hessian.

        The maximum over rows i and classes k, l. With v_k the image of ``e_k (x) x_i``, less the
        mean over the classes, it is bounded by ``||v_k|| + ||v_l||``.
        """
        if self.has_no_curvature:
            return math.inf
        K, q = self.sums.objective.shape
        factors = np.zeros((K, len(self._inverse), q))
        factors[self.sums.others] = self._inverse.reshape(len(self._inverse), -1, q).swapaxes(0, 1)
        factors -= factors.sum(axis=0) / K
        if K == 2:
            factors = factors[:1]  # the other is minus this one
        return self.sums.largest_form(factors.swapaxes(1, 2) @ factors)
