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


def lower_bound(objective, columns, penalty, V, gradient, D):
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
        A step from there to the minimum of a model.
    """
    p = objective.n_features
    loss = objective.on(objective.rows, Penalty())
    theta, step = (columns.theta_of(A.copy()).ravel() for A in (V, D))
    G = gradient + columns.gradient_of(loss.hessian_operator(theta)(step).reshape(V.shape))
    G_W = G[:, :p] - penalty.gradient(V[:, :p])
    if not (abs(G[:, p:]) <= _ZERO).all():
        return -np.inf
    free = (penalty.l1 == 0) & (penalty.l2 == 0) & (abs(G_W) <= _ZERO)
    G_W[free] = 0.0
    share = _share(penalty, G_W)
    kernel = partial(dual_entropy, share=share)
    (entropy,) = objective.rows.reduce(kernel, objective.unpack(theta), objective.unpack(step))
    return entropy - float(penalty.conjugate(-share * G_W).sum())


def _share(penalty, G):
    """The largest share of G, at most one, that the penalty's conjugate is finite at."""
    open_end = np.where(G < 0, np.isposinf(penalty.upper), np.isneginf(penalty.lower))
    limited = open_end & (penalty.l2 == 0) & (abs(G) > penalty.l1)
    if not limited.any():
        return 1.0
    l1 = np.broadcast_to(penalty.l1, G.shape)[limited]
    return float((l1 / abs(G[limited])).min()) * (1 - 4 * np.finfo(float).eps)
