"""Rows that come in parts: sums of the sums of other rows."""

from functools import partial
from operator import methodcaller

import numpy as np
from numpy.typing import DTypeLike

from sk_softmax._rows._base import CALL_WORK, Rows, add_in_place, combined

_FACTS = (
    "n_samples",
    "n_features",
    "n_classes",
    "n_stored",
    "dtype",
    "float_dtype",
    "precisions",
    "coef_dtype",
    "work",
    "spare_bytes",
    "class_weight",
    "smallest_weight",
    "are_one_hot",
    "have_zeros",
    "has_offset",
    "are_centred",
)


class ConcatenatedRows:
    """Other rows one below the other, of any kinds; their weights together add up to one.

    Nothing is asked of a part but what `Rows` promises, and all of it by `_of_parts`.

    Parameters
    ----------
    parts : list of Rows
    """

    has_places = keeps_probabilities = False
    random_access = False

    def __init__(self, parts):
        self.row_parts = parts
        facts = self._of_parts(_facts)
        values = {name: [fact[name] for fact in facts] for name in facts[0]}
        self._first_row = values["first_row"][0]
        self.n_features, self.n_classes, self.dtype = (
            values[name][0] for name in ("n_features", "n_classes", "dtype")
        )
        self.n_samples, self.n_stored, self.spare_bytes, self.class_weight = (
            sum(values[name]) for name in ("n_samples", "n_stored", "spare_bytes", "class_weight")
        )
        # As if the rows were not in parts, so that solvers decide alike.
        self.work = sum(values["work"]) - (len(facts) - 1) * CALL_WORK
        self.smallest_weight = min(values["smallest_weight"])
        self.float_dtype = np.result_type(*values["float_dtype"])
        self.precisions = min(values["precisions"], key=len)
        self.coef_dtype = np.result_type(*values["coef_dtype"])
        self.are_centred = all(values["are_centred"])
        self.have_zeros = any(values["have_zeros"])
        self.has_offset = any(values["has_offset"])
        self.are_one_hot = all(values["are_one_hot"])

    def _of_parts(self, function):
        """What a function returns for each part."""
        return [function(part) for part in self.row_parts]

    def astype(self, dtype: DTypeLike) -> Rows:
        """The same rows computed in `dtype`."""
        return ConcatenatedRows(self._of_parts(methodcaller("astype", dtype)))

    def standardised(self, center, scale):
        """As `Rows.standardised`."""
        return ConcatenatedRows(self._of_parts(methodcaller("standardised", center, scale)))

    def select(self, columns):
        """As `Rows.select`."""
        return ConcatenatedRows(self._of_parts(methodcaller("select", columns)))

    def rotated(self):
        """None: that takes all rows at once."""

    def first_row(self):
        """The values of the first row, (p,)."""
        return self._first_row

    def reduce(self, kernel, *models, combine=None):
        """As `Rows.reduce`."""
        ask = methodcaller("reduce", kernel, *models, combine=combine)
        return combined(self._of_parts(ask), combine)

    def accumulate(self, kernel, *models):
        """As `Rows.accumulate`."""
        ask = methodcaller("accumulate", kernel, *models)
        return combined(self._of_parts(ask), add_in_place)

    def sums(self, kernel, *models):
        """As `Rows.sums`."""
        return _added(self._of_parts(methodcaller("sums", kernel, *models)))

    def moments(self, kernel, model, center, n_weights):
        """As `Rows.moments`."""
        return _added(self._of_parts(methodcaller("moments", kernel, model, center, n_weights)))

    def drawn_grams(self, kernel, model, means, n_rows, statistics):
        """As `Rows.drawn_grams`; each part draws as many rows as its share of all."""
        share = n_rows, self.n_samples
        ask = partial(_drawn_grams, share, kernel, model, means, statistics=statistics)
        return sum(self._of_parts(ask))


def _facts(rows):
    """What `ConcatenatedRows` must know of a part."""
    return {"first_row": rows.first_row(), **{name: getattr(rows, name) for name in _FACTS}}


def _drawn_grams(share, kernel, model, means, rows, statistics):
    """Those of a part, from its share of the rows of all."""
    n_rows, n_samples = share
    m = -(-n_rows * rows.n_samples // n_samples)
    return rows.drawn_grams(kernel, model, means, m, statistics)


def _added(parts):
    """Triples of numbers and two arrays, added up."""
    numbers, first, second = zip(*parts, strict=True)
    return combined(numbers), sum(first), sum(second)
