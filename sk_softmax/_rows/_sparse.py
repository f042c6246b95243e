"""Rows in a CSR matrix."""

from functools import cached_property

import numpy as np

from sk_softmax._rows._base import combined
from sk_softmax._rows._column_sums import ColumnSums
from sk_softmax._rows._in_memory import InMemoryRows, moments_by_rows


class SparseRows(InMemoryRows):
    """Rows of a CSR matrix without duplicates, float32 or float64."""

    are_centred = False

    @property
    def precisions(self):
        """float32 only of values that are: to convert them takes as long as it saves."""
        return (np.float32, np.float64) if self.X.dtype == np.float32 else (np.float64,)

    @property
    def n_stored(self):
        """Numbers that X holds."""
        return self.X.nnz

    def _value_work(self):
        """That of two sparse products."""
        return 120 * self.n_classes

    def held_columns(self):
        """Mask (p,) of the columns of which a value is stored; of the first where none is."""
        held = np.zeros(self.n_features, dtype=bool)
        held[self.X.indices if self.n_stored else 0] = True
        return held

    def by_rows(self):
        """The rows themselves: their values are side by side."""
        return self

    def gathered(self, places, out=None):
        """The rows at some places."""
        return self.X[places]

    def buffers(self, n_rows):
        """None, twice: `gathered` rows are stored anew."""
        return None, None

    def rotated(self):
        """None: the columns would be dense."""

    def first_row(self):
        """The values of the first row, (p,)."""
        return self.X[[0]].toarray()[0].astype(np.float64)

    @cached_property
    def _column_sums(self):
        return ColumnSums(self.X, self.n_classes, self.threads, task_work=self.part_work)

    def _sums(self, kernel, *models):
        """`sums` of models that are folded if they can be."""
        K, logits = len(models[0][0]), self.logits_of(*models)

        def weights(block):
            Z = logits(block)
            numbers = kernel(block, Z)
            return Z[:K], (numbers, Z[:K].sum(axis=1, dtype=np.float64))

        G = np.zeros((K, self.n_features))
        others = self._column_sums.add(self._block, weights, self.dtype, G)
        numbers, G1 = zip(*others, strict=True)
        return combined(numbers), G, sum(G1)

    def moments(self, kernel, model, center, n_weights):
        """As `Rows.moments`.

        By columns only where there is a weight for each class: a product with a column sums a whole
        chunk of rows in `dtype`.
        """
        if n_weights < self.n_classes:
            return moments_by_rows(self, kernel, model, center, n_weights)
        logits = self.logits_of(model)

        def weights(block):
            return kernel(block, logits(block))

        first, second = np.zeros((2, n_weights, self.n_features))
        numbers = self._column_sums.add(self._block, weights, self.dtype, first, second)
        return combined(numbers), first, second
