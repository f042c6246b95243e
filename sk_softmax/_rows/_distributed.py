"""Rows that workers hold: what is asked of them goes there, and sums come back."""

import copy
from functools import partial
from operator import methodcaller

import numpy as np

from sk_softmax._rows._concatenated import ConcatenatedRows


class DistributedRows(ConcatenatedRows):
    """Rows one below the other that are wherever their shares are.

    Parameters
    ----------
    shares : sized, with a method `map`
        ``map(function)`` returns what a function returns for each share, in order. A share has a
        method ``ask(function, dtype)``, which returns what a function returns for its rows,
        computed in a dtype. All functions and all that they return can be pickled.
    """

    dtype = np.dtype(np.float64)
    _columns = None

    def __init__(self, shares):
        super().__init__(shares)
        # Memory is taken here, by numbers that do not grow with the number of shares.
        self.spare_bytes //= len(shares)

    def _of_parts(self, function):
        """What a function returns for the rows of each share."""
        if self._columns is not None:
            function = partial(_of_some, self._columns, function)
        return self.row_parts.map(methodcaller("ask", function, self.dtype))

    def astype(self, dtype):
        """The same rows computed in `dtype`, of which nothing has to be asked again."""
        other = copy.copy(self)
        other.dtype = np.dtype(dtype)
        return other

    def select(self, columns):
        """The same rows, of which workers take some columns whenever they are asked."""
        other = copy.copy(self)
        other._columns = columns if self._columns is None else self._columns[columns]
        share = len(columns) / self.n_features
        other.n_features, other._first_row = len(columns), self._first_row[columns]
        other.n_stored, other.work = int(share * self.n_stored), share * self.work
        return other

    def standardised(self, center, scale):
        """The rows themselves, of which nothing is kept."""
        return self


def _of_some(columns, function, rows):
    """What a function returns for rows in some of their columns."""
    return function(rows.select(columns))
