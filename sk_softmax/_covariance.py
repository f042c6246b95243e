"""The minimum to all digits, and the covariance of what is estimated there.

With S the sum of the weights and H the Hessian of f (`_hessian.py`), ``S H`` is the observed
information: the Hessian of minus the log-likelihood, and of ``1/(2 C) ||W||^2`` if there is a
penalty. Its inverse is the covariance of the maximum-likelihood estimates. The sandwich

    H^-1 M H^-1 / S,   M = 1/S sum_i s_i g_i g_i',   g_i = (p_i - q_i) (x) x_i

is right for large samples also where the model is wrong (P. J. Huber, "The behavior of maximum
likelihood estimates under nonstandard conditions", 1967). A weight that is not a number of
repetitions belongs to one row, whose gradient is ``s_i g_i``: then M has ``s_i^2 / S``.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from sk_softmax._curvature import Curvature
from sk_softmax._factors import null_space, with_unit_diagonal
from sk_softmax._hessian import PairSums
from sk_softmax._rows import slices
from sk_softmax._softmax import softmax

_MAX_STEPS = 30
# Squared standard errors from the minimum that are nothing.
_EXACT = 1e-22
# Squared pivots, of a matrix with a unit diagonal, that are rounding errors of zero.
_SINGULAR = 1e-13
# Numbers in the changes of logits that are held at once.
_CHUNK_SIZE = 2**20


class SingularHessian(ValueError):
    """Columns that are linear combinations of others, by index, intercept last; or none."""

    def __init__(self, columns):
        super().__init__(f"columns {columns}")
        self.columns = columns


class FarFromMinimum(ValueError):
    """The number of standard errors to the minimum, or infinity if there is none near."""

    def __init__(self, distance):
        super().__init__(f"{distance} standard errors")
        self.distance = distance


@dataclass(frozen=True)
class Estimates:
    """theta (K, p + 1) at the minimum, and its covariance ``B N B'`` divided by S.

    `factor` is B of shape (K, p + 1, m), with ``B B'`` the inverse Hessian. `loss` is the mean
    cross-entropy and `df` the trace of ``H^-1`` with the Hessian of the loss alone: the number of
    parameters, or less with a penalty.
    """

    theta: np.ndarray
    factor: np.ndarray
    middle: np.ndarray
    total: float
    loss: float
    df: float

    def covariance(self, factor):
        """That of what has a `factor` (..., m) like theta's, its axes but the last flattened."""
        factor = factor.reshape(-1, factor.shape[-1])
        return factor @ self.middle @ factor.T / self.total


def estimates(objective, theta, total, sandwich=None, slack=1.0):
    """The `Estimates` at the minimum near theta.

    `total` is S. `sandwich` is None for the inverse Hessian, otherwise the power of s_i in the
    sandwich: 1 for repetitions, 2 for weights. More than `slack` squared standard errors away from
    theta there is none.
    """
    sums = PairSums(Curvature(objective))
    theta, R = _polished(sums, theta, total, slack)
    K, q = objective.shape
    columns = [sums.theta_of(column.reshape(K - 1, q)) for column in R.T]
    factor = np.stack(columns, axis=2)
    middle = np.eye(len(R))
    if sandwich is not None:
        middle = R.T @ _squared_scores(sums, theta, total, sandwich) @ R
    slopes = factor[:, : objective.n_features]
    df = len(R) - float(np.sum(objective.penalty.l2 * np.square(slopes).sum(axis=(0, 2))))
    loss, _ = objective.loss(theta)
    return Estimates(theta.reshape(K, q), factor, middle, total, loss, df)


