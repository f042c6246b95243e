"""What the logits of one block of rows yield: kernels of sums over rows.

Each takes a `Block` and what a model makes of it, logits Z (K, m) without the offset, which it may
overwrite, and returns a tuple of numbers; or, for `Rows.moments` and `Rows.drawn_grams`, weights
(r, m) of the rows and such a tuple.
"""

import numpy as np
from scipy.special import entr

from sk_softmax._anywhere import (
    anywhere,
    column_max,
    column_min,
    dots,
    in_double,
    multiply_into,
    namespace_of,
    row_sums,
    taken,
)
from sk_softmax._softmax import binary_cross_entropy, cross_entropy, cross_entropy_of, softmax
from sk_softmax._two_classes import for_two_classes


def binary_residuals(block, d, keeps_probabilities=False):
    """`residuals` of two classes; what is kept are the smaller probabilities, (1, m)."""
    kept = [np.empty_like(d)] if keeps_probabilities else []
    return (*binary_loss_and_accuracy(block, d, *kept), kept)


def binary_loss_and_accuracy(block, d, P=None):
    """`loss_and_accuracy` of two classes."""
    targets, p = block.targets, None if P is None else P[0]
    d = targets.difference(d[0])
    h = targets.probability(d <= 0, d.dtype)
    return binary_cross_entropy(d, h, targets.labels, block.weights, p)


@for_two_classes(binary_residuals)
@anywhere
def residuals(block, Z, keeps_probabilities=False):
    """As `loss_and_accuracy`, and the softmax if it is kept, in a list."""
    kept = [np.empty_like(Z)] if keeps_probabilities else []
    return (*loss_and_accuracy(block, Z, *kept), kept)


@for_two_classes(binary_loss_and_accuracy)
@anywhere
def loss_and_accuracy(block, Z, P=None):
    """The loss and the weight of the rows that are right; turns Z into ``s (p - q)``.

    P, if given, is where the softmax p is written to.
    """
    targets = block.targets
    if targets.offset is not None:
        Z += targets.offset.T
    if not isinstance(Z, np.ndarray):
        Q, is_label = targets.matrix(Z.dtype), targets.is_label()
        return cross_entropy_of(Z, Q, is_label, block.weights)
    return cross_entropy(Z, targets.y, block.weights, targets.smoothing, P)


def mean_offset(block):
    """The weighted sum of the offsets, (K,)."""
    return ((block.weights @ block.targets.offset).astype(np.float64),)


def binary_hessian_product(block, D):
    """`hessian_product` of two classes."""
    at, step = D
    e = np.exp(-np.abs(block.targets.difference(at)))
    np.multiply(step, e / np.square(1 + e), out=at)
    at *= block.weights
    return ()


@for_two_classes(binary_hessian_product)
@anywhere
def hessian_product(block, Z):
    """Turn Z, logits of a model and of a step, into ``s (diag(p) - p p')`` times the latter."""
    K = block.targets.n_classes
    R, D = Z[:K, ...], Z[K:, ...]
    P = softmax(block.targets.logits(R))
    D -= dots(P, D)
    multiply_into(R, P, D)
    R *= block.weights
    return ()


def probabilities(block, Z):
    """The softmax, in a list."""
    return ([softmax(block.targets.logits(Z))],)


def binary_hessian_product_at(block, d, P):
    """`hessian_product_at` of two classes."""
    P = P[:, block.rows]
    d *= P[0] * P[1]
    d *= block.weights
    return ()


@for_two_classes(binary_hessian_product_at)
def hessian_product_at(block, Z, P):
    """As `hessian_product`, of the logits of a step alone, with the softmax P of all rows."""
    P = P[:, block.rows]
    Z -= dots(P, Z)
    Z *= P
    Z *= block.weights
    return ()


def binary_logit_range(block, d):
    """`logit_range` of two classes."""
    return (float(np.abs(d).max()),)


@for_two_classes(binary_logit_range)
@anywhere
def logit_range(block, Z):
    """The largest range over the classes."""
    xp = namespace_of(Z)
    return (float(xp.max(column_max(Z) - column_min(Z))),)


