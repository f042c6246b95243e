"""The classes: which labels are among them, what they weigh, and which are modelled."""

import numpy as np
from sklearn.utils import column_or_1d, compute_class_weight


def check_classes(classes, known):
    """The sorted classes that were given, or else those `known` from the calls before."""
    if known is not None:
        known = np.asarray(known)  # as they were set by hand, perhaps
        if known.ndim != 1 or not np.array_equal(np.unique(known), known):
            raise ValueError(f"classes_ must be sorted labels, each once, got {known}.")
    if classes is None:
        if known is None:
            raise ValueError(
                "classes must be passed on the first call to partial_fit, or to the constructor."
            )
        return known
    classes = _sorted_labels(classes)
    if len(classes) < 2:
        raise ValueError(f"classes must name at least 2 classes, got {classes}.")
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(f"classes={classes} differ from those of the model so far, {known}.")
    return classes


def classes_of_call(estimator, classes):
    """The classes of a call of `partial_fit`: its own, those of the parameter, or of the model."""
    fixed, known = estimator.classes, getattr(estimator, "classes_", None)
    if fixed is not None:
        fixed = check_classes(fixed, known)
        if classes is not None and not np.array_equal(_sorted_labels(classes), fixed):
            raise ValueError(
                f"classes={_sorted_labels(classes)} differ from the parameter classes of the "
                f"constructor, {fixed}."
            )
        return fixed
    return check_classes(classes, known)


def codes_among(y, seen, classes):
    """Codes into `seen` or probabilities of these, as codes into the sorted `classes`, or of them.

    y is (n,) or (n, len(seen)), what is returned (n,) or (n, len(classes)).
    """
    if are_text(seen) != are_text(classes):
        kinds = ("numbers", "text")
        raise ValueError(
            f"y has labels that are {kinds[are_text(seen)]}, {seen[:10]}, but the classes are "
            f"{kinds[are_text(classes)]}, {classes[:10]}. The columns of a table without names "
            "count as 0, 1, ...: pass a data frame to name them."
        )
    unknown = np.setdiff1d(seen, classes)
    if len(unknown):
        raise ValueError(
            f"y has labels that are not among the classes: {unknown[:10]}. The classes are "
            f"{classes[:10]}: those of the parameter classes, of y in fit, or of the first call in "
            "partial_fit."
        )
    columns = np.searchsorted(classes, seen)
    if y.ndim == 1:
        return columns[y]
    Q = np.zeros((len(y), len(classes)))
    Q[:, columns] = y
    return Q


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


def modelled(estimator, totals):
    """Indices of the classes that have coefficients; the probability of the others is zero.

    A class without weight has none, nor has one of the parameter `classes` without rows if there
    is an intercept, which goes to minus infinity. Without an intercept, or with smoothed targets,
    the objective has its minimum at a positive probability.
    """
    is_free = estimator.fit_intercept and estimator.label_smoothing == 0
    if estimator.classes is None or is_free:
        return np.flatnonzero(totals > 0)
    return np.arange(len(totals))


def _sorted_labels(classes):
    """Each label once, sorted."""
    classes = column_or_1d(classes)
    try:
        labels = np.unique(classes)
    except TypeError:  # numbers and text, or None
        labels = None
    if labels is None or (labels != labels).any():
        raise ValueError(f"classes must be numbers or text, none of them missing, got {classes}.")
    return labels


def are_text(labels):
    """Whether the first of some labels is text."""
    return isinstance(labels[0], (str, bytes))
