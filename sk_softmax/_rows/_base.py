"""Rows x_i with targets q_i and weights s_i, and the sums over them that everything is made of.

A model is a pair (W, b), arrays (K, p) and (K,); b is None without an intercept. Z (K, m) are the
logits ``W x_i + b`` of the rows of a `Block`. What is summed is said by kernels: functions, or
partials of functions, of a module, that look at one block and write to nothing outside of it.

Numbers that kernels return are tuples, whose members are added up: floats, arrays or lists. All
sums have a fixed order, so that results are the same to the last bit for any number of threads.
"""

import operator
from collections.abc import Callable
from functools import reduce as fold
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import DTypeLike

if TYPE_CHECKING:
    from sk_softmax._rows._rotation import Rotation
    from sk_softmax._rows._statistics import ColumnStatistics

# W (K, p), and b (K,) or None.
Model = tuple[np.ndarray, np.ndarray | None]

# Multiplications of square products that the overhead of NumPy and SciPy is worth, of an
# evaluation as of a factorisation.
CALL_WORK = 3e6
# The same of reading a value, and of the softmax of a logit with all that is made of it.
READ_WORK, LOGIT_WORK = 80, 800
# Evaluations of the objective that a fit takes as a rule: what makes all that follow easier may
# cost as many.
FIT_EVALUATIONS = 50
# Parts of a sum over rows that threads share, at most, and those that sum into large arrays of
# their own.
MAX_PARTS, MAX_LARGE_PARTS = 64, 8


def value_work(K):
    """Multiplications of square products that a value in an array costs an evaluation."""
    return READ_WORK + 4 * K


def pairs_work(p):
    """The same that a row costs a weighted sum over all pairs of p columns."""
    return p * (p + READ_WORK)


class Rows(Protocol):
    """What solvers and curvature ask of data, wherever they are."""

    @property
    def n_samples(self) -> int:
        """Rows that have weight."""

    @property
    def n_features(self) -> int:
        """Columns, p."""

    @property
    def n_classes(self) -> int:
        """Classes, K."""

    @property
    def n_stored(self) -> int:
        """Numbers that X holds."""

    @property
    def dtype(self) -> np.dtype:
        """What is computed in; sums over rows are float64."""

    @property
    def float_dtype(self) -> np.dtype:
        """The least precise one that holds the values of X."""

    @property
    def precisions(self) -> tuple[type, ...]:
        """Those in which sums are quicker than in the next, and float64."""

    @property
    def coef_dtype(self) -> np.dtype:
        """That of coefficients as users see them."""

    @property
    def work(self) -> float:
        """Multiplications of square products that an evaluation of loss and gradient is worth."""

    @property
    def spare_bytes(self) -> int:
        """Memory that a solver may take beside X."""

    @property
    def class_weight(self) -> np.ndarray:
        """Share of each class in the targets, by weight, (K,). All weights add up to one."""

    @property
    def smallest_weight(self) -> float:
        """That of all rows."""

    @property
    def are_one_hot(self) -> bool:
        """Whether all targets are."""

    @property
    def have_zeros(self) -> bool:
        """Whether a class has no probability in some target."""

    @property
    def has_offset(self) -> bool:
        """Whether the targets have one: kernels add it to the logits of a model."""

    @property
    def are_centred(self) -> bool:
        """Whether blocks subtract a center from their rows, which sparse ones do not."""

    @property
    def has_places(self) -> bool:
        """Whether `Block.rows` are places among all rows."""

    @property
    def keeps_probabilities(self) -> bool:
        """Whether the probabilities of all rows are so few that they may be handed on."""

    @property
    def random_access(self) -> bool:
        """Whether single rows can be taken, as "sgd" does, by methods that are not listed here."""

    def astype(self, dtype: DTypeLike) -> "Rows":
        """The same rows, computed in another dtype."""

    def reduce(self, kernel: Callable, *models: Model, combine: Callable | None = None) -> tuple:
        """The numbers of all blocks, ``kernel(block)`` or ``kernel(block, Z)``, combined.

        Z are the logits of all `models`, stacked. `combine` takes two tuples, of which it may
        change the first, and adds them up if None.
        """

    def accumulate(self, kernel: Callable, *models: Model) -> tuple:
        """As `reduce`, for arrays too large to be made for each block.

        ``kernel(total, block, Z)`` returns the total with a block added, which is None before the
        first; Z is None without models.
        """

    def sums(self, kernel: Callable, *models: Model) -> tuple[tuple, np.ndarray, np.ndarray]:
        """Numbers, ``R X`` (K, p), and ``R 1`` (K,), for a kernel that turns Z[:K] into R."""

    def moments(
        self, kernel: Callable, model: Model | None, center: np.ndarray, n_weights: int
    ) -> tuple:
        """Numbers, ``C (X - c)`` and ``C (X - c)^2``, (r, p), for ``kernel(block, Z)``.

        The kernel returns C, of r = `n_weights` rows, and its numbers. Where rows are not `centred`
        c is zero.
        """

    def drawn_grams(
        self,
        kernel: Callable,
        model: Model | None,
        means: np.ndarray,
        n_rows: int,
        statistics: "ColumnStatistics",
    ) -> np.ndarray:
        """``sum_i c_ki (x_i - m_k)(x_i - m_k)'``, (r, p, p), estimated from about `n_rows` rows.

        From all if there are no more. The kernel is as for `moments`, whose numbers are left aside.
        `statistics` are the `ColumnStatistics` of all rows.
        """

    def standardised(self, center: np.ndarray, scale: np.ndarray) -> "Rows":
        """The same rows, which keep what `Block.columns` returns for these if they are few."""

    def select(self, columns: np.ndarray) -> "Rows":
        """The same rows in some of their columns, of which they take a copy."""

    def rotated(self) -> "Rotation | None":
        """A `Rotation` to fewer columns if the rows are wide and that pays, or None.

        It may be used where the penalty is the same in rotated columns.
        """

    def first_row(self) -> np.ndarray:
        """The values of one row, (p,), float64."""


def add(one, other):
    """Two tuples of numbers, added up."""
    return tuple(map(operator.add, one, other))


def add_in_place(one, other):
    """Two tuples of arrays, added up in those of the first."""
    return tuple(map(operator.iadd, one, other))


def combined(parts, combine=None):
    """The numbers of parts, in order."""
    return fold(combine or add, parts)


def largest(one, other):
    """The larger ones of two tuples of numbers."""
    return tuple(map(max, one, other))