def _polished(sums, theta, total, slack):
    """theta at the minimum by Newton's method, flat, and R with ``R R' = H^-1`` there."""
    objective, previous = sums.objective, math.inf
    for _ in range(_MAX_STEPS):
        H = sums.hessian(theta)
        sums.add_penalty(H, objective.penalty)
        R = _inverse_factor(sums, H)
        _, gradient = objective.value_and_gradient(theta)
        u = R.T @ sums.gradient_of(gradient.reshape(objective.shape)).ravel()
        squared = total * float(u @ u)
        if squared > slack:
            raise FarFromMinimum(math.sqrt(squared))
        if squared < _EXACT or squared >= previous:  # differences are rounding errors
            return theta, R
        step = sums.theta_of((R @ -u).reshape(len(sums.others), -1))
        theta, previous = theta + step.ravel(), squared
    raise FarFromMinimum(math.inf)


def _inverse_factor(sums, H):
    """R with ``R R' = H^-1``, or `SingularHessian`."""
    scaled, scale = with_unit_diagonal(H)
    try:
        L = cholesky(scaled, lower=True)
    except LinAlgError:
        L = np.zeros((1, 1))
    if np.diag(L).min() ** 2 < _SINGULAR:
        raise SingularHessian(_dependent_columns(sums))
    inverse = solve_triangular(L, np.eye(len(L)), lower=True, overwrite_b=True)
    return (inverse / scale).T


def _dependent_columns(sums):
    """Indices of the columns that a linear combination makes zero, the intercept last."""
    null, _ = null_space(sums.gram)
    return np.flatnonzero(abs(null).max(axis=1, initial=0) > 1e-6)


def _squared_scores(sums, theta, total, power):
    """M in the variables of the Hessian, ((K - 1) q, (K - 1) q)."""
    kernel = partial(
        _add_squared_scores, others=sums.others, total=total, power=power, **sums.standardisation
    )
    (M,) = sums.rows.accumulate(kernel, sums.objective.unpack(theta))
    return M


def _add_squared_scores(M, block, Z, others, total, power, mean, scale, q):
    residuals = softmax(block.targets.logits(Z)) - block.targets.matrix(Z.dtype)
    scores = (residuals[others, np.newaxis] * block.columns(mean, scale)[:q]).reshape(
        len(others) * q, -1
    )
    weighted = scores * (block.weights * (total * block.weights) ** (power - 1))
    return (weighted @ scores.T + (0 if M is None else M[0]),)


def average_effects(objective, found):
    """``sum_i s_i d p_ik / d x_ij`` (K, p), and its factor (K, p, m), at the `Estimates`.

    The derivatives are ``p_ik (w_kj - sum_l p_il w_lj)``. The factor is made from directions in
    which theta changes by `found.factor`, and the logits of a row by dz (K, rows, m).
    """
    p = objective.n_features
    W, b = objective.unpack(found.theta.ravel())
    dW = found.factor[:, :p]
    db = found.factor[:, np.newaxis, p] if objective.fit_intercept else 0.0
    return objective.rows.reduce(partial(_effects, W=W, b=0.0 if b is None else b, dW=dW, db=db))


def _effects(block, W, b, dW, db):
    """`average_effects` of a block."""
    effects, factor = np.zeros(W.shape), np.zeros(dW.shape)
    size = max(1, _CHUNK_SIZE // (len(W) * dW.shape[2]))
    for chunk in slices(slice(0, len(block.weights)), size=size):
        X, s = block.dense(chunk), block.weights[chunk]
        P = softmax(block.targets[chunk].logits((X @ W.T + b).T))
        dz = X @ dW + db
        dP = P[:, :, np.newaxis] * (dz - np.einsum("kn,knm->nm", P, dz))
        slopes = W[:, np.newaxis] - P.T @ W
        sP = s * P
        effects += np.einsum("kn,knj->kj", sP, slopes)
        factor += slopes.swapaxes(1, 2) @ (s[:, np.newaxis] * dP)
        factor += sP.sum(axis=1)[:, np.newaxis, np.newaxis] * dW
        factor -= np.tensordot(sP @ P.T, dW, 1)
        factor -= np.einsum("lj,klm->kjm", W, np.einsum("kn,lnm->klm", sP, dP))
    return effects, factor
