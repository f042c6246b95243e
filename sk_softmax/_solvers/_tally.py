"""Loss and accuracy of an epoch, from what its batches compute anyway."""

import numpy as np

from sk_softmax._softmax import weight_of_right


class Tally:
    """The losses and hits of an epoch's rows, noted batch by batch and summed up when asked for.

    The mean loss of a batch of m rows is ``weights @ log(normaliser) + rest``, with weights
    ``s_i n / m``.
    """

    def __init__(self, s, n_classes):
        self._s, self._n_classes = s, n_classes
        self.true_logit, self.normaliser = np.empty((2, len(s)), dtype=s.dtype)
        self._rows, self._rest = slice(0, 0), 0.0
        self._told = 0, 0.0

    def next_rows(self, m):
        """The rows of the next batch."""
        self._rows = slice(self._rows.stop, self._rows.stop + m)
        return self._rows

    def add(self, rest):
        """Note what the loss of that batch has beside the logarithms."""
        self._rest += rest * (self._rows.stop - self._rows.start)

    def metrics(self, start=0, rest=0.0):
        """Loss and accuracy of the rows from `start`, before which the rests were `rest`."""
        rows = slice(start, self._rows.stop)
        s, normaliser = self._s[rows].astype(np.float64), self.normaliser[rows]
        loss = len(self._s) * float(s @ np.log(normaliser)) + self._rest - rest
        correct = weight_of_right(self.true_logit[rows], normaliser, s, self._n_classes)
        return {
            "loss": loss / (rows.stop - rows.start),
            "accuracy": correct / float(s.sum()),
        }

    def since_last_time(self):
        """`metrics` of the rows since this was last asked."""
        told, self._told = self._told, (self._rows.stop, self._rest)
        return self.metrics(*told)
