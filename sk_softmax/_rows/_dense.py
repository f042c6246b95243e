"""Rows in an array."""

from dataclasses import replace

import numpy as np

from sk_softmax._rows._base import combined, value_work
from sk_softmax._rows._in_memory import SPARE_BYTES, InMemoryRows, added_up, moments_by_rows
from sk_softmax._rows._products import is_mapped, padded_number, times_rows
from sk_softmax._rows._rotation import Rotation, rotation_pays


class DenseRows(InMemoryRows):
    """Rows of an ndarray of any real type and strides, or of a memory map."""

    are_centred = True
    precisions = (np.float32, np.float64)

    @property
    def n_stored(self):
        """Numbers that X holds."""
        return self.X.size

    def _value_work(self):
        """That of reading it and of two thin products."""
        return value_work(self.n_classes)

    def held_columns(self):
        """Mask (p,) of the columns of which a value is stored: all."""
        return np.ones(self.n_features, dtype=bool)

    def by_rows(self):
        """The rows with their values side by side in memory, for random access.

        Where columns are side by side instead, as in most data frames, that takes a copy. A
        memory map is left as it is.
        """
        X = self.X
        if is_mapped(X) or abs(X.strides[0]) >= abs(X.strides[1]):
            return self
        return self.with_columns(np.ascontiguousarray(X))

    def gathered(self, places, out=None):
        """The rows at some places, as they are stored; `out` is one of `buffers`."""
        if out is None:  # `take` would first copy the whole of X
            return np.asarray(self.X[places])
        # A mode other than "raise" writes to the buffer itself.
        return self.X.take(places, axis=0, out=out[: len(places)], mode="clip")

    def buffers(self, n_rows):
        """Memory for `gathered` rows, twice; None where X is not contiguous."""
        if not self.X.flags.c_contiguous:
            return None, None
        return np.empty((2, n_rows, self.n_features), dtype=self.X.dtype)

    def rotated(self):
        """As `Rows.rotated`."""
        return Rotation(self) if rotation_pays(self) else None

    def first_row(self):
        """The values of the first row, (p,)."""
        return self.X[0].astype(np.float64)

    def _convert_to_float32(self):
        """Have blocks view one copy of X in float32, if evaluations are, where memory allows it.

        To convert them for each evaluation takes as long as it saves.
        """
        is_wanted = self.parts[0][0].X.dtype != self.dtype == np.float32
        is_small = self.may_copy and 4 * self.n_stored <= SPARE_BYTES
        if not (is_wanted and is_small) or is_mapped(self.X):
            return
        converted = np.empty_like(self.X, dtype=np.float32)

        def fill(part):
            for block in part:
                converted[block.rows] = block.X

        self.threads.map(fill, self.parts, self.work)
        self.parts = [
            [replace(block, X=converted[block.rows]) for block in part] for part in self.parts
        ]

    def _sums(self, kernel, *models):
        """`sums` of models that are folded if they can be."""
        self._convert_to_float32()
        K, p = models[0][0].shape
        logits = self._padded_logits_of(*models)
        n_logits, n_padded = len(models) * K, padded_number(K)

        def part_sums(blocks):
            G, G1, numbers = np.zeros((K, p)), np.zeros(K), []
            for block in blocks:
                X = block.values  # converted at most once
                Z = logits(X)
                numbers.append(kernel(block, Z[:n_logits]))
                Z[K:n_padded] = 0  # where they are logits of another model
                G += times_rows(Z[:n_padded], X)[:K]
                G1 += Z[:K].sum(axis=1, dtype=np.float64)
            return combined(numbers), G, G1

        return added_up(self.threads.map(part_sums, self.parts, self.work))

    def moments(self, kernel, model, center, n_weights):
        """As `Rows.moments`."""
        return moments_by_rows(self, kernel, model, center, n_weights)
