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

    During the first epoch it is filled, and gradients are left as they are.
    """

    def __init__(self, objective):
        self._n_samples = objective.n_samples
        self._P = np.empty((objective.n_samples, objective.n_classes), dtype=objective.dtype)
        self._sum = Parameters(objective)
        self._add_multiple = adder_of_multiples(objective.dtype)
        self._is_full = False

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
        if self._is_full:
            gradient.flat += self._sum.flat
            self._sum.flat *= self._sum.flat.dtype.type(1 - share)
        self._add_multiple(self._sum.flat, gradient.flat, share)

    def complete(self):
        """Note that every row has been visited."""
        self._is_full = True
