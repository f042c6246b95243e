"""Everything that asks scikit-learn about input: containers, labels, weights."""

import functools
import re
import types
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.special import gammaln
from sklearn.utils import (
    check_array,
    check_consistent_length,
    column_or_1d,
    compute_class_weight,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from sk_softmax._array_api import received_with
from sk_softmax._classes import check_classes, codes_among, modelled
from sk_softmax._device_array import DeviceArray
from sk_softmax._offsets import check_offset, check_offset_like
from sk_softmax._rows import Targets, as_rows
from sk_softmax._rows._products import rows_view

_FLOATS = (np.float64, np.float32)
# Chance up to which rows of one class only are taken for sorted ones.
_BY_CHANCE = 1e-3


@dataclass(frozen=True)
class TrainingData:
    """Rows that have weight, as the objective wants them.

    `classes` are all the labels seen, `weighted` the indices of those with weight, and `y`
    codes into ``classes[weighted]``, or their probabilities. `offset` is of shape
    (n, len(weighted)), or None.
    """

    X: np.ndarray | sparse.csr_array
    y: np.ndarray
    sample_weight: np.ndarray
    classes: np.ndarray
    weighted: np.ndarray
    offset: np.ndarray | None = None

    @property
    def n_features(self):
        """Number of columns."""
        return self.X.shape[1]

    @property
    def total_weight(self):
        """The sum of the weights."""
        return self.sample_weight.sum()

    def rows(self, label_smoothing, threads):
        """The `Rows`, with the classes that have weight."""
        targets = Targets.of(self.y, len(self.weighted), label_smoothing, self.offset)
        return as_rows(self.X, targets, self.sample_weight, threads)


def check_part(estimator, X, y, sample_weight):
    """Validate some of the rows that `fit` was given: all of it that needs no others.

    The classes are those of these rows, and the weights those of the rows alone.
    """
    X, y, classes = _check_rows(estimator, X, y, sample_weight, reset=True)
    sample_weight = _check_weights(X, y, sample_weight, None, classes)
    return _with_weight(X, y, sample_weight, classes, None)


def with_all_classes(part, classes, weighted, class_weight):
    """What `check_part` returned as part of all rows, which have these classes.

    Its weights are multiplied by those of the classes, (n_classes,).
    """
    y = codes_among(part.y, part.classes, classes)
    scale = class_weight[y] if y.ndim == 1 else y @ class_weight
    data = _with_weight(part.X, y, part.sample_weight * scale, classes, None)
    return _of_classes(data, weighted)


def check_training_data(estimator, X, y, sample_weight, class_weight, offset=None):
    """Validate what `fit` was given and drop the rows whose weight is zero.

    Sets `n_features_in_` and `feature_names_in_` on `estimator`. Class weights are folded
    into the weights.
    """
    X, y, classes = check_rows(estimator, X, y, sample_weight)
    return weigh_rows(estimator, X, y, classes, sample_weight, class_weight, offset)


def check_rows(estimator, X, y, sample_weight):
    """X, codes (n,) or probabilities (n, K), and the sorted classes that they refer to.

    Sets `n_features_in_` and `feature_names_in_` on `estimator`.
    """
    X, y, classes = _check_rows(estimator, X, y, sample_weight, reset=True)
    if estimator.classes is not None:
        seen, classes = classes, check_classes(estimator.classes, None)
        y = codes_among(y, seen, classes)
    elif len(classes) < 2:
        raise ValueError(
            f"{type(estimator).__name__} needs at least 2 classes in y; the data contain one "
            "class. If there are others, name all of them by the parameter classes."
        )
    return X, y, classes


def weigh_rows(estimator, X, y, classes, sample_weight, class_weight, offset=None):
    """`TrainingData` of rows that `check_rows` returned, or of some of these."""
    sample_weight = _check_weights(X, y, sample_weight, class_weight, classes)
    totals = class_totals(y, sample_weight, len(classes))
    weighted = modelled(estimator, totals)
    if not totals.any():
        raise ValueError(
            "SoftmaxRegression needs classes with positive weight (sample_weight times "
            "class_weight) in y; the data contain no class that has any."
        )
    data = _with_weight(X, y, sample_weight, classes, check_offset(offset, X, classes))
    return _of_classes(data, weighted)


def check_held_out_data(estimator, X, y, sample_weight, offset, training):
    """Validate X_val, y_val and the rest against the `TrainingData`; None without any."""
    if X is None and y is None and sample_weight is None and offset is None:
        return None
    if X is None or y is None:
        raise ValueError(
            "X_val and y_val must be passed together; sample_weight_val and offset_val need both."
        )
    check_offset_like(offset, training.offset is not None, "offset_val")
    if training.offset is None and offset is not None:
        raise ValueError("offset_val needs an offset of the training rows, too.")
    known = training.classes[training.weighted]
    with _errors_about_held_out_data():
        data = check_stream_data(
            estimator, X, y, sample_weight, None, training.classes, offset, first=False
        )
    totals = class_totals(data.y, data.sample_weight, len(training.classes))
    unknown = np.setdiff1d(training.classes[totals > 0], known)
    if len(unknown):
        raise ValueError(
            f"y_val contains classes without weight in y: {unknown[:10]}. Their probability is "
            "zero: set label_smoothing to make it positive, or leave these rows out."
        )
    return _of_classes(data, training.weighted)


@contextmanager
def _errors_about_held_out_data():
    """Let errors name `X_val`, `y_val` and `sample_weight_val` where they name X, y and weights."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = re.sub(r"\b(X|y|sample_weight|offset)\b(?! in fit)", r"\1_val", str(error))
        if not re.search("(X|y|sample_weight|offset)_val", message):
            message = f"X_val, y_val, sample_weight_val or offset_val: {message}"
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(message) from error


def hold_out(training, held_out):
    """Split `TrainingData` by a mask into rows to train on and rows held out."""
    return tuple(
        replace(
            training,
            X=training.X[rows],
            y=training.y[rows],
            sample_weight=training.sample_weight[rows],
            offset=None if training.offset is None else training.offset[rows],
        )
        for rows in (~held_out, held_out)
    )


def check_stream_data(estimator, X, y, sample_weight, class_weight, classes, offset=None, *, first):
    """Validate what `partial_fit` was given; y are codes into `classes`, or probabilities.

    `classes` are those of all calls, sorted; at the first, the names of the features are set
    on `estimator`.
    """
    X, y, seen = _check_rows(estimator, X, y, sample_weight, reset=first)
    y = codes_among(y, seen, classes)
    sample_weight = _check_weights(X, y, sample_weight, class_weight, classes)
    return _with_weight(X, y, sample_weight, classes, check_offset(offset, X, classes))


def check_summary_data(estimator, X, y, sample_weight, offset=None):
    """Validate the rows that a model was fitted to; y are of its classes that have weight."""
    classes = estimator.classes_
    data = check_stream_data(
        estimator, X, y, sample_weight, estimator.class_weight, classes, offset, first=False
    )
    weighted = modelled(estimator, class_totals(data.y, data.sample_weight, len(classes)))
    if len(weighted) < 2:
        raise ValueError(f"At least 2 classes must have weight in y; {len(weighted)} has.")
    return _of_classes(data, weighted)


def check_targets(X, y, sample_weight, classes):
    """Targets (n, K) of rows, with a column for each of the sorted `classes`, and weights.

    y holds labels or probabilities.
    """
    _, y, sample_weight, classes = received_with(None, y, sample_weight, classes)
    for name, array in {"y": y, "sample_weight": sample_weight}.items():
        _refuse_masked(name, array)
    if _is_soft(y):
        seen, y = _probabilities(y)
    else:
        y = column_or_1d(_plain_labels(y))
        check_classification_targets(y)
        seen, y = np.unique(y, return_inverse=True)
    check_consistent_length(X, y)
    Q = np.eye(len(seen))[y] if y.ndim == 1 else y
    unknown = np.setdiff1d(seen[Q.any(axis=0)], classes)
    if len(unknown):
        raise ValueError(
            f"y has classes that the estimator does not know: {unknown[:10]}. SoftmaxRegression "
            "knows all that its parameter classes names, also without rows of them."
        )
    targets, known = np.zeros((len(Q), len(classes))), np.isin(seen, classes)
    targets[:, np.searchsorted(classes, seen[known])] = Q[:, known]
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
    return targets, sample_weight


def is_soft(y):
    """Whether y is a table of numbers in floating point: probabilities rather than labels."""
    return _is_soft(y) and np.asarray(y).dtype.kind == "f"


def check_coefficients(estimator, data):
    """Refuse `coef_` and `intercept_`, which may have been set by hand, of another shape."""
    names = [name for name in ("coef_", "intercept_") if hasattr(estimator, name)]
    if len(names) == 1:
        raise ValueError(f"{names[0]} is set without the other of coef_ and intercept_; set both.")
    n_rows = 1 if len(data.classes) == 2 else len(data.classes)
    for name, shape in {"coef_": (n_rows, data.X.shape[1]), "intercept_": (n_rows,)}.items():
        if name not in names:
            continue
        value = getattr(estimator, name)
        if np.shape(value) != shape:
            raise ValueError(
                f"{name} has the shape {np.shape(value)}, where X of {data.X.shape[1]} features "
                f"and {len(data.classes)} classes need {shape}."
            )
        values = np.asarray(value.data if sparse.issparse(value) else value)
        if not (values.dtype.kind in "iuf" and not np.isnan(values).any()):
            raise ValueError(f"{name} must hold real numbers without NaN.")


def looks_sorted(data, class_weight):
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


def _check_rows(estimator, X, y, sample_weight, *, reset):
    """X, codes (n,) or probabilities (n, K), and the classes that they refer to."""
    X, y, sample_weight = received_with(X, y, sample_weight)
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        _refuse_masked(name, array)
    _refuse_wrong_indices(X)
    options = {"accept_sparse": "csr", "dtype": _kept_dtypes(X), "reset": reset}
    if _is_soft(y):
        classes, y = _probabilities(y)
        X = _validated(estimator, X, **options)
        check_consistent_length(X, y)
        return X, y, classes
    if isinstance(X, DeviceArray):
        X, y = _validated(estimator, X, **options), validate_data(estimator, y=_plain_labels(y))
        check_consistent_length(X, y)
    else:
        X, y = validate_data(estimator, X, _plain_labels(y), **options)
    check_classification_targets(y)
    classes, y = np.unique(y, return_inverse=True)
    return X, y, classes


def _validated(estimator, X, **options):
    """X as scikit-learn's `validate_data` has it; on a device it is left where it is."""
    if not isinstance(X, DeviceArray):
        return validate_data(estimator, X, **options)
    if 0 in X.shape:
        raise ValueError(f"Found array X of shape {X.shape}: it needs a row and a column.")
    if not X.is_finite():
        raise ValueError("Input X contains NaN or infinity.")
    return validate_data(estimator, X, reset=options["reset"], skip_check_array=True)


def _kept_dtypes(X):
    """Floats, and integers in an array as they are: blocks of them are converted when used."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "iub":
        return X.dtype
    return _FLOATS


def _check_weights(X, y, sample_weight, class_weight, classes):
    """Weights of the rows times those of their classes."""
    sample_weight = _check_sample_weight(
        sample_weight, y, dtype=np.float64, copy=True, ensure_non_negative=True
    )
    if class_weight is not None:
        weights = weights_of_classes(class_weight, classes, y, sample_weight)
        with np.errstate(over="ignore"):  # checked as a sum
            sample_weight *= weights[y] if y.ndim == 1 else y @ weights
    return sample_weight


def _of_classes(data, weighted):
    """`TrainingData` of all classes, restricted to some by index."""
    y, offset = data.y, data.offset
    y = np.searchsorted(weighted, y) if y.ndim == 1 else np.ascontiguousarray(y[:, weighted])
    offset = None if offset is None else offset[:, weighted]
    return replace(data, y=y, offset=offset, weighted=weighted)


def _with_weight(X, y, sample_weight, classes, offset):
    """`TrainingData` of the rows that have weight, without duplicates among stored values."""
    with np.errstate(over="ignore"):
        if not np.isfinite(sample_weight.sum()):
            raise ValueError(
                "The sum of the weights (sample_weight times class_weight) overflows: scale them."
            )
    counts = sample_weight > 0
    if not counts.all():
        X, y, sample_weight = X[counts], y[counts], sample_weight[counts]
        offset = None if offset is None else offset[counts]
    if sparse.issparse(X):
        X = rows_view(X, slice(0, X.shape[0]))  # which finds out anew whether it has duplicates
        if not X.has_canonical_format:
            X = X.copy()  # the caller's matrix stays as it is
            X.sum_duplicates()
    return TrainingData(X, y, sample_weight, classes, np.arange(len(classes)), offset)


def _is_soft(y):
    """Whether y is a table of at least two columns: probabilities rather than labels."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, (list, tuple)) and y and isinstance(y[0], (list, tuple)):
        shape = (len(y), len(y[0]))
    return shape is not None and len(shape) == 2 and shape[1] > 1 and not sparse.issparse(y)


def _probabilities(y):
    """Classes, which the columns' names are if they have any, and sorted by them y (n, K).

    One-hot rows are labels: their codes (n,).
    """
    names = getattr(y, "columns", None)
    if names is not None and len(set(names)) < len(names):
        raise ValueError("y has columns of the same name; each must be a class of its own.")
    Q = check_array(y, dtype=None, input_name="y")
    if Q.dtype.kind != "f":
        raise ValueError(
            "y should be a 1d array of labels, or probabilities in floating point of shape "
            f"(n_samples, n_classes); got an array of {Q.dtype} of shape {Q.shape} instead. If "
            "its rows are one-hot, pass y.argmax(axis=1), or y.astype(float)."
        )
    Q = Q.astype(np.float64)
    valid = (Q >= 0).all(axis=1) & np.isclose(Q.sum(axis=1), 1, rtol=0, atol=1e-6)
    if not valid.all():
        row = int(valid.argmin())
        raise ValueError(
            "y of shape (n_samples, n_classes) must hold probabilities, non-negative and with a "
            f"sum of 1 in each row; row {row} is {np.array2string(Q[row], threshold=10)}."
        )
    classes = np.arange(Q.shape[1]) if names is None else np.asarray(names)
    order = np.argsort(classes)
    Q = Q[:, order] / Q.sum(axis=1, keepdims=True)
    is_one_hot = Q.max(axis=1) == 1
    return classes[order], Q.argmax(axis=1) if is_one_hot.all() else Q


def class_totals(y, sample_weight, n_classes):
    """The weight of each class in codes or probabilities."""
    if y.ndim == 2:
        return sample_weight @ y
    return np.bincount(y, weights=sample_weight, minlength=n_classes)


def weights_of_classes(class_weight, classes, y, sample_weight):
    """The weight of each class; "balanced" makes those that have weight count alike."""
    weights = np.ones(len(classes))
    totals = class_totals(y, sample_weight, len(classes))
    occurs = totals > 0
    if isinstance(class_weight, str):  # "balanced"
        with np.errstate(over="ignore"):  # checked below
            weights[occurs] = totals.sum() / (occurs.sum() * totals[occurs])
    else:
        weights = compute_class_weight(class_weight, classes=classes, y=classes)
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0)):
        raise ValueError(f"class_weight must be finite and non-negative, got {class_weight!r}.")
    return weights


