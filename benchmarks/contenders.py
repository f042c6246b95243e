"""The contenders: ours, and every rival that minimises the same objective.

A contender is a ladder of settings, from the loosest to the tightest, and a function that fits
one of them; `None` stands for the setting that its makers chose. Rivals that are not installed
or do not take the data at hand say so and are left out.
"""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import r_packages
import torch_lbfgs
from fits import timed_fit
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from sk_softmax import SoftmaxRegression

OURS = "SoftmaxRegression"
SCIKIT_LEARN = "LogisticRegression "  # how the names of its solvers begin
SCIKIT_LEARN_DEFAULT = SCIKIT_LEARN + "lbfgs"


@dataclass(frozen=True)
class Contender:
    """A way to fit: ``fit(X, y, C, setting) -> Fit`` for None and for each of `settings`."""

    name: str
    fit: Callable
    settings: Sequence
    conditions: Sequence = ()  # functions of (X, C) that return why not, or None
    limit_threads: Callable = threadpool_limits  # context manager; takes 1, or None for all

    def objection(self, X, C):
        """Why it is left out, or None."""
        return next(filter(None, (condition(X, C) for condition in self.conditions)), None)


def _fit_estimator(load_class, fixed, parameter, X, y, C, setting):
    """Fit a scikit-learn estimator whose accuracy is set by one parameter."""
    estimator = load_class()(C=C, solver=fixed["solver"])
    if setting is not None:
        estimator.set_params(**fixed, **{parameter: setting})

    def fit():
        estimator.fit(X, y)
        return estimator.coef_, estimator.intercept_

    return timed_fit(fit)


def _estimator(load_class, parameter, **fixed):
    return partial(_fit_estimator, load_class, fixed, parameter)


def _logistic_regression(solver, parameter, settings, **fixed):
    fit = _estimator(lambda: LogisticRegression, parameter, solver=solver, **fixed)
    return Contender(SCIKIT_LEARN + solver, fit, settings)


def _intel_class():
    from sklearnex.linear_model import LogisticRegression

    return LogisticRegression


def _installed(module):
    return lambda X, C: None if importlib.util.find_spec(module) else f"{module} is not installed"


def _dense(X, C):
    return "for sparse data it hands over to another" if sparse.issparse(X) else None


def _unpenalised(X, C):
    return "its decay penalises intercepts too: another objective" if np.isfinite(C) else None


_TOLS = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
_ITERATIONS = [30, 100, 300, 1000, 3000, 10_000]

CONTENDERS = [
    Contender(OURS, _estimator(lambda: SoftmaxRegression, "tol", solver="lbfgs"), _TOLS),
    _logistic_regression("lbfgs", "max_iter", _ITERATIONS, tol=1e-10),
    _logistic_regression("newton-cg", "tol", _TOLS, max_iter=1000),
    _logistic_regression("newton-cholesky", "tol", _TOLS, max_iter=1000),
    _logistic_regression("sag", "max_iter", _ITERATIONS, tol=1e-10),
    _logistic_regression("saga", "max_iter", _ITERATIONS, tol=1e-10),
    Contender(
        "oneDAL lbfgs",  # the only solver that its patched class does not hand to scikit-learn
        _estimator(_intel_class, "max_iter", solver="lbfgs", tol=1e-10),
        _ITERATIONS,
        conditions=[_installed("sklearnex"), _dense],
    ),
    Contender(
        "PyTorch L-BFGS",
        torch_lbfgs.fit,
        [(history, n) for n in _ITERATIONS for history in (10, 100)],
        conditions=[_installed("torch"), torch_lbfgs.dense],
        limit_threads=torch_lbfgs.limit_threads,
    ),
    Contender(
        "R glmnet",
        partial(r_packages.fit, "glmnet"),
        [(5, thresh) for thresh in (1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13)],
        conditions=[r_packages.installed("glmnet")],
    ),
    Contender(
        "R nnet::multinom",
        partial(r_packages.fit, "nnet"),
        [(n,) for n in _ITERATIONS],
        conditions=[r_packages.installed("nnet"), _unpenalised, r_packages.dense],
    ),
]


def two_rows(coef, intercept):
    """Softmax rows of a model that may have been fitted as a sigmoid."""
    if len(coef) > 1:
        return np.column_stack([coef, intercept]).astype(np.float64)
    row = np.append(coef[0], intercept[0]).astype(np.float64) / 2
    return np.stack([-row, row])
