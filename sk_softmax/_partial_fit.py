"""One call of `partial_fit`: one pass over rows that follow those of earlier calls."""

import functools
import types

import numpy as np
from scipy.special import gammaln

from sk_softmax._callbacks import FitTask, with_callbacks
from sk_softmax._classes import classes_of_call
from sk_softmax._formulation import PreviousModel, coefficients, make_objective
from sk_softmax._offsets import check_offset_like
from sk_softmax._solver_choice import make_solver, refuse_sgd_of
from sk_softmax._solvers import Stream
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import check_stream_data

# Chance up to which rows of one class only are taken for sorted ones.
_BY_CHANCE = 1e-3
_SORTED = (
    "All rows of this call of partial_fit are of one class, which rows in random order hardly are. "
    "If the data are sorted by class, the model forgets the first classes for the last: shuffle "
    "the rows, or take those of a call from several places."
)


class available_if:
    """Decorate a method that exists only while ``check(self)`` does not raise AttributeError.

    Unlike scikit-learn's, it lets that error through, whose message says what to do.
    """

    def __init__(self, check):
        self._check = check

    def __call__(self, method):
        self._method = method
        functools.update_wrapper(self, method)
        return self

    def __get__(self, instance, owner=None):
        if instance is None:
            return self._method
        self._check(instance)
        return types.MethodType(self._method, instance)


def can_stream(estimator):
    """Whether `partial_fit` exists: raises AttributeError if not."""
    if isinstance(estimator.class_weight, str):
        raise AttributeError(
            f"partial_fit is not available for class_weight={estimator.class_weight!r}, which "
            "needs all labels at once. Pass the weights as a dict, for example those that "
            "sklearn.utils.compute_class_weight finds in a part of the data."
        )
    is_given = {
        "l1_ratio": estimator.l1_ratio != 0,
        "penalty_factor": estimator.penalty_factor is not None,
        "bounds": estimator.bounds is not None,
        "early_stopping": estimator.early_stopping,
        "record_batches": estimator.record_batches is not None,
    }
    for name, given in is_given.items():
        if given:
            raise AttributeError(
                f"partial_fit is not available for {name}, which only fit on all rows takes."
            )


@with_callbacks
def go_on(estimator, X, y, classes, sample_weight, offset):
    """Go on with an estimator, which an error may leave half fitted; the warnings that are due."""
    estimator._validate_params()  # which scikit-learn leaves out once a model is fitted
    data = _checked(estimator, X, y, classes, sample_weight, offset)
    weight = data.sample_weight.sum()
    if weight == 0:
        raise ValueError("No row has a positive weight (sample_weight times class_weight).")
    total = weight + getattr(estimator, "_weight_seen", 0.0)
    stream = _stream_so_far(estimator)
    seen = None if stream is None else stream.class_weight
    metadata = {"sample_weight": sample_weight, "offset": offset}
    task = FitTask(estimator, "partial_fit", X, y, metadata)
    with RowThreads(estimator.n_jobs) as threads:
        objective = make_objective(estimator, data, threads, total)
        estimator.solver_ = "sgd"
        refuse_sgd_of(objective.rows, "partial_fit")
        loss, stream = make_solver("sgd", estimator, objective.penalty).go_on(
            objective, weight, PreviousModel(estimator, objective), stream
        )
    if stream is None:
        raise ValueError(
            'The epoch diverged; lower learning_rate or leave it at "auto", and scale the '
            "features, for example with a StandardScaler fitted on other rows."
        )
    found = coefficients(objective, stream.state.solution(), data, stream.columns)
    vars(estimator).update(found)
    for bound in ("gap_", "gap_method_"):  # of the coefficients before
        vars(estimator).pop(bound, None)
    estimator._stream, estimator._weight_seen = stream.as_dict(), total
    estimator._has_offset = offset is not None
    estimator.loss_, estimator.converged_, estimator.stop_reason_ = loss, False, "partial_fit"
    estimator.n_iter_ = np.array([stream.state.n_epochs], dtype=np.int32)
    task.end(found)
    return [UserWarning(_SORTED)] if _looks_sorted(data, seen) else []


def _checked(estimator, X, y, classes, sample_weight, offset):
    """The `TrainingData` of a call, which go with those before."""
    first = not hasattr(estimator, "n_features_in_")
    classes = classes_of_call(estimator, classes)
    check_offset_like(offset, getattr(estimator, "_has_offset", False))
    data = check_stream_data(
        estimator, X, y, sample_weight, estimator.class_weight, classes, offset, first=first
    )
    _check_coefficients(estimator, data)
    return data


def _check_coefficients(estimator, data):
    """Refuse `coef_` and `intercept_`, which may be set by hand, of another shape or kind."""
    names = [name for name in ("coef_", "intercept_") if hasattr(estimator, name)]
    if not names:
        return
    if len(names) == 1:
        raise ValueError(f"{names[0]} is set without the other of coef_ and intercept_; set both.")
    estimator.densify()
    n_rows = 1 if len(data.classes) == 2 else len(data.classes)
    for name, shape in {"coef_": (n_rows, data.n_features), "intercept_": (n_rows,)}.items():
        values = np.asarray(getattr(estimator, name))
        if values.shape != shape:
            raise ValueError(
                f"{name} has the shape {values.shape}, where X of {data.n_features} features "
                f"and {len(data.classes)} classes need {shape}."
            )
        if values.dtype.kind not in "iuf":
            raise ValueError(f"{name} must hold real numbers.")


def _stream_so_far(estimator):
    """The `Stream` of earlier calls, or one that begins with what `fit` has seen, or None."""
    if hasattr(estimator, "_stream"):
        return Stream.from_dict(estimator._stream)
    fitted = getattr(estimator, "_weight_seen", 0.0)  # of models that did not note more
    return Stream(None, None, fitted=fitted) if fitted else None


def _looks_sorted(data, class_weight):
    """Whether all rows are of one class, which after those before is hardly by chance.

    `class_weight` (K,) is the weight of each class before, None at the first call. With frequencies
    that may have been anything, the chance is that of drawing from Polya's urn.
    """
    codes = data.y if data.y.ndim == 1 else np.where(data.y.max(axis=1) == 1, data.y.argmax(1), -1)
    k, n = codes[0], len(codes)
    if class_weight is None or k < 0 or (codes != k).any():
        return False
    alike, all_ = class_weight[k] + 1, class_weight.sum() + len(data.classes)
    chance = gammaln(alike + n) - gammaln(alike) - gammaln(all_ + n) + gammaln(all_)
    return bool(chance < np.log(_BY_CHANCE))
