"""Variance reduction: what each row contributed when it was last in a batch.

The gradient of a row's loss is its residual times the row, so that K probabilities are enough to
remember it. With p_i' those of row i when it was last in a batch, SAGA (A. Defazio, F. Bach,
S. Lacoste-Julien, "SAGA: a fast incremental gradient method with support for non-strongly convex
composite objectives", NIPS 2014) replaces the estimate of a batch B of m rows by

    n/m sum_B s_i (p_i - p_i') x_i  +  sum_i s_i (p_i' - q_i) x_i .

Its expectation is the same, and its variance goes to zero as theta comes to rest.
"""

from sk_softmax._batches import Parameters, adder_of_multiples


class GradientTable:
    """The last probabilities of all rows, and the sum of their gradients.

    Parameters
    ----------
    objective : Objective
    P : ndarray of shape (K, n)
        The probabilities of the rows, and
    gradient : ndarray of shape (p + 1, K)
        that of their mean loss, where these probabilities are, and
    value : float
        the objective there.
    """

    def __init__(self, objective, P, gradient, value):
        self.value, self._n_samples = value, objective.n_samples
        self._P = (P * objective.rows.weights).T.copy()  # of a row, all beside each other
        self._sum = Parameters.of(objective, gradient)
        self._add_multiple = adder_of_multiples(objective.dtype)

    @classmethod
    def at(cls, objective, theta):
        """That of all rows at a flat theta, or None where memory does not allow it."""
        P = objective.probabilities(theta)
        if P is None:
            return None
        value, gradient = objective.value_and_gradient(theta)
        W, b = objective.unpack(theta)
        of_penalty = objective.pack(objective.penalty.gradient(W), 0 * b if b is not None else None)
        return cls(objective, P, (gradient - of_penalty).reshape(objective.shape).T, value)

    def exchange(self, rows, P):
        """Subtract from `P` (K, m), weighted as in a `Batch`, the last ones of some rows."""
        share = P.dtype.type(len(rows) / self._n_samples)
        last = self._P.take(rows, axis=0).T
        self._P[rows] = (share * P).T
        P -= last / share

    def correct(self, gradient, m):
        """Add the sum to the gradient of the differences of a batch of m rows, `Parameters`."""
        share = m / self._n_samples
        # In this order no rounding error of the sum is multiplied from one batch to the next.
        self._add_multiple(self._sum.flat, gradient.flat, share)
        gradient.flat *= gradient.flat.dtype.type(1 - share)
        gradient.flat += self._sum.flat
