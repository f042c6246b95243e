"""The contenders: ours, and one adapter for each rival.

An adapter is a ladder of settings, from the loosest to the tightest, each of which fits a
model of the same objective and returns its coefficients and intercepts. Rivals that are not
installed are left out.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sk_softmax import SoftmaxRegression


@dataclass(frozen=True)
class Contender:
    """A way to fit: `fit(X, y, C, setting) -> (coef, intercept)` for each of `settings`."""

    name: str
    fit: Callable
    settings: Sequence
    default: object = None  # the setting that its makers chose


def _estimator(cls, fixed, parameter):
    """Adapter of a scikit-learn estimator whose accuracy is set by one parameter."""

    def fit(X, y, C, setting):
        parameters = fixed if setting is None else {**fixed, parameter: setting}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = cls(C=C, **parameters).fit(X, y)
        return model.coef_, model.intercept_

    return fit


def _logistic_regression(solver, parameter, **fixed):
    return _estimator(LogisticRegression, {"solver": solver, **fixed}, parameter)


_TOLS = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
_ITERATIONS = [30, 100, 300, 1000, 3000, 10_000]

CONTENDERS = [
    Contender(
        "SoftmaxRegression",
        _estimator(SoftmaxRegression, {"solver": "lbfgs"}, "tol"),
        [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8],
    ),
    Contender("lbfgs", _logistic_regression("lbfgs", "max_iter", tol=1e-10), _ITERATIONS),
    Contender("newton-cg", _logistic_regression("newton-cg", "tol", max_iter=1000), _TOLS),
    Contender(
        "newton-cholesky", _logistic_regression("newton-cholesky", "tol", max_iter=1000), _TOLS
    ),
    Contender("saga", _logistic_regression("saga", "max_iter", tol=1e-10), _ITERATIONS[:4]),
]


def two_rows(coef, intercept):
    """Softmax rows of a model that may have been fitted as a sigmoid."""
    if len(coef) > 1:
        return np.column_stack([coef, intercept]).astype(np.float64)
    row = np.append(coef[0], intercept[0]).astype(np.float64) / 2
    return np.stack([-row, row])
