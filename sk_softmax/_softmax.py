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


def cross_entropy(Z, y, s):
    """Return ``sum_i s_i H(q_i, softmax(z_i))`` and turn `Z` into ``s_i (p_i - q_i)``.

    `Z` (K, m) holds logits on entry and the residuals, which are the gradient of the sum
    with respect to the logits, on return. `y` (m,) holds class codes, `s` (m,) weights in
    the dtype of `Z`. The sum is a Python float, accumulated in float64.
    """
    columns = np.arange(Z.shape[1])
    Z -= Z.max(axis=0)
    true_logit = Z[y, columns]
    np.exp(Z, out=Z)
    normaliser = Z.sum(axis=0)
    loss = np.log(normaliser)
    loss -= true_logit
    Z *= s / normaliser
    Z[y, columns] -= s
    return float(np.dot(loss.astype(np.float64, copy=False), s.astype(np.float64, copy=False)))