def _plain_labels(y):
    """pandas labels that allow missing values, if none is missing, in the type they hold."""
    plain = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if plain is None or not hasattr(y, "isna") or y.isna().any():
        return y
    return y.to_numpy(dtype=plain)


def check_data(estimator, X):
    """Validate what a fitted estimator is asked to predict from."""
    _refuse_masked("X", X)
    _refuse_wrong_indices(X)
    return _validated(estimator, X, accept_sparse="csr", dtype=_FLOATS, reset=False)


def _refuse_wrong_indices(X):
    """SciPy does not check the indices of a sparse matrix, but reads and writes where they point.

    Other formats than these cannot be out of bounds, or are checked when they are converted.
    """
    if not sparse.issparse(X) or X.ndim != 2:
        return
    if X.format == "coo":
        valid = len(X.data) == len(X.row) == len(X.col)
        valid = valid and _are_within(X.row, X.shape[0]) and _are_within(X.col, X.shape[1])
    elif X.format in ("csr", "csc", "bsr"):
        rows, columns = X.blocksize if X.format == "bsr" else (1, 1)
        shape = X.shape[0] // rows, X.shape[1] // columns
        n_major, n_minor = shape[::-1] if X.format == "csc" else shape
        valid = (
            len(X.indptr) == n_major + 1
            and X.indptr[0] == 0
            and bool((X.indptr[1:] >= X.indptr[:-1]).all())
            and X.indptr[-1] <= min(len(X.data), len(X.indices))
            and _are_within(X.indices, n_minor)
        )
    else:
        return
    if not valid:
        raise ValueError(
            f"X is a sparse matrix of format {X.format!r} whose indices are not valid: "
            "X.check_format(full_check=True) has details, if X has this method."
        )


def _are_within(indices, bound):
    """Whether all indices are in ``range(bound)``."""
    return len(indices) == 0 or bool(indices.min() >= 0 and indices.max() < bound)


def _refuse_masked(name, array):
    """A mask would be ignored by the conversion to an array, and masked values used."""
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is a masked array, whose mask would be ignored. Fill the masked values "
            f"or drop their rows first, for example with {name}.filled(...)."
        )
