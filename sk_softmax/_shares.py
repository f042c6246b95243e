"""What workers do with the partitions of a collection: check them, join them, ask them for sums."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sk_softmax._allocator import freed_memory_is_kept
from sk_softmax._classes import class_totals
from sk_softmax._early_stopping import split_rows
from sk_softmax._rows import ConcatenatedRows, Targets, as_rows, joined, n_bytes
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import TrainingData, check_part, hold_out, with_all_classes


@dataclass(frozen=True, eq=False)
class Partition:
    """Validated rows, whose classes are those of their own labels; `data` is None without any."""

    data: TrainingData | None
    feature_names: np.ndarray | None = None

    @property
    def n_bytes(self):
        """Those of the rows."""
        return 0 if self.data is None else n_bytes(self.data.X, self.data.y)

    def __sizeof__(self):
        return self.n_bytes


@dataclass(frozen=True)
class PartitionFacts:
    """What has to be known of a partition where it is not: the weight of each class, among others.

    Of a partition without rows nothing but that is known.
    """

    n_samples: int = 0
    n_features: int = 0
    n_bytes: int = 0
    feature_names: np.ndarray | None = None
    classes: np.ndarray | None = None
    class_totals: np.ndarray | None = None
    is_soft: bool = False

    @classmethod
    def of(cls, partition, classes=None, class_weight=None):
        """Those of a `Partition`, perhaps with weights of the classes of all."""
        data = partition.data
        if data is None:
            return cls()
        if class_weight is not None:
            data = with_all_classes(data, classes, np.arange(len(classes)), class_weight)
        totals = class_totals(data.y, data.sample_weight, len(data.classes))
        return cls(
            *data.X.shape,
            partition.n_bytes,
            partition.feature_names,
            data.classes,
            totals,
            data.y.ndim == 2,
        )


def checked(number, X, y, sample_weight, suffix=""):
    """The `Partition` of some rows; errors say which it is, and what X and y are called."""
    if X.shape[0] == 0:
        return Partition(None)
    estimator = SoftmaxRegression()
    try:
        data = check_part(estimator, X, y, sample_weight)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"Partition {number} of X{suffix} and y{suffix}: {error}") from None
    return Partition(data, getattr(estimator, "feature_names_in_", None))


def split(partition, seed, fraction, held_out):
    """The rows of a partition to train on, or those held out: a fraction of each class."""
    if partition.data is None:
        return partition
    mask = split_rows(partition.data.y, fraction, np.random.RandomState(seed))
    data = hold_out(partition.data, mask)[held_out]
    return replace(partition, data=data if len(data.y) else None)


@dataclass(frozen=True, eq=False)
class Formulation:
    """What makes rows of a partition: the same for all.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Of all partitions.
    weighted : ndarray of int
        Indices of those that are modelled.
    class_weight : ndarray of shape (n_classes,)
        Weights of the classes.
    total_weight : float
        Of all rows of all partitions.
    label_smoothing : float
    """

    classes: np.ndarray
    weighted: np.ndarray
    class_weight: np.ndarray
    total_weight: float
    label_smoothing: float

    def joined(self, partitions):
        """Maker of the `Rows` of some partitions, joined to one."""
        parts = [
            with_all_classes(partition.data, self.classes, self.weighted, self.class_weight)
            for partition in partitions
        ]
        if any(part.y.ndim == 2 for part in parts):
            parts = [replace(part, y=_probabilities(part)) for part in parts]
        X, y, weights = (
            joined([getattr(part, name) for part in parts]) for name in ("X", "y", "sample_weight")
        )
        targets = Targets.of(y, len(self.weighted), self.label_smoothing)
        return RowsMaker(X, targets, weights, self.total_weight)


@dataclass(frozen=True, eq=False)
class RowsMaker:
    """Arguments of `as_rows` but for the threads: data alone, that can be sent elsewhere."""

    X: np.ndarray | sparse.csr_array
    targets: Targets
    weights: np.ndarray
    total_weight: float

    def __call__(self, threads):
        rows = as_rows(self.X, self.targets, self.weights, threads, self.total_weight)
        rows.may_copy = False  # all rows of a worker may take half of its memory
        return rows

    def __sizeof__(self):
        return n_bytes(self.X, self.targets.y, self.weights)


class Share:
    """Rows that are asked for sums where they are, with threads that begin and end with the asking.

    Parameters
    ----------
    makers : list of RowsMaker
    n_jobs, n_cores : int
        As for `RowThreads`.
    """

    def __init__(self, makers, n_jobs=None, n_cores=None):
        self._makers, self._n_jobs, self._n_cores = makers, n_jobs, n_cores
        self._forget()

    def _forget(self):
        """All that is made of the data."""
        self._threads, self._rows = RowThreads(self._n_jobs, self._n_cores), {}

    def __getstate__(self):
        return self._makers, self._n_jobs, self._n_cores

    def __setstate__(self, state):
        self._makers, self._n_jobs, self._n_cores = state
        self._forget()

    def __sizeof__(self):
        return sum(maker.__sizeof__() for maker in self._makers)

    def ask(self, function, dtype):
        """What a function returns for the rows, computed in a dtype."""
        with (
            freed_memory_is_kept(),
            self._threads,
            np.errstate(over="ignore", invalid="ignore"),
        ):
            return function(self._in(dtype))

    def _in(self, dtype):
        """The rows in a dtype, kept with all that they know by themselves."""
        if not self._rows:
            parts = [maker(self._threads) for maker in self._makers]
            rows = parts[0] if len(parts) == 1 else ConcatenatedRows(parts)
            self._rows[rows.dtype] = rows
        if dtype not in self._rows:
            self._rows[dtype] = self._rows[np.dtype(np.float64)].astype(dtype)
        return self._rows[dtype]


def _probabilities(data):
    """The targets of `TrainingData` as probabilities (n, K)."""
    return data.y if data.y.ndim == 2 else np.eye(len(data.weighted))[data.y]
