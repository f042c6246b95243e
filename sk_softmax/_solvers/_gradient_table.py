"""Variance reduction: what each row contributed when it was last in a batch.

The gradient of a row's loss is its residual times the row, so that K probabilities are enough to
remember it. With p_i' those of row i when it was last in a batch, SAGA (A. Defazio, F. Bach,
S. Lacoste-Julien, "SAGA: a fast incremental gradient method with support for non-strongly convex
composite objectives", NIPS 2014) replaces the estimate of a batch B of m rows by

    n/m sum_B s_i (p_i - p_i') x_i  +  sum_i s_i (p_i' - q_i) x_i .

Its expectation is the same, and its variance goes to zero as theta comes to rest.
"""

import numpy as np

from sk_softmax._batches import Parameters, adder_of_multiples


class GradientTable:
    """The last probabilities of all rows, and the sum of their gradients.

    An epoch fills it, in which gradients are left as they are, unless it is made `at` a theta.
    """

    def __init__(self, objective):
        self._n_samples = objective.n_samples
        self._P = np.empty((objective.n_samples, objective.n_classes), dtype=objective.dtype)
        self._sum = Parameters(objective)
        self._add_multiple = adder_of_multiples(objective.dtype)
        self._is_full, self.value = False, None

    @classmethod
    def at(cls, objective, theta):
        """That of all rows at a flat theta, where f is its `value`; None for rows far away."""
        P = objective.probabilities(theta)
        if P is None:
            return None
        table, (W, b) = cls(objective), objective.unpack(theta)
        table._P[:] = (P * objective.rows.weights).T
        table.value, gradient = objective.value_and_gradient(theta)
        gradient -= objective.pack(objective.penalty.gradient(W), None if b is None else 0 * b)
        table._sum = Parameters.of(objective, gradient.reshape(objective.shape).T)
        table.complete()
        return table

    @staticmethod
    def n_bytes(objective):
        """The memory that a table takes."""
        return objective.n_samples * objective.n_classes * objective.dtype.itemsize

    def exchange(self, rows, P, Q):
        """Subtract from `P` (K, m) the last probabilities of some rows, at first their targets `Q`.

        All are weighted as in a `Batch`.
        """
        share = P.dtype.type(len(rows) / self._n_samples)
        last = self._P.take(rows, axis=0).T
        self._P[rows] = (share * P).T
        P -= last / share if self._is_full else Q

    def correct(self, gradient, m):
        """Add the sum to the gradient of the differences of a batch of m rows, `Parameters`."""
        share = m / self._n_samples
        # In this order no rounding error of the sum is multiplied from one batch to the next.
        self._add_multiple(self._sum.flat, gradient.flat, share)
        if self._is_full:
            gradient.flat *= gradient.flat.dtype.type(1 - share)
            gradient.flat += self._sum.flat

    def complete(self):
        """Note that every row has been visited."""
        self._is_full = True
