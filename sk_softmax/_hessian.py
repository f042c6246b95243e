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
from functools import cache, cached_property

import numpy as np
from scipy import sparse

from sk_softmax._blocks import slices
from sk_softmax._factors import inverse_cholesky, inverse_sqrt
from sk_softmax._softmax import softmax

# Numbers in the weighted rows of a block that one product takes at once: they fit the cache.
_CHUNK_SIZE = 2**17
# Numbers in the standardised columns of all rows up to which they are kept.
_KEPT_SIZE = 2**22
# Columns from which the product of a matrix with its own transpose is quicker than any other.
_WIDE = 32
# Groups of rows that are summed into matrices of their own.
_MAX_GROUPS = 8


class PairSums:
    """Sums over the rows for each pair of classes, of standardised columns, in float64.

    Parameters
    ----------
    curvature : Curvature
        Whose means and variances of the columns standardise them.
    """

    def __init__(self, curvature):
        self.objective = objective = curvature.objective.astype(np.float64)
        K = objective.n_classes
        self.mean = curvature.mean.astype(np.float64)
        scale = inverse_sqrt(curvature.variance)
        self.scale = np.where(scale > 0, scale, 1.0)
        self.reference = int(np.argmax(objective.class_frequencies()))
        self.others = np.delete(np.arange(K), self.reference)
        # Pairs of classes, the reference last: their places, and their labels.
        self._first, self._second, self._incidence = _pairs(K)
        order = np.append(self.others, self.reference)
        self._classes = order[self._first], order[self._second]
        self._inner = self._second < K - 1
        self._penalty = objective.lam * np.multiply.outer(self.scale**2, np.eye(K - 1) - 1 / K)
        self._kept = {}
        parts = objective.parts
        self._groups = [
            [block for part in parts[group] for block in part]
            for group in slices(slice(0, len(parts)), number=min(len(parts), _MAX_GROUPS))
        ]

    @cached_property
    def largest_norm(self):
        """The largest norm of a standardised row, with the one for the intercept."""

        def largest(blocks):
            columns = (self.standardised(*block) for block in blocks)
            return max(np.einsum("jm,jm->m", X, X).max() for X in columns)

        return math.sqrt(max(self.objective.threads.map(largest, self.objective.parts)))

    def hessian(self, theta, known_logits=None):
        """The Hessian in a of the classes other than the reference, ((K - 1) q, (K - 1) q).

        The logits (K, n) at theta need not be computed again where they are known.
        """
        objective, (first, second) = self.objective, self._classes
        logits = objective.logits_at(theta) if known_logits is None else None

        def weights(rows, X):
            P = softmax(logits(objective.in_dtype(X)) if logits else known_logits[:, rows])
            C = P[first] * P[second]
            C *= objective.s[rows]
            return C

        H = self._matrix(weights)
        columns = np.arange(objective.n_features)
        H[:, columns, :, columns] += self._penalty
        return H.reshape(len(H) * objective.shape[1], -1)

    def gram_of_still_margins(self, step, size):
        """As `hessian`, with weight one for the margins that a step changes by less than `size`.

        A margin is what the logit of a label of a row has above that of another class.
        """
        objective, (first, second) = self.objective, self._classes
        logits = objective.logits_at(step)

        def weights(rows, X):
            Z, labels = logits(objective.in_dtype(X)), objective.is_label(rows)
            still = np.abs(Z[first] - Z[second]) < size
            return (still & (labels[first] | labels[second])).astype(np.float64)

        G = self._matrix(weights)
        return G.reshape(len(G) * objective.shape[1], -1)

    def theta_of(self, a):
        """theta, of layout (K, p + 1), of standardised a of the classes but the reference."""
        p, theta = self.objective.n_features, np.zeros(self.objective.shape)
        theta[self.others] = a
        theta[:, :p] *= self.scale
        if self.objective.fit_intercept:
            theta[:, -1] -= theta[:, :p] @ self.mean
        theta -= theta.sum(axis=0) / len(theta)
        return theta

    def gradient_of(self, G):
        """The gradient with respect to a from that with respect to theta, (K, p + 1)."""
        p = self.objective.n_features
        G = (G - G.sum(axis=0) / len(G))[self.others]
        if self.objective.fit_intercept:
            G[:, :p] -= G[:, -1:] * self.mean
        G[:, :p] *= self.scale
        return G

    def standardised_of(self, theta):
        """The a of which `theta_of` makes theta, but for one vector added to all its rows."""
        p = self.objective.n_features
        a = (theta - theta[self.reference])[self.others]
        if self.objective.fit_intercept:
            a[:, -1] += a[:, :p] @ self.mean
        a[:, :p] /= self.scale
        return a

    def standardised(self, rows, X):
        """The columns of a block, centred and scaled, and ones for the intercept, (q, m).

        Those of few rows are kept.
        """
        if rows.start in self._kept:
            return self._kept[rows.start]
        (m, p), q = X.shape, self.objective.shape[1]
        columns = np.ones((q, m))
        columns[:p] = (X.toarray() if sparse.issparse(X) else X).T
        columns[:p] -= self.mean[:, np.newaxis]
        columns[:p] *= self.scale[:, np.newaxis]
        if self.objective.n_samples * q <= _KEPT_SIZE:
            self._kept[rows.start] = columns
        return columns

    def _matrix(self, weights):
        """The Laplacian of the pairs' sums under some weights, without the reference's rows.

        ``weights(rows, X)`` are those of a block, of shape (pairs, m). Returns an array
        (K - 1, q, K - 1, q).
        """
        K, q = self.objective.shape
        A = self._sum(weights).reshape(-1, q, q)
        H, classes = np.zeros((K - 1, q, K - 1, q)), np.arange(K - 1)
        H[classes, :, classes] = (self._incidence[:-1] @ A.reshape(len(A), -1)).reshape(-1, q, q)
        if K > 2:
            first, second = self._first[self._inner], self._second[self._inner]
            H[first, :, second] = H[second, :, first] = -A[self._inner]
        return H

    def _sum(self, weights):
        """``sum_i c_i x_i x_i'`` for the weights of each pair, stacked, (pairs q, q)."""
        objective, n_pairs, q = self.objective, len(self._first), self.objective.shape[1]
        size = max(64, _CHUNK_SIZE // ((1 if q >= _WIDE else n_pairs) * q))

        def add(sums, C, columns):
            if q < _WIDE:
                sums += (C[:, np.newaxis] * columns).reshape(len(sums), -1) @ columns.T
                return
            for matrix, c in zip(sums.reshape(n_pairs, q, q), np.sqrt(C), strict=True):
                weighted = c * columns
                matrix += weighted @ weighted.T

        def group_sums(group):
            sums = np.zeros((n_pairs * q, q))
            for rows, X in group:
                C, columns = weights(rows, X), self.standardised(rows, X)
                for chunk in slices(slice(0, X.shape[0]), size=size):
                    add(sums, C[:, chunk], columns[:, chunk])
            return sums

        total, *others = objective.threads.map(group_sums, self._groups)
        for sums in others:
            total += sums
        return total


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
    logits : ndarray of shape (K, n), default=None
        At theta, where they are known.
    """

    def __init__(self, sums, theta, logits=None):
        self.sums, self.theta = sums, theta
        K, q = sums.objective.shape
        self.shape = K - 1, q
        self._inverse = inverse_cholesky(sums.hessian(theta, logits), 0.0)

    def forward(self, V):
        """T v, of theta's layout (K, p + 1)."""
        return self.sums.theta_of((V.ravel() @ self._inverse).reshape(self.shape))

    def backward(self, G):
        """T' g."""
        return (self._inverse @ self.sums.gradient_of(G).ravel()).reshape(self.shape)

    def leverage_bound(self):
        """At least `largest_leverage`, at no cost: by the norm of the inverse factor."""
        n_classes = min(2, self.shape[0])  # k and l, less the reference
        return math.sqrt(n_classes) * float(np.linalg.norm(self._inverse)) * self.sums.largest_norm

    def largest_leverage(self):
        """At least ``max ||(e_k - e_l) (x) x_i||`` in the norm of the inverse Hessian.

        The maximum over rows i and classes k, l. With v_k the image of ``e_k (x) x_i``, less the
        mean over the classes, it is bounded by ``||v_k|| + ||v_l||``.
        """
        sums, objective = self.sums, self.sums.objective
        K, q = objective.shape
        factors = np.zeros((K, len(self._inverse), q))
        factors[sums.others] = self._inverse.reshape(len(self._inverse), -1, q).swapaxes(0, 1)
        factors -= factors.sum(axis=0) / K
        if K == 2:
            factors = factors[:1]  # the other is minus this one
        M = (factors.swapaxes(1, 2) @ factors).reshape(-1, q)

        def largest(blocks):
            found = 0.0
            for rows, X in blocks:
                columns = sums.standardised(rows, X)
                squares = ((M @ columns).reshape(len(factors), q, -1) * columns).sum(axis=1)
                if K > 2:
                    squares.partition(K - 2, axis=0)
                two = np.sqrt(np.maximum(squares[-2:], 0))
                found = max(found, 2 * two.mean(axis=0).max())
            return found

        return float(max(objective.threads.map(largest, objective.parts)))
