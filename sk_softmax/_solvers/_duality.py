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

from sk_softmax._kernels import dual_entropy, dual_entropy_at
from sk_softmax._penalty import Penalty

_EPS = np.finfo(np.float64).eps
# Roundings of a logit that gradients may be off by.
_ROUNDINGS = 8
# Strength of squares whose conjugate multiplies such errors; they are left out, which lowers f*.
TINY_SQUARES = 1e-22


def lower_bound(objective, columns, penalty, V, gradient, value, D, corrected, allowed):
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
        From the gradient (K, q) of the loss along the step, and a mask of coefficients, to one more
        step, of those of the mask without squares, that brings them nearer to that minimum.
    allowed : float
        What the bound may be too low by, because D is not quite at that minimum.
    """
    p, loss = objective.n_features, objective.with_penalty(Penalty())
    theta = columns.theta_of(V.copy()).ravel()
    P = loss.probabilities(theta)
    product = loss.hessian_operator(theta, P)

    def times(D):
        return columns.gradient_of(product(columns.theta_of(D.copy()).ravel()).reshape(V.shape))

    G = gradient + times(D)
    G[:, :p] -= penalty.gradient(V[:, :p])
    penalty = replace(penalty, l2=np.where(penalty.l2 > TINY_SQUARES, penalty.l2, 0.0))
    rounding = _rounding(objective, columns, theta, value, P)
    limits = _Limits(penalty, V, value, rounding, p)
    dual = _corrected(_DualPoint(limits, D, G), times, corrected, allowed)
    if dual.share == 0:
        return -np.inf
    step = objective.unpack(columns.theta_of(dual.D.copy()).ravel())
    kernel, models = partial(dual_entropy, share=dual.share), (objective.unpack(theta),)
    if P is not None:
        kernel, models = partial(dual_entropy_at, share=dual.share, P=P), ()
    (entropy,) = objective.rows.reduce(kernel, *models, step)
    conjugate = penalty.conjugate(-dual.share * dual.gradient)
    return entropy - float(conjugate.sum()) - dual.of_rounding


def _corrected(dual, times, corrected, allowed):
    """The `_DualPoint` after as many corrections as it takes to lose no more than `allowed`."""
    dual = _settled(dual, times, corrected)
    while dual.lost > allowed:
        step = corrected(dual.G, np.ones(dual.G.shape, dtype=bool))
        nearer = _settled(dual.after(step, times), times, corrected)
        if not nearer.lost < 0.5 * dual.lost:
            break
        dual = nearer
    return dual


def _settled(dual, times, corrected):
    """The same where coefficients without a penalty have no gradient, but for its rounding."""
    while dual.is_unsettled.any():
        step = corrected(dual.G, dual.limits.is_free)
        nearer = dual.after(step, times)
        if not nearer.of_free < 0.5 * dual.of_free:
            break
        dual = nearer
    return dual


class _Limits:
    """Where the penalty's conjugate is finite, for G (K, q).

    Parameters
    ----------
    penalty : Penalty
    V : ndarray of shape (K, q)
    value : float
        f at V.
    rounding : ndarray of shape (K, q)
        What gradients may be off by.
    p : int
        Number of features.

    Attributes
    ----------
    is_free : ndarray of shape (K, q), bool
        Mask of what has no absolute value in its penalty.
    """

    def __init__(self, penalty, V, value, rounding, p):
        self.V, self.value, self.rounding, self.p = V, value, rounding, p
        self.l1 = np.zeros(V.shape)
        self.l1[:, :p] = penalty.l1
        self.is_free = self.l1 == 0
        has_no_squares = penalty.l2 == 0
        self._open_above = has_no_squares & np.isposinf(penalty.upper)
        self._open_below = has_no_squares & np.isneginf(penalty.lower)

    def apply_to(self, G):
        """Mask of the entries beyond which the conjugate is infinite: of intercepts, or open."""
        limited = np.ones(G.shape, dtype=bool)
        limited[:, : self.p] = np.where(G[:, : self.p] < 0, self._open_above, self._open_below)
        return limited


class _DualPoint:
    """The gradient G (K, q) of the loss along a step D, as a point of the dual.

    Attributes
    ----------
    share : float
        The largest share of p - q whose gradient is within the limits, at most one; zero where
        intercepts have a gradient.
    of_rounding : float
        What rounding errors of G may make of the bound.
    lost : float
        What the bound is too low by, at most, because of both. It is concave in the share, and not
        negative at zero.
    is_unsettled : ndarray of shape (K, q), bool
        Mask of what has no absolute value in its penalty and is beyond the limits.
    of_free : float
        The most that any of these is beyond them.
    """

    def __init__(self, limits, D, G):
        self.limits, self.D, self.G = limits, D, G
        is_limited = limits.apply_to(G)
        self._excess = np.maximum(abs(G) - limits.l1, 0) * is_limited
        self._is_beyond = self._excess > limits.rounding
        self.is_unsettled = self._is_beyond & limits.is_free
        self.of_free = (self._excess * limits.is_free).max()
        self.share = self._share()
        # G along a long step is as much off as logits of it are, also where that is not to be seen.
        unseen = _EPS * min(limits.value, 1.0) * abs(D).max() * is_limited
        off = np.where(self._is_beyond, 0, self._excess) + unseen
        self.of_rounding = 2 * float(off.sum(axis=0) @ abs(limits.V + D).max(axis=0))
        self.lost = (1 - self.share) * limits.value + self.of_rounding

    def _share(self):
        if not self._is_beyond.any():
            return 1.0
        l1, excess = self.limits.l1[self._is_beyond], self._excess[self._is_beyond]
        return float((l1 / (l1 + excess)).min()) * (1 - 4 * _EPS)

    def after(self, step, times):
        """The point after one more step."""
        return _DualPoint(self.limits, self.D + step, self.G + times(step))

    @property
    def gradient(self):
        """That of coefficients (K, p), without what is rounding beyond the limits."""
        is_rounding = (self._excess > 0) & ~self._is_beyond
        G = np.where(is_rounding, np.sign(self.G) * self.limits.l1, self.G)
        return G[:, : self.limits.p]


def _rounding(objective, columns, theta, value, P):
    """Of gradients in standardised columns (K, q), which are means of residuals times columns.

    Residuals are relative to f, up to one, and at least a rounding of one. Means that are far from
    zero, in deviations, cancel, and so they do in logits, by which the gradients of coefficients
    without absolute values may be off.
    """
    p, l1 = objective.n_features, np.asarray(objective.penalty.l1)
    least = _EPS * max(_ROUNDINGS * min(value, 1.0), 1.0)
    W = theta.reshape(objective.shape)[:, :p]
    smallest = 0 if P is None else P.min()
    # The logarithm of the smallest probability is about the largest range of logits.
    logit_range = -np.log(smallest) if smallest > 0 else objective.logit_range(theta)
    logits = 1 + logit_range + (abs(W) @ abs(columns.mean)).max()
    rounding = np.full(objective.shape, least * logits)
    rounding[:, :p][:, np.broadcast_to(l1 > 0, p)] = least
    rounding[:, :p] *= 1 + abs(columns.mean) * columns.scale
    return rounding
