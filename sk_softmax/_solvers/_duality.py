"""A lower bound on the minimum, by Fenchel duality.

As ``logsumexp(z) = max_p p z + H(p)`` over probabilities p, with H the entropy, any probabilities
p_i give, with ``G = sum_i s_i (p_i - q_i) x_i'`` and the penalty's conjugate,

    f* >= sum_i s_i H(p_i) - conjugate(-G).

The conjugate is infinite where a coefficient without a penalty has a gradient that is not zero, as
intercepts have before the minimum. So p is not the softmax at theta, but what it becomes, by its
linear approximation, along a step to the minimum of a quadratic model. The conditions of optimality
that the model's minimum meets are then those of p: G is the gradient of the loss plus its Hessian
times the step. Where absolute values alone bound G, p is drawn towards q until it is within them.

What G is beyond that by no more than its rounding errors counts as within, and the bound is lowered
by as much as twice the largest coefficients of the columns would make of it.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from sk_softmax._kernels import dual_entropy
from sk_softmax._penalty import Penalty

_EPS = np.finfo(np.float64).eps
# Roundings of a logit that gradients may be off by.
_ROUNDINGS = 8
# Strength of squares whose conjugate multiplies such errors; they are left out, which lowers f*.
TINY_SQUARES = 1e-22


def lower_bound(objective, columns, penalty, V, gradient, value, D, corrected):
    """A bound on the minimum of f from below, minus infinity if none is found.

    Parameters
    ----------
    objective : Objective
    columns : StandardisedColumns
    penalty : Penalty
        In the units of these columns.
    V, gradient : ndarray of shape (K, q)
        Parameters, and the gradient there of f without absolute values.
    value : float
        f there.
    D : ndarray of shape (K, q)
        A step from there to about the minimum of a model.
    corrected : callable
        From the gradient (K, q) of the loss along the step to one more step, of coefficients
        without squares, that brings them nearer to that minimum.
    """
    p, loss = objective.n_features, objective.with_penalty(Penalty())
    theta = columns.theta_of(V.copy()).ravel()
    product = loss.hessian_operator(theta)

    def times(D):
        return columns.gradient_of(product(columns.theta_of(D.copy()).ravel()).reshape(V.shape))

    G = gradient + times(D)
    G[:, :p] -= penalty.gradient(V[:, :p])
    penalty = replace(penalty, l2=np.where(penalty.l2 > TINY_SQUARES, penalty.l2, 0.0))
    zero, excess = _rounding(objective, columns, theta, value), _excess(penalty, G, p)
    while excess.max() > _EPS:  # the model's minimum is one up to an accuracy
        step = corrected(G)
        nearer = G + times(step)
        left = _excess(penalty, nearer, p)
        if not left.max() < 0.5 * excess.max():
            break
        D, G, excess = D + step, nearer, left
    is_beyond = excess > zero
    if is_beyond[:, p:].any():
        return -np.inf
    # G along a long step is as much off as logits of it are, also where that is not to be seen.
    unseen = _EPS * min(value, 1.0) * abs(D).max() * _is_limited(penalty, G, p)
    off = np.where(is_beyond, 0, excess) + unseen
    of_rounding = 2 * float(off.sum(axis=0) @ abs(V + D).max(axis=0))
    is_rounding = (excess > 0) & ~is_beyond
    G, l1 = G[:, :p], np.broadcast_to(penalty.l1, G[:, :p].shape)
    G = np.where(is_rounding[:, :p], np.sign(G) * l1, G)
    share = _share(l1, np.where(is_beyond, excess, 0)[:, :p])
    step = objective.unpack(columns.theta_of(D.copy()).ravel())
    kernel = partial(dual_entropy, share=share)
    (entropy,) = objective.rows.reduce(kernel, objective.unpack(theta), step)
    return entropy - float(penalty.conjugate(-share * G).sum()) - of_rounding


def _rounding(objective, columns, theta, value):
    """Of gradients in standardised columns (K, q), which are means of residuals times columns.

    Residuals are relative to f, up to one, and at least a rounding of one. Means that are far from
    zero, in deviations, cancel, and so they do in logits, by which the gradients of coefficients
    without absolute values may be off.
    """
    p, l1 = objective.n_features, np.asarray(objective.penalty.l1)
    least = _EPS * max(_ROUNDINGS * min(value, 1.0), 1.0)
    W = theta.reshape(objective.shape)[:, :p]
    logits = 1 + objective.logit_range(theta) + (abs(W) @ abs(columns.mean)).max()
    rounding = np.full(objective.shape, least * logits)
    rounding[:, :p][:, np.broadcast_to(l1 > 0, p)] = least
    rounding[:, :p] *= 1 + abs(columns.mean) * columns.scale
    return rounding


def _excess(penalty, G, p):
    """How far each entry of G (K, q) is from where the penalty's conjugate is finite."""
    excess = abs(G)
    excess[:, :p] = np.maximum(excess[:, :p] - penalty.l1, 0)
    return excess * _is_limited(penalty, G, p)


def _is_limited(penalty, G, p):
    """Mask of the entries of G beyond which the conjugate is infinite: of intercepts, or open."""
    limited = np.ones(G.shape, dtype=bool)
    is_open = np.where(G[:, :p] < 0, np.isposinf(penalty.upper), np.isneginf(penalty.lower))
    limited[:, :p] = is_open & (penalty.l2 == 0)
    return limited


def _share(l1, excess):
    """The share of a gradient, at most one, that is nowhere beyond l1 if it is so by `excess`."""
    beyond = excess > 0
    if not beyond.any():
        return 1.0
    return float((l1[beyond] / (l1 + excess)[beyond]).min()) * (1 - 4 * _EPS)
