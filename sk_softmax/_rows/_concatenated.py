"""Rows that come in parts: sums of the sums of other rows."""

from functools import cached_property

import numpy as np

from sk_softmax._rows._base import add_in_place, combined


class ConcatenatedRows:
    """Other rows one below the other, of any kinds; their weights together add up to one.

    Nothing is asked of a part but what `Rows` promises.

    Parameters
    ----------
    parts : list of Rows
    """

    keeps_logits = False

    def __init__(self, parts):
        self.row_parts = parts
        first = parts[0]
        self.n_features, self.n_classes, self.dtype = first.n_features, first.n_classes, first.dtype
        self.n_samples = sum(part.n_samples for part in parts)
        self.n_stored = sum(part.n_stored for part in parts)
        self.work = sum(part.work for part in parts)
        self.spare_bytes = sum(part.spare_bytes for part in parts)
        self.smallest_weight = min(part.smallest_weight for part in parts)
        self.float_dtype = np.result_type(*(part.float_dtype for part in parts))
        self.precisions = min((part.precisions for part in parts), key=len)
        self.coef_dtype = np.result_type(*(part.coef_dtype for part in parts))
        self.are_centred = all(part.are_centred for part in parts)
        self.have_zeros = any(part.have_zeros for part in parts)
        self.has_offset = any(part.has_offset for part in parts)
        self.are_one_hot = all(part.are_one_hot for part in parts)

    @cached_property
    def class_weight(self):
        """Share of each class in the targets, by weight, (K,)."""
        return sum(part.class_weight for part in self.row_parts)

    def astype(self, dtype):
        """The same rows computed in `dtype`."""
        return ConcatenatedRows([part.astype(dtype) for part in self.row_parts])

    def standardised(self, center, scale):
        """As `Rows.standardised`."""
        return ConcatenatedRows([part.standardised(center, scale) for part in self.row_parts])

    def rotated(self):
        """None: that takes all rows at once."""

    def first_row(self):
        """The values of the first row, (p,)."""
        return self.row_parts[0].first_row()

    def reduce(self, kernel, *models, combine=None):
        """As `Rows.reduce`."""
        parts = [part.reduce(kernel, *models, combine=combine) for part in self.row_parts]
        return combined(parts, combine)

    def accumulate(self, kernel, *models):
        """As `Rows.accumulate`."""
        parts = [part.accumulate(kernel, *models) for part in self.row_parts]
        return combined(parts, add_in_place)

    def sums(self, kernel, *models):
        """As `Rows.sums`."""
        return _added(part.sums(kernel, *models) for part in self.row_parts)

    def moments(self, kernel, model, center, n_weights):
        """As `Rows.moments`."""
        return _added(part.moments(kernel, model, center, n_weights) for part in self.row_parts)

    def drawn_grams(self, kernel, model, means, n_rows, statistics):
        """As `Rows.drawn_grams`; each part draws as many rows as its share of all."""
        grams = 0
        for part in self.row_parts:
            m = -(-n_rows * part.n_samples // self.n_samples)
            grams = grams + part.drawn_grams(kernel, model, means, m, statistics)
        return grams


def _added(parts):
    """Triples of numbers and two arrays, added up."""
    numbers, first, second = zip(*parts, strict=True)
    return combined(numbers), sum(first), sum(second)
