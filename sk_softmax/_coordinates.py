"""The Hessian of the loss on some of the coefficients, in standardised columns.

With P (K, n) the probabilities, the entry for coefficients (k, j) and (l, m) is

    sum_i s_i p_ik (delta_kl - p_il) x_ij x_im.

So the matrix is ``- B B'`` with B the columns ``sqrt(s_i) p_ik x_ij``, but for the blocks of each
class, which are ``X_k' diag(s p_k (1 - p_k)) X_k``. Where all coefficients are zero, all rows have
the same probabilities, and one sum ``sum_i s_i x_ij x_im`` serves all pairs of classes.
"""

from functools import partial

import numpy as np
from scipy.linalg.blas import dsyrk

from sk_softmax._kernels import class_curvature, complement, covariance_of_classes, disagreement
from sk_softmax._penalty import Penalty
from sk_softmax._rows._base import add_in_place
from sk_softmax._softmax import softmax


class Coordinates:
    """Some of the coefficients and intercepts, V of shape (K, q), in standardised columns.

    Parameters
    ----------
    objective : Objective
        In float64.
    columns : StandardisedColumns
    mask : ndarray of shape (K, q), bool
        Which ones.
    V : ndarray of shape (K, q)
        Where the Hessian is taken: columns without a coefficient have no part in it.
    """

    def __init__(self, objective, columns, mask, V):
        rows, p = objective.rows, objective.n_features
        used = np.flatnonzero((mask | (V != 0))[:, :p].any(axis=0))
        if 8 * rows.n_stored * len(used) <= p * rows.spare_bytes and 0 < len(used) < p:
            rows = rows.select(used)
        else:
            used = np.arange(p)
        places = np.append(used, np.arange(p, mask.shape[1]))
        self._mask = mask[:, places]
        self._columns = some = columns.select(used)
        self._units = {"mean": some.mean, "scale": some.scale}
        self._loss = objective.on(rows).with_penalty(Penalty())
        theta = self._columns.theta_of(V[:, places])
        self._theta, self._model = theta.ravel(), self._loss.unpack(theta)
        self._places = _places_by_class(self._mask)

    def __len__(self):
        return int(np.count_nonzero(self._mask))

    @property
    def work(self):
        """What an evaluation of the loss is worth that these coefficients alone have a part in."""
        return self._loss.work

    def hessian(self):
        """The matrix."""
        common = self._loss.common_probabilities(*self._model)
        if common is not None:
            return self._hessian_under(common)
        q = self._mask.shape[1]
        kernel = partial(_add_hessian, places=self._places, size=len(self), q=q, **self._units)
        H, *blocks = self._loss.rows.accumulate(kernel, self._model)
        for (_, _, place), block in zip(self._places, blocks, strict=True):
            H[place, place] = block
            H[place, place.stop :] = H[place.stop :, place].T
        return H

    def _hessian_under(self, P):
        """The matrix where all rows have the same probabilities P (K, 1), from one sum."""
        of_classes = covariance_of_classes(P[:, 0])
        kernel = partial(_add_gram, q=self._mask.shape[1], **self._units)
        (gram,) = self._loss.rows.accumulate(kernel)
        k, j = np.nonzero(self._mask)
        return of_classes[np.ix_(k, k)] * gram[np.ix_(j, j)]

    def operator(self):
        """Function from a vector to its product with the matrix."""
        product = self._loss.hessian_operator(self._theta)

        def times(v):
            V = np.zeros(self._mask.shape)
            V[self._mask] = v
            H = product(self._columns.theta_of(V).ravel())
            return self._columns.gradient_of(H.reshape(V.shape))[self._mask]

        return times

    def class_blocks(self):
        """The blocks of the matrix on its diagonal, one for each class."""
        kernel = partial(_add_class_blocks, places=self._places, **self._units)
        return self._loss.rows.accumulate(kernel, self._model)

    def diagonal(self, weights=class_curvature):
        """The diagonal of the matrix, or that under other weights of the rows."""
        rows, columns = self._loss.rows, self._columns
        center = columns.mean if rows.are_centred else np.zeros_like(columns.mean)
        numbers, first, second = rows.moments(weights, self._model, center, rows.n_classes)
        total = numbers[0][:, np.newaxis]
        off = columns.mean - center
        D = np.empty(self._mask.shape)
        p = len(off)
        D[:, :p] = np.maximum(second - 2 * off * first + off**2 * total, 0) * columns.scale**2
        D[:, p:] = total
        return D[self._mask]

    @property
    def n_pairs(self):
        """Numbers in the blocks of the classes."""
        return int((self._mask.sum(axis=1).astype(float) ** 2).sum())


def _places_by_class(mask):
    """For each class its columns, and where they are among all coefficients."""
    ends = np.cumsum(mask.sum(axis=1))
    starts = ends - mask.sum(axis=1)
    return [
        (k, np.flatnonzero(mask[k]), slice(start, end))
        for k, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True))
        if end > start
    ]


def _add_hessian(total, block, Z, places, size, mean, scale, q):
    """Add a block of rows to ``- B B'``, below its diagonal, and to the matrices of the classes.

    The latter are not made by subtraction, so that their small entries are accurate.
    """
    P, X = softmax(block.targets.logits(Z)), block.columns(mean, scale)[:q] * np.sqrt(block.weights)
    R = np.sqrt(P * complement(P))
    B, added = np.empty((size, X.shape[1])), []
    for k, columns, place in places:
        some = X[columns]
        np.multiply(some, P[k], out=B[place])
        some *= R[k]
        added.append(some @ some.T)
    H = np.zeros((size, size), order="F") if total is None else total[0]
    if len(places) > 1:  # a large matrix is read and written once, and no other is made
        H = dsyrk(-1.0, B.T, beta=1.0, c=H, trans=True, lower=True, overwrite_c=True)
    return H, *(added if total is None else add_in_place(total[1:], added))


def _add_gram(total, block, Z, mean, scale, q):
    """Add ``sum_i s_i x_i x_i'`` of standardised columns."""
    added = block.grams([(np.arange(q), block.weights)], mean, scale)
    return added if total is None else add_in_place(total, added)


def _add_class_blocks(total, block, Z, places, mean, scale):
    """Add a block of rows to the matrices of the classes."""
    P = softmax(block.targets.logits(Z))
    P *= complement(P)
    P *= block.weights
    added = block.grams([(columns, P[k]) for k, columns, _ in places], mean, scale)
    return added if total is None else add_in_place(total, added)


def residual_weights(block, Z):
    """The disagreement of p and q, (K, m), as a kernel for `Coordinates.diagonal`."""
    targets = block.targets
    C = disagreement(softmax(targets.logits(Z)), targets.matrix(Z.dtype)) * block.weights
    return C, (C.sum(axis=1, dtype=np.float64),)
