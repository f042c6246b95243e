"""The rows of a fit: validated, weighted, with codes into the classes."""

import re
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sk_softmax._classes import (
    check_classes,
    class_totals,
    codes_among,
    modelled,
    weights_of_classes,
)
from sk_softmax._offsets import check_offset, check_offset_like
from sk_softmax._rows import Targets, as_rows, canonical
from sk_softmax._validation import check_labelled_rows, check_weights


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
    X, y, classes = check_labelled_rows(estimator, X, y, sample_weight, reset=True)
    sample_weight = check_weights(y, sample_weight)
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
    X, y, classes = check_labelled_rows(estimator, X, y, sample_weight, reset=True)
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
    sample_weight = _weights_of_rows(y, sample_weight, class_weight, classes)
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
    X, y, seen = check_labelled_rows(estimator, X, y, sample_weight, reset=first)
    y = codes_among(y, seen, classes)
    sample_weight = _weights_of_rows(y, sample_weight, class_weight, classes)
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


def _weights_of_rows(y, sample_weight, class_weight, classes):
    """Weights of the rows times those of their classes."""
    sample_weight = check_weights(y, sample_weight)
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
    """`TrainingData` of the rows that have weight."""
    with np.errstate(over="ignore"):
        if not np.isfinite(sample_weight.sum()):
            raise ValueError(
                "The sum of the weights (sample_weight times class_weight) overflows: scale them."
            )
    counts = sample_weight > 0
    if not counts.all():
        X, y, sample_weight = X[counts], y[counts], sample_weight[counts]
        offset = None if offset is None else offset[counts]
    return TrainingData(canonical(X), y, sample_weight, classes, np.arange(len(classes)), offset)
