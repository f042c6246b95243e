"""From parameters and data to an objective, and from its theta to coefficients and back.

Two classes are two rows of theta and one of `coef_`. A class without weight has no row of theta; it
has coefficients of zero, and an intercept so low that its probability is zero in floating point.
"""

import numpy as np

from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Targets, as_rows

# The other classes' logits have a mean of zero in every row, so that their largest is at least
# this much above, and exp(-1000) is zero. Yet it is a number that one can compute with.
_WITHOUT_WEIGHT = -1000.0


def make_objective(estimator, data, threads, total_weight=None):
    """The objective on the classes that have weight, penalised for the weight of all rows.

    With two classes a softmax of two rows at C/2 is the sigmoid model at C.
    """
    n_classes = len(data.weighted)
    C = estimator.C / 2 if n_classes == 2 else estimator.C
    if total_weight is None:
        total_weight = data.sample_weight.sum()
    rows = make_rows(estimator, data, threads)
    penalty = Penalty(_penalty_of_mean(C, total_weight))
    return Objective(rows, penalty, estimator.fit_intercept, threads)


def make_rows(estimator, data, threads):
    """The rows of validated data, with the classes that have weight."""
    n_classes, y, smoothing = len(data.weighted), data.y, estimator.label_smoothing
    if y.ndim == 2:
        y, smoothing = (1 - smoothing) * y + smoothing / n_classes, 0.0
    return as_rows(data.X, Targets(y, n_classes, smoothing), data.sample_weight, threads)


def initial_theta(estimator, objective, data, go_on=None):
    """Zero coefficients and the log class priors as intercepts, or the previous fit's."""
    W, b = np.zeros((objective.n_classes, objective.n_features)), objective.log_priors()
    if go_on is None and estimator.warm_start and hasattr(estimator, "coef_"):
        _check_warm_start(estimator, data)
        go_on = True
    if go_on:
        previous_W, previous_b = estimator.densify().coef_, estimator.intercept_
        fitted = previous_W.any(axis=1) | (np.abs(previous_b) < -_WITHOUT_WEIGHT)
        if len(estimator.classes_) == 2:
            previous_W, previous_b = previous_W * [[-0.5], [0.5]], previous_b * [-0.5, 0.5]
            fitted = fitted.repeat(2)
        row_of = {label: row for row, label in enumerate(estimator.classes_) if fitted[row]}
        for k, label in enumerate(data.classes[data.weighted]):
            row = row_of.get(label)
            if row is not None:
                W[k], b[k] = previous_W[row], previous_b[row]
    theta = np.column_stack([W, b]) if estimator.fit_intercept else W
    return (theta - theta.mean(axis=0)).ravel()


def coefficients(objective, theta, data):
    """`classes_`, and `coef_` and `intercept_` for all of them, by name."""
    coef, intercept = objective.unpack(theta)
    intercept = np.zeros(objective.n_classes) if intercept is None else intercept
    if objective.n_classes < len(data.classes):
        W, b = coef - coef.mean(axis=0), intercept - intercept.mean()
        coef = np.zeros((len(data.classes), objective.n_features))
        intercept = np.full(len(data.classes), _WITHOUT_WEIGHT)
        coef[data.weighted], intercept[data.weighted] = W, b
    if len(data.classes) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    dtype = objective.rows.coef_dtype
    return {
        "classes_": data.classes,
        "coef_": coef.astype(dtype),
        "intercept_": intercept.astype(dtype),
    }


def _check_warm_start(estimator, data):
    """The previous solution must have the shape of the new one."""
    shapes = {
        "features": (data.X.shape[1], estimator.coef_.shape[1]),
        "classes": (len(data.classes), len(estimator.classes_)),
    }
    for what, (now, before) in shapes.items():
        if now != before:
            raise ValueError(
                f"warm_start=True needs the {what} of the previous fit, which had {before}; "
                f"now there are {now}. Set warm_start=False to start anew."
            )


def _penalty_of_mean(C, total_weight):
    """``lam = 1 / (C S)``, zero where C S overflows."""
    product = float(C) * float(total_weight)
    lam = 1 / product if product > 0 else np.inf
    if lam == np.inf:
        raise ValueError(f"C times the sum of the weights underflows; increase C={C!r}.")
    return lam
