"""From parameters and data to an objective, and from its theta to coefficients and back.

Two classes are two rows of theta and one of `coef_`. A class without weight has no row of theta; it
has coefficients of zero, and an intercept so low that its probability is zero in floating point.
"""

import numpy as np

from sk_softmax._objective import Objective
from sk_softmax._regularisation import make_penalty

# The other classes' logits have a mean of zero in every row, so that their largest is at least
# this much above, and exp(-1000) is zero. Yet it is a number that one can compute with.
_WITHOUT_WEIGHT = -1000.0


def make_objective(estimator, data, threads, total_weight=None):
    """The objective on the classes that have weight, penalised for the weight of all rows."""
    if total_weight is None:
        total_weight = data.total_weight
    rows = data.rows(estimator.label_smoothing, threads)
    penalty = make_penalty(estimator, data, total_weight)
    return Objective(rows, penalty, estimator.fit_intercept, threads)


def initial_theta(estimator, objective, data):
    """Zero coefficients and the log class priors as intercepts, or the previous fit's."""
    if estimator.warm_start and hasattr(estimator, "coef_"):
        _check_warm_start(estimator, data)
        return theta_of(estimator, objective, data)
    return objective.null_model()[0]


def theta_of(model, objective, data):
    """The flat theta of a fitted model, and of classes that it lacks that of the null model.

    With squares alone class rows sum to zero. Absolute values and bounds are of the coefficients as
    they are, those of two classes with the first at zero.
    """
    is_smooth = objective.penalty.is_smooth
    theta = objective.null_model()[0].reshape(objective.shape)
    W, b = model.densify().coef_, model.intercept_
    fitted = _have_weight(W, b)
    if len(model.classes_) == 2:
        share = np.array([-0.5, 0.5]) if is_smooth else np.array([0.0, 1.0])
        W, b, fitted = W * share[:, np.newaxis], b * share, fitted.repeat(2)
    row_of = {label: row for row, label in enumerate(model.classes_) if fitted[row]}
    for k, label in enumerate(data.classes[data.weighted]):
        row = row_of.get(label)
        if row is not None:
            theta[k, : objective.n_features] = W[row]
            theta[k, objective.n_features :] = b[row]
    return (theta - theta.mean(axis=0) if is_smooth else theta).ravel()


def _have_weight(W, b):
    """Mask of the rows of coefficients and intercepts that are of classes with weight."""
    has_weight = np.isfinite(b) & (np.abs(b) != -_WITHOUT_WEIGHT)
    if not has_weight.all():
        has_weight |= W.any(axis=1)
    return has_weight


class PreviousModel:
    """Where a call of `partial_fit` begins: the model as it is, however it came about.

    Parameters
    ----------
    estimator : SoftmaxRegression
    objective : Objective
        On the rows of the call, whose class frequencies the first one begins with.
    """

    def __init__(self, estimator, objective):
        self._K, self._p = objective.n_classes, objective.n_features
        self._fit_intercept = estimator.fit_intercept
        self.weight_seen = getattr(estimator, "_weight_seen", 0.0)
        seed = estimator.random_state
        self.seed = seed if isinstance(seed, (int, np.integer)) else None
        if hasattr(estimator, "coef_"):
            W, b = estimator.densify().coef_, np.asarray(estimator.intercept_)
            if np.isnan(b).any():  # it may have been set by hand
                raise ValueError("intercept_ must hold real numbers without NaN.")
            self._W = np.asarray(W, dtype=np.result_type(W, np.float32))
            # A class that had no weight begins with its frequency.
            self._b = np.where(np.isfinite(b), b, objective.log_priors()[: len(b)])
        else:
            self._W, self._b = None, objective.log_priors()
        self._is_folded = self._W is not None and self._K == 2

    def nonzero_columns(self):
        """Mask (p,) of the columns in which some coefficient is not zero."""
        return np.zeros(self._p, dtype=bool) if self._W is None else self._W.any(axis=0)

    def at(self, columns=None):
        """Its theta (K, p + 1) in all columns that are not zero, float64; classes sum to zero."""
        n_columns = self._p if columns is None else len(columns)
        if self._W is None:
            W, b = np.zeros((self._K, n_columns)), self._b
        else:
            W = self._W if columns is None else self._W.take(columns, axis=1)
            if not np.isfinite(W).all():
                raise ValueError("coef_ must hold finite numbers.")
            b = np.where(_have_weight(W, self._b), self._b, 0.0)
        theta = np.column_stack([W, b] if self._fit_intercept else [W])
        theta = theta.astype(np.float64, copy=False)
        if self._is_folded:
            theta = theta * [[-0.5], [0.5]]
        return theta - theta.mean(axis=0)

    def is_at(self, solution, theta):
        """Whether a flat solution is what the model was made from, up to rounding."""
        if self._W is None or solution.size != theta.size:
            return False
        solution = solution.reshape(theta.shape)
        solution = solution - solution.mean(axis=0)
        largest = np.abs(solution).max(axis=0)
        return bool((np.abs(solution - theta) <= 8 * np.finfo(self._W.dtype).eps * largest).all())


def coefficients(objective, theta, data, columns=None):
    """`classes_`, and `coef_` and `intercept_` for all of them, by name.

    If theta has only some of the columns, the other coefficients are zero.
    """
    n_columns = objective.n_features if columns is None else len(columns)
    theta = theta.reshape(objective.n_classes, -1)
    coef, intercept = theta[:, :n_columns], theta[:, -1]
    intercept = intercept if objective.fit_intercept else np.zeros(objective.n_classes)
    if objective.n_classes < len(data.classes):
        W, b = coef, intercept - intercept.mean()
        if objective.penalty.is_smooth:
            W = coef - coef.mean(axis=0)
        coef = np.zeros((len(data.classes), n_columns))
        intercept = np.full(len(data.classes), _WITHOUT_WEIGHT)
        coef[data.weighted], intercept[data.weighted] = W, b
    if len(data.classes) == 2:
        coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
    dtype = objective.rows.coef_dtype
    if columns is not None:
        coef, some = np.zeros((len(coef), objective.n_features), dtype=dtype), coef
        for row, values in zip(coef, some, strict=True):  # quicker than all rows at once
            row[columns] = values
    return {
        "classes_": data.classes,
        "coef_": coef.astype(dtype, copy=columns is None),
        "intercept_": intercept.astype(dtype),
    }


def _check_warm_start(estimator, data):
    """The previous solution must have the shape of the new one."""
    shapes = {
        "features": (data.n_features, estimator.coef_.shape[1]),
        "classes": (len(data.classes), len(estimator.classes_)),
    }
    for what, (now, before) in shapes.items():
        if now != before:
            raise ValueError(
                f"warm_start=True needs the {what} of the previous fit, which had {before}; "
                f"now there are {now}. Set warm_start=False to start anew."
            )
