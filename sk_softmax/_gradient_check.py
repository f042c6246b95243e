"""Compare the gradient that a model is fitted with to finite differences."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sk_softmax._formulation import make_objective
from sk_softmax._objective import NOT_FINITE, OutOfRangeError
from sk_softmax._rows import root_mean_squares
from sk_softmax._threads import RowThreads
from sk_softmax._training_data import check_training_data


@dataclass(frozen=True)
class GradientCheck:
    """Result of `check_gradient`.

    Attributes
    ----------
    mean_error, max_error : float
        Mean and maximum absolute difference over the coordinates checked, for features
        scaled to a root mean square of one.
    coordinates : ndarray of shape (n_coordinates,)
        Indices into the flattened parameters ``[W, b]``, rows by class.
    analytic, numeric : ndarray of shape (n_coordinates,)
        The two gradients there, likewise for scaled features.
    """

    mean_error: float
    max_error: float
    coordinates: np.ndarray
    analytic: np.ndarray
    numeric: np.ndarray


def check_gradient(
    estimator, X, y, sample_weight=None, *, n_coordinates=300, epsilon=1e-4, random_state=None
):
    """Check the gradient of an estimator's objective on given data.

    Compares the analytic gradient with central differences at a random point, in random
    coordinates of the flattened parameters, in float64.

    Parameters
    ----------
    estimator : SoftmaxRegression
        Its parameters define the objective. It need not be fitted and is not changed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows.
    y : array-like of shape (n_samples,)
        Labels.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights.
    n_coordinates : int, default=300
        Number of coordinates to check; all of them if there are fewer.
    epsilon : float, default=1e-4
        Half the distance between the two points of a difference, as the root mean square
        of the change that it makes to the logits.
    random_state : int, RandomState instance or None, default=None
        Determines the point and the coordinates.

    Returns
    -------
    check : GradientCheck
        Errors of about 1e-9 are expected at the default `epsilon`, whose square bounds them.

    Raises
    ------
    ValueError
        As `SoftmaxRegression.fit` on the same data.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_softmax import SoftmaxRegression, check_gradient
    >>> check = check_gradient(SoftmaxRegression(C=0.1), *load_iris(return_X_y=True))
    >>> check.max_error < 1e-7
    True
    """
    rng = check_random_state(random_state)
    data = check_training_data(clone(estimator), X, y, sample_weight, estimator.class_weight)
    data = replace(data, X=data.X.astype(np.float64))
    with RowThreads() as threads, np.errstate(over="ignore", invalid="ignore"):
        objective = make_objective(estimator, data, threads)
        scale = np.ones(objective.shape)
        scale[:, : objective.n_features] = root_mean_squares(data.X)
        scale = scale.ravel()
        theta = rng.standard_normal(scale.size) / (scale * np.sqrt(objective.shape[1]))
        coordinates = rng.permutation(theta.size)[:n_coordinates]
        analytic = (objective.value_and_gradient(theta)[1] / scale)[coordinates]
        numeric = np.empty_like(analytic)
        for i, coordinate in enumerate(coordinates):
            values = []
            for sign in (1, -1):
                shifted = theta.copy()
                shifted[coordinate] += sign * epsilon / scale[coordinate]
                values.append(objective.value_and_gradient(shifted)[0])
            numeric[i] = (values[0] - values[1]) / (2 * epsilon)
    errors = np.abs(analytic - numeric)
    if not np.isfinite(errors).all():
        raise OutOfRangeError(NOT_FINITE)
    return GradientCheck(float(errors.mean()), float(errors.max()), coordinates, analytic, numeric)
