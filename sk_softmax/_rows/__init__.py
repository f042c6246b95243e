"""Data as solvers see them: where they are, how they are stored, and in what precision.

Nobody else asks. A new kind of data is a class that does what `Rows` says, a line in `as_rows`, and
a line in the tests that all kinds have in common.
"""

from collections.abc import Callable

import numpy as np
from scipy import sparse

from sk_softmax._device_array import DeviceArray
from sk_softmax._rows._base import (
    CALL_WORK,
    FIT_EVALUATIONS,
    READ_WORK,
    Model,
    Rows,
    largest,
    pairs_work,
    value_work,
)
from sk_softmax._rows._block import Block
from sk_softmax._rows._concatenated import ConcatenatedRows
from sk_softmax._rows._dense import DenseRows
from sk_softmax._rows._device import DeviceRows
from sk_softmax._rows._distributed import DistributedRows
from sk_softmax._rows._products import add_weighted_grams, slices
from sk_softmax._rows._sparse import SparseRows
from sk_softmax._rows._statistics import ColumnStatistics, row_weights, varies
from sk_softmax._rows._storage import canonical, dense, joined, n_bytes, root_mean_squares
from sk_softmax._rows._targets import Targets

__all__ = [
    "CALL_WORK",
    "FIT_EVALUATIONS",
    "READ_WORK",
    "Block",
    "ColumnStatistics",
    "ConcatenatedRows",
    "DenseRows",
    "DeviceRows",
    "DistributedRows",
    "Model",
    "Rows",
    "SparseRows",
    "Targets",
    "add_weighted_grams",
    "as_rows",
    "canonical",
    "dense",
    "joined",
    "largest",
    "n_bytes",
    "pairs_work",
    "root_mean_squares",
    "row_weights",
    "slices",
    "value_work",
    "varies",
]


def as_rows(
    X: np.ndarray | sparse.csr_array | DeviceArray,
    targets: Targets,
    weights: np.ndarray,
    threads,
    total_weight: float | None = None,
) -> Rows:
    """The `Rows` of validated data, whose weights need not add up to one.

    If there are other rows, `total_weight` is the weight of them all.
    """
    kind: Callable[..., Rows] = SparseRows if sparse.issparse(X) else DenseRows
    if isinstance(X, DeviceArray):
        kind = DeviceRows
    total_weight = weights.sum() if total_weight is None else total_weight
    return kind(X, targets, weights / total_weight, threads)
