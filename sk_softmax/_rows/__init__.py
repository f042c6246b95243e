"""Data as solvers see them: where they are, how they are stored, and in what precision.

Nobody else asks. A new kind of data is a class that does what `Rows` says, a line in `as_rows`, and
a line in the tests that all kinds have in common.
"""

from scipy import sparse

from sk_softmax._device_array import DeviceArray
from sk_softmax._rows._base import CALL_WORK, Rows, largest
from sk_softmax._rows._block import Block
from sk_softmax._rows._concatenated import ConcatenatedRows
from sk_softmax._rows._dense import DenseRows
from sk_softmax._rows._device import DeviceRows
from sk_softmax._rows._distributed import DistributedRows
from sk_softmax._rows._products import add_weighted_grams, slices
from sk_softmax._rows._sparse import SparseRows
from sk_softmax._rows._statistics import ColumnStatistics, row_weights, varies
from sk_softmax._rows._storage import canonical, joined, n_bytes
from sk_softmax._rows._targets import Targets

__all__ = [
    "CALL_WORK",
    "Block",
    "ColumnStatistics",
    "ConcatenatedRows",
    "DenseRows",
    "DeviceRows",
    "DistributedRows",
    "Rows",
    "SparseRows",
    "Targets",
    "add_weighted_grams",
    "as_rows",
    "canonical",
    "joined",
    "largest",
    "n_bytes",
    "row_weights",
    "slices",
    "varies",
]


def as_rows(X, targets, weights, threads, total_weight=None):
    """The `Rows` of validated data, whose weights need not add up to one.

    If there are other rows, `total_weight` is the weight of them all.
    """
    kind = SparseRows if sparse.issparse(X) else DenseRows
    kind = DeviceRows if isinstance(X, DeviceArray) else kind
    total_weight = weights.sum() if total_weight is None else total_weight
    return kind(X, targets, weights / total_weight, threads)
