"""The mathematics of one block of logits: softmax, log-softmax, cross-entropy.

Logits are laid out as ``Z`` of shape (K, m), classes by rows. Every reduction over the
classes then runs over the outer axis, which NumPy turns into K - 1 vector operations of
length m instead of m reductions of length K.

Nothing here takes the logarithm of a probability: with one logit far below the largest
one, the probability underflows to 0 while its logarithm is an ordinary number.
"""

import numpy as np

from sk_softmax._anywhere import column_max, column_sums, dots, in_double, namespace_of


def log_softmax(Z):
    """Logarithm of the softmax over the classes, ``Z - logsumexp(Z)``, of (K, m) logits."""
    shifted = Z - Z.max(axis=0)
    return shifted - np.log(np.exp(shifted).sum(axis=0))


def softmax(Z):
    """Softmax over the classes of (K, m) logits; each column sums to one."""
    P = namespace_of(Z).exp(Z - column_max(Z))
    P /= column_sums(P)
    return P


def weight_of_right(true_logit, normaliser, s, n_classes):
    """The weight s_i of the rows whose most probable class is the true one, if they favour one.

    From logits less the largest of their row: that of the true class, and the sum of their
    exponentials. Where all are equal, as at zero coefficients, no class is favoured.
    """
    right = true_logit == 0
    if normaliser[normaliser.argmax()] == n_classes:
        right &= normaliser < n_classes
    return float(np.dot(s, right.astype(s.dtype)))


def cross_entropy(Z, y, s, smoothing=0.0, P=None):
    """Return ``sum_i s_i H(q_i, softmax(z_i))`` and turn `Z` into ``s_i (p_i - q_i)``.

    The other thing returned is the sum of the s_i of the rows whose most probable class is that
    of `y`, if they favour one at all.

    `Z` (K, m), contiguous, holds logits on entry and the residuals, which are the gradient of
    the sum with respect to the logits, on return. `y` holds class codes (m,), which stand for
    ``q_i = (1 - smoothing) onehot(y_i) + smoothing / K``, or the q_i themselves, (m, K). `s`
    (m,) are weights. All but codes are in the dtype of `Z`. Both sums are Python floats, the
    first accumulated in float64. `P` (K, m), if given, is where the softmax is written to.
    """
    Z -= Z.max(axis=0)
    m = len(y)
    true = (y if y.ndim == 1 else y.argmax(axis=1)) * m + np.arange(m)  # places in a flat Z
    true_logit = Z.take(true)  # 0 where that class is the most probable one
    if y.ndim == 2:
        target_logit = np.einsum("km,mk->m", Z, y)
    elif smoothing:
        target_logit = (1 - smoothing) * true_logit + smoothing * Z.mean(axis=0)
    else:
        target_logit = true_logit
    np.exp(Z, out=Z)
    normaliser = Z.sum(axis=0)
    loss = np.log(normaliser) - target_logit
    correct = weight_of_right(true_logit, normaliser, s, len(Z))
    if P is not None:
        np.divide(Z, normaliser, out=P)
    Z *= s / normaliser
    if y.ndim == 2:
        Z -= y.T * s
    elif smoothing:
        Z -= s * Z.dtype.type(smoothing / len(Z))
        Z.reshape(-1)[true] -= s * Z.dtype.type(1 - smoothing)
    else:
        Z.reshape(-1)[true] -= s
    loss = np.dot(loss.astype(np.float64, copy=False), s.astype(np.float64, copy=False))
    return float(loss), correct


def binary_cross_entropy(d, h, label, s, p=None):
    """As `cross_entropy` of two classes, from ``d = z_1 - z_0`` (m,).

    d becomes ``s (p_1 - q_1)``. `h` (m,) are the targets of the less probable class, which is the
    second where ``d <= 0``, and `label` is 1 where the label is the second. `p` (m,), if given, is
    where the smaller probability is written to.

    With ``e = exp(-|d|)`` the less probable class of a row has ``p = e / (1 + e)``, and the loss is
    ``log(1 + e) + h |d|``: nothing cancels where a row is certain.
    """
    second = d > 0
    right = second == (label > 0)
    s_signed = np.copysign(s, 0 - d)  # positive where the first class is the more probable one
    np.abs(d, out=d)
    e = np.exp(-d)
    right &= e < 1  # where a class is favoured
    normaliser = 1 + e
    d *= h
    loss = np.log(normaliser)
    loss += d
    p = np.divide(e, normaliser, out=e if p is None else p)
    np.subtract(p, h, out=d)
    d *= s_signed
    loss = np.dot(loss.astype(np.float64, copy=False), s.astype(np.float64, copy=False))
    return float(loss), float(np.dot(s, right.astype(s.dtype)))


def cross_entropy_of(Z, Q, is_label, s):
    """The same of arrays of any library, for the q_i (K, m) and a mask of the labels among them."""
    xp = namespace_of(Z)
    Z -= column_max(Z)
    P = xp.exp(Z)
    normaliser = column_sums(P)
    loss = xp.log(normaliser) - dots(Q, Z)
    right = xp.all((Z == 0) | ~is_label, axis=0) & (normaliser < Z.shape[0])
    P /= normaliser
    Z[...] = (P - Q) * s
    loss, correct = in_double(loss) * in_double(s), s * xp.astype(right, s.dtype)
    return float(xp.sum(loss)), float(xp.sum(correct))
