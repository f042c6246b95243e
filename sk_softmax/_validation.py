"""Everything that asks scikit-learn about input: containers, labels, weights."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.utils import column_or_1d, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

_FLOATS = (np.float64, np.float32)


@dataclass(frozen=True)
class TrainingData:
    """Rows that have weight, as the objective wants them.

    `classes` are all the labels seen, `weighted` the indices of those with weight, and `y`
    codes into ``classes[weighted]``.
    """

    X: np.ndarray | sparse.csr_array
    y: np.ndarray
    sample_weight: np.ndarray
    classes: np.ndarray
    weighted: np.ndarray


def check_training_data(estimator, X, y, sample_weight, class_weight):
    """Validate what `fit` was given and drop the rows whose weight is zero.

    Sets `n_features_in_` and `feature_names_in_` on `estimator`. Class weights are folded
    into the weights.
    """
    for name, array in {"X": X, "y": y, "sample_weight": sample_weight}.items():
        _refuse_masked(name, array)
    X, y = validate_data(estimator, X, _plain_labels(y), accept_sparse="csr", dtype=_FLOATS)
    check_classification_targets(y)
    classes, codes = np.unique(column_or_1d(y), return_inverse=True)
    sample_weight = _check_sample_weight(
        sample_weight, X, dtype=np.float64, copy=True, ensure_non_negative=True
    )
    if class_weight is not None:
        sample_weight *= _class_weights(class_weight, classes, codes, sample_weight)[codes]
    counts = sample_weight > 0
    weighted, y = np.unique(codes[counts], return_inverse=True)
    if len(weighted) < 2:
        number = "one class" if len(weighted) else "no class"
        raise ValueError(
            "SoftmaxRegression needs at least 2 classes with positive weight (sample_weight "
            f"times class_weight) in y; the data contain {number}."
        )
    if not counts.all():
        X, sample_weight = X[counts], sample_weight[counts]
    if sparse.issparse(X) and not X.has_canonical_format:
        X = X.copy()  # the caller's matrix stays as it is
        X.sum_duplicates()
    return TrainingData(X, y, sample_weight, classes, weighted)


def _class_weights(class_weight, classes, codes, sample_weight):
    """The weight of each class; "balanced" makes those that have weight count alike."""
    weights = np.ones(len(classes))
    occurs = np.ones(len(classes), dtype=bool)
    if class_weight == "balanced":
        occurs = np.bincount(codes, weights=sample_weight, minlength=len(classes)) > 0
    rows = occurs[codes]
    weights[occurs] = compute_class_weight(
        class_weight,
        classes=classes[occurs],
        y=classes[codes[rows]],
        sample_weight=sample_weight[rows],
    )
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
    return validate_data(estimator, X, accept_sparse="csr", dtype=_FLOATS, reset=False)


def _refuse_masked(name, array):
    """A mask would be ignored by the conversion to an array, and masked values used."""
    if isinstance(array, np.ma.MaskedArray):
        raise ValueError(
            f"{name} is a masked array, whose mask would be ignored. Fill the masked values "
            f"or drop their rows first, for example with {name}.filled(...)."
        )