@anywhere
def margins(block, Z):
    """The most that a label of a row has above another class, and below."""
    xp, is_label = namespace_of(Z), block.targets.has()
    best = xp.max(column_max(xp.where(is_label, Z, -np.inf)) - column_min(Z))
    worst = xp.max(column_max(Z) - column_min(xp.where(is_label, Z, np.inf)))
    return float(best), float(worst)


@anywhere
def class_curvature(block, Z):
    """c_ik (K, m), and the sums that `Moments` call `weight` and `residual`."""
    P, s = softmax(block.targets.logits(Z)), block.weights
    residual = in_double(disagreement(P, block.targets.matrix(P.dtype))) @ in_double(s)
    P *= (1 - P) * s
    return P, (row_sums(P), residual)


@anywhere
def pooled_curvature(block, Z):
    """``sum_k c_ik`` (1, m), and the sums for each class that `class_curvature` has."""
    C, numbers = class_curvature(block, Z)
    return namespace_of(C).sum(C, axis=0, keepdims=True), numbers


@anywhere
def pair_curvature(block, Z, first, second):
    """``s_i p_ik p_il`` for pairs of classes k, l, (pairs, m)."""
    return pair_curvature_at(block, softmax(block.targets.logits(Z)), first, second)


@anywhere
def pair_curvature_at(block, P, first, second):
    """As `pair_curvature`, with the softmax P."""
    C = taken(P, first) * taken(P, second)
    C *= block.weights
    return C


def binary_pair_curvature_at(block, p, first, second):
    """`pair_curvature_at` of two classes, with the smaller probabilities p (1, m)."""
    c = p * (1 - p)
    c *= block.weights
    return c


def still_margins(block, Z, first, second, size):
    """One for pairs of a label of a row and a class whose margin is below `size`, else zero."""
    is_label = block.targets.has()
    is_still = np.abs(Z[first] - Z[second]) < size
    return (is_still & (is_label[first] | is_label[second])).astype(np.float64)


def complement(P):
    """1 - P of probabilities (K, m), accurate also where P is nearly one."""
    at = P.argmax(axis=0), np.arange(P.shape[1])
    rest, largest = 1 - P, P[at]
    P[at] = 0
    rest[at] = P.sum(axis=0)
    P[at] = largest
    return rest


def covariance_of_classes(p):
    """``diag(p) - p p'`` of probabilities p (K,): its rows sum to zero, and nothing cancels."""
    covariance = -np.outer(p, p)
    diagonal = np.einsum("kk->k", covariance)  # a view
    diagonal[:] = 0
    diagonal -= covariance.sum(axis=1)
    return covariance


def disagreement(P, Q):
    """Half the probability that for one of two draws, from P and from Q, it is the class."""
    return 0.5 * (P * (1 - Q) + Q * (1 - P))


def dual_entropy(block, Z, share):
    """``sum_i s_i (H(r_i) + (r_i - q_i) o_i)`` of ``r = q + share (p' - q)``, with H the entropy.

    Z are logits of a model and of a step, and p' is what the softmax p becomes along the step by
    its linear approximation; minus infinity if that is no distribution. o_i are offsets.
    """
    K, targets = block.targets.n_classes, block.targets
    return _dual_entropy(block, softmax(targets.logits(Z[:K])), Z[K:], share)


def dual_entropy_at(block, D, share, P):
    """As `dual_entropy`, of the logits of a step alone, with the softmax P of all rows."""
    return _dual_entropy(block, P[:, block.rows].copy(), D, share)


def _dual_entropy(block, P, D, share):
    targets = block.targets
    D -= dots(P, D)
    D += 1
    P *= D
    Q = targets.matrix(P.dtype)
    P -= Q
    P *= share
    of_offset = 0.0
    if targets.offset is not None:
        of_offset = float(np.einsum("km,mk->m", P, targets.offset) @ block.weights)
    P += Q
    if P.min() < 0:
        return (-np.inf,)
    return (float(entr(P).sum(axis=0) @ block.weights) + of_offset,)
