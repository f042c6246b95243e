"""What a stream remembers of its columns: sums over all rows so far, in float64.

Of each column they are those of its stored values: the weight of the rows that store one, their
mean and their squares about it. The zeros beside them are known without being visited, so that rows
change only the columns that they hold, and a column far off zero loses no digits.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sk_softmax._curvature import PAIR_EVALUATIONS, Curvature
from sk_softmax._objective import NOT_FINITE, TOO_SMALL, OutOfRangeError
from sk_softmax._rows import pairs_work, value_work

_NEGLIGIBLE = np.finfo(np.float64).tiny / np.finfo(np.float64).eps


@dataclass(frozen=True)
class SecondMoments:
    """Weight (K,) and mean (1, p) or (K, p) of the rows, and (p, p) or (K, p) second moments."""

    weight: np.ndarray
    mean: np.ndarray
    second: np.ndarray


@dataclass(frozen=True)
class RunningMoments:
    """Weight of all rows so far and of their classes (K,), and sums for each column.

    `stored` (p,) are the weights of the stored values, `mean` (p,) their means and `squares` (p,)
    the sums of their squared distances to it. `scatter` (p, p), of columns so few that all count as
    stored, has those of all pairs; its diagonal is `squares`.
    """

    weight: float
    class_weight: np.ndarray
    stored: np.ndarray
    mean: np.ndarray
    squares: np.ndarray
    scatter: np.ndarray | None = None

    @classmethod
    def of(cls, objective, weight, *, pairs=False):
        """Those of the rows of an objective, whose weights sum to `weight`."""
        with np.errstate(over="ignore", invalid="ignore"):  # checked
            if not (objective.rows.are_centred or pairs):
                stored, mean, squares = _sums_of_stored(objective)
                scatter = None
            else:
                mean, squares, scatter = _sums_of_all(objective, pairs)
                stored = np.ones(len(mean))
            return cls(
                weight,
                weight * objective.rows.class_weight,
                weight * stored,
                mean,
                weight * squares,
                None if scatter is None else weight * scatter,
            )._checked()

    def joined_with(self, other):
        """Those of both (Chan, Golub, LeVeque, The American Statistician 37, 1983)."""
        stored = self.stored + other.stored
        share = np.divide(other.stored, stored, out=np.zeros_like(stored), where=stored > 0)
        step = other.mean - self.mean
        scatter = None
        with np.errstate(over="ignore", invalid="ignore"):  # checked
            if self.scatter is not None and other.scatter is not None:
                between = self.weight * (other.weight / (self.weight + other.weight))
                scatter = self.scatter + other.scatter + between * np.outer(step, step)
            return RunningMoments(
                self.weight + other.weight,
                self.class_weight + other.class_weight,
                stored,
                self.mean + share * step,
                self.squares + other.squares + self.stored * share * step**2,
                scatter,
            )._checked()

    def _checked(self):
        """These moments, if they and the squares of the means are finite."""
        squares = self.variance + self.total_mean**2
        if not (np.isfinite(squares.sum()) and np.isfinite(self.weight)):
            raise OutOfRangeError(NOT_FINITE)
        return self

    def on(self, places, n_columns):
        """The same among more columns, at some of their places; the others have stored nothing."""
        more = {}
        for name in ("stored", "mean", "squares"):
            more[name] = np.zeros(n_columns)
            more[name][places] = getattr(self, name)
        return replace(self, scatter=None, **more)

    def of_columns(self, places):
        """Those of some of the columns."""
        less = {name: getattr(self, name)[places] for name in ("stored", "mean", "squares")}
        return replace(self, scatter=None, **less)

    @property
    def total_mean(self):
        """Means (p,) of the columns, zeros included."""
        return self.stored / self.weight * self.mean

    @property
    def variance(self):
        """Variances (p,) of the columns, zeros included."""
        share = self.stored / self.weight
        return self.squares / self.weight + share * (1 - share) * self.mean**2

    @property
    def is_offset(self):
        """Mask (p,) of the columns that `about_offsets` centres."""
        return self.total_mean**2 > self.variance

    def at_start(self, fit_intercept):
        """`SecondMoments` at zero coefficients; every class counts as seen once."""
        frequency = (self.class_weight + 1) / (self.weight + len(self.class_weight))
        weight = frequency * (1 - frequency)
        mean, second = self.total_mean, self.variance
        if self.scatter is not None:
            second = self.scatter / self.weight
            if not fit_intercept:
                second = second + np.outer(mean, mean)
            mean = mean if fit_intercept else np.zeros_like(mean)
            return SecondMoments(weight, mean[np.newaxis], weight.sum() * second)
        if fit_intercept:
            mean, second = about_offsets(mean, second)
        else:
            mean, second = np.zeros_like(mean), second + mean**2
        return SecondMoments(weight, mean[np.newaxis], np.outer(weight, second))


def about_offsets(mean, variance):
    """What columns are centred by, and their mean squares about it.

    That is the mean where it exceeds the deviation: zeros are then less than half of the values, so
    that most rows hold them. The mean square of others is at most twice the variance, on which
    no metric depends, and without centring a sparse batch has a step for its own columns only.
    """
    is_offset = mean**2 > variance
    return np.where(is_offset, mean, 0.0), np.where(is_offset, variance, variance + mean**2)


def affords_pairs(objective):
    """Whether all pairs of columns may be summed, by the shape of the rows alone."""
    K, p = objective.n_classes, objective.n_features
    return pairs_work(p) <= PAIR_EVALUATIONS * value_work(K) * p


def _sums_of_all(objective, pairs):
    """Mean (p,), squares (p,) and scatter (p, p) of all values, or None, each per weight.

    Columns are shifted by their first values: one that is constant is so to the last bit.
    """
    curvature = Curvature(objective)
    known = curvature.known_scatter() if pairs else None
    if known is not None:
        return curvature.mean, curvature.variance, known
    first = objective.rows.first_row()
    shift, squares, scatter = objective.rows.reduce(partial(_about, first=first, pairs=pairs))
    if pairs:
        squares = np.diagonal(scatter)
    _refuse_underflow(objective, shift, squares)
    # What is left of squares by cancellation is no variance.
    variance = squares - shift**2
    variance[variance <= 8 * np.finfo(np.float64).eps * squares] = 0
    if not pairs:
        return first + shift, variance, None
    scatter = scatter - np.outer(shift, shift)
    scatter[variance == 0] = scatter[:, variance == 0] = 0
    np.fill_diagonal(scatter, variance)
    return first + shift, variance, scatter


def _about(block, first, pairs):
    """Sums (p,), squares (p,) and scatter (p, p) of the rows of a block, less the first row."""
    sums, second = block.sums_about(first, pairs)
    return (sums, 0.0, second) if pairs else (sums, second, 0.0)


def _sums_of_stored(objective):
    """Weight, mean and squares (p,) of the stored values of each column, each per weight."""
    X, p = objective.rows.X, objective.n_features
    s = np.repeat(objective.rows.weights, np.diff(X.indptr))
    values, columns = X.data.astype(np.float64), X.indices
    stored = np.bincount(columns, s, p)
    stored[np.bincount(columns, minlength=p) == objective.n_samples] = 1.0  # without rounding
    reference = np.zeros(p)
    reference[columns] = values
    values -= reference[columns]
    inverse = np.divide(1, stored, out=np.zeros(p), where=stored > 0)
    shift = np.bincount(columns, s * values, p) * inverse
    squares = np.bincount(columns, s * values**2, p)
    _refuse_underflow(objective, shift, squares)
    variance = squares - stored * shift**2
    variance[variance <= 8 * np.finfo(np.float64).eps * squares] = 0
    return stored, reference + shift, variance


def _refuse_underflow(objective, shift, squares):
    """Columns that vary, but whose squares vanish, would pass for constant ones."""
    if objective.penalty.l2 < _NEGLIGIBLE and (squares[shift != 0] < _NEGLIGIBLE).any():
        raise OutOfRangeError(TOO_SMALL)
