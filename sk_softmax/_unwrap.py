"""The fitted model inside pipelines and searches, and the names of its columns."""

from contextlib import suppress

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_softmax._array_api import in_numpy


def unwrap(estimator):
    """The model in NumPy, inside pipelines and searches, and the steps before it, or None."""
    steps = None
    check_is_fitted(estimator)
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            steps = estimator[:-1] if len(estimator) > 1 else None
            estimator = estimator[-1]
        else:
            check_is_fitted(estimator)
            return in_numpy(estimator), steps


def names_of_columns(model, steps):
    """The names that the model saw, or that the steps before it give, or else x0, x1, ..."""
    if hasattr(model, "feature_names_in_"):
        return model.feature_names_in_
    if steps is not None:
        with suppress(AttributeError):  # of a step that does not name its output
            return steps.get_feature_names_out()
    return np.array([f"x{j}" for j in range(model.coef_.shape[1])])
