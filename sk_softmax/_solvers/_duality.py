"""A lower bound on the minimum, by Fenchel duality.

As ``logsumexp(z) = max_p p z + H(p)`` over probabilities p, with H the entropy, any probabilities
p_i give, with ``G = sum_i s_i (p_i - q_i) x_i'`` and the penalty's conjugate,

    f* >= sum_i s_i H(p_i) - conjugate(-G).

The conjugate is infinite where a coefficient without a penalty has a gradient that is not zero, as
intercepts have before the minimum. So p is not the softmax at theta, but what it becomes, by its
linear approximation, along a step to the minimum of a quadratic model. The conditions of optimality
that the model's minimum meets are then those of p: G is the gradient of the loss plus its Hessian
times the step. Where absolute values alone bound G, p is drawn towards q until it is within them.
"""

from functools import partial

import numpy as np

from sk_softmax._kernels import dual_entropy
from sk_softmax._penalty import Penalty

# Gradient that counts as zero, of coefficients without a penalty in standardised columns, whose
# means of absolute residuals times columns are at most one.
_ZERO = 1e-11
# Newton steps that may be taken to make them zero; the Hessian may be that of a point nearby.
_CORRECTIONS = 4


def lower_bound(objective, columns, penalty, V, gradient, D, corrected):
    """A bound on the minimum of f from below, minus infinity if none is found.

    Parameters
    ----------
    objective : Objective
    columns : StandardisedColumns
    penalty : Penalty
        In the units of these columns.
    V, gradient : ndarray of shape (K, q)
        Parameters, and the gradient there of f without absolute values.
    D : ndarray of shape (K, q)
        A step from there to about the minimum of a model.
    corrected : callable
        From a gradient (K, q) to a step of coefficients without a penalty that makes theirs zero,
        or nearly so, and a mask of these.
    """
    p, loss = objective.n_features, objective.with_penalty(Penalty())
    theta = columns.theta_of(V.copy()).ravel()
    product = loss.hessian_operator(theta)

    def times(D):
        return columns.gradient_of(product(columns.theta_of(D.copy()).ravel()).reshape(V.shape))

    G = gradient + times(D)
    G[:, :p] -= penalty.gradient(V[:, :p])
    for _ in range(_CORRECTIONS):
        step, free = corrected(G)
        if (abs(G[free]) <= _ZERO).all():
            break
        D, G = D + step, G + times(step)
    G[:, p:][abs(G[:, p:]) <= _ZERO] = 0.0
    if G[:, p:].any():
        return -np.inf
    G[:, :p][(penalty.l1 == 0) & (penalty.l2 == 0) & (abs(G[:, :p]) <= _ZERO)] = 0.0
    share = _share(penalty, G[:, :p])
    kernel = partial(dual_entropy, share=share)
    step = objective.unpack(columns.theta_of(D.copy()).ravel())
    (entropy,) = objective.rows.reduce(kernel, objective.unpack(theta), step)
    return entropy - float(penalty.conjugate(-share * G[:, :p]).sum())


def _share(penalty, G):
    """The largest share of G, at most one, that the penalty's conjugate is finite at."""
    open_end = np.where(G < 0, np.isposinf(penalty.upper), np.isneginf(penalty.lower))
    limited = open_end & (penalty.l2 == 0) & (abs(G) > penalty.l1)
    if not limited.any():
        return 1.0
    l1 = np.broadcast_to(penalty.l1, G.shape)[limited]
    return float((l1 / abs(G[limited])).min()) * (1 - 4 * np.finfo(float).eps)
