"""The mathematics of one block of logits: softmax, log-softmax, cross-entropy.

Logits are laid out as ``Z`` of shape (K, m), classes by rows. Every reduction over the
classes then runs over the outer axis, which NumPy turns into K - 1 vector operations of
length m instead of m reductions of length K.

Nothing here takes the logarithm of a probability: with one logit far below the largest
one, the probability underflows to 0 while its logarithm is an ordinary number.
"""

import numpy as np


def log_softmax(Z):
    """Logarithm of the softmax over the classes, ``Z - logsumexp(Z)``, of (K, m) logits."""
    shifted = Z - Z.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


def softmax(Z):
    """Softmax over the classes of (K, m) logits; each column sums to one."""
    P = np.exp(Z - Z.max(axis=0))
    P /= P.sum(axis=0)
    return P


def cross_entropy(Z, y, s, smoothing=0.0):
    """Return ``sum_i s_i H(q_i, softmax(z_i))`` and turn `Z` into ``s_i (p_i - q_i)``.

    `Z` (K, m) holds logits on entry and the residuals, which are the gradient of the sum
    with respect to the logits, on return. `y` holds class codes (m,), which stand for
    ``q_i = (1 - smoothing) onehot(y_i) + smoothing / K``, or the q_i themselves, (m, K). `s`
    (m,) are weights. All but codes are in the dtype of `Z`. The sum is a Python float,
    accumulated in float64.
    """
    Z -= Z.max(axis=0)
    target_logit = _target_logit(Z, y, smoothing)
    np.exp(Z, out=Z)
    normaliser = Z.sum(axis=0)
    loss = np.log(normaliser)
    loss -= target_logit
    Z *= s / normaliser
    if y.ndim == 2:
        Z -= y.T * s
    elif smoothing:
        Z -= s * Z.dtype.type(smoothing / len(Z))
        Z[y, np.arange(len(y))] -= s * Z.dtype.type(1 - smoothing)
    else:
        Z[y, np.arange(len(y))] -= s
    return float(np.dot(loss.astype(np.float64, copy=False), s.astype(np.float64, copy=False)))


def _target_logit(Z, y, smoothing):
    """``sum_k q_ik z_ik``, (m,)."""
    if y.ndim == 2:
        return np.einsum("km,mk->m", Z, y)
    target_logit = Z[y, np.arange(len(y))]
    if smoothing:
        target_logit *= 1 - smoothing
        target_logit += smoothing * Z.mean(axis=0)
    return target_logit
