"""Separation without a penalty, against an exact linear program."""

import warnings

import numpy as np
import pytest
from reference import make_problem
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sk_softmax import SoftmaxRegression
from sk_softmax._curvature import Curvature
from sk_softmax._hessian import PairSums
from sk_softmax._solvers._separation import is_separable as by_program


def is_separable(X, y):
    """Whether some coefficients give no row's label less than another class, and some more."""
    X = X - X.mean(axis=0)
    A = np.column_stack([X / np.maximum(np.abs(X).max(axis=0), 1e-300), np.ones(len(X))])
    K = y.max() + 1
    margins = [
        np.kron(np.eye(K)[label] - np.eye(K)[k], row)
        for row, label in zip(A, y, strict=True)
        for k in range(K)
        if k != label
    ]
    margins = np.array(margins)
    found = linprog(-margins.sum(axis=0), -margins, np.zeros(len(margins)), bounds=(-1, 1))
    assert found.status == 0
    return -found.fun > 1e-7


def fitted(X, y, s=None, solver="lbfgs", **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SoftmaxRegression(solver, C=np.inf, random_state=0, **parameters)
        return model.fit(X, y, sample_weight=s)


def table(seed):
    """Few rows, rare indicators, counts: about half of these tables are separable in part."""
    rng = np.random.default_rng(seed)
    n, K = int(rng.integers(60, 250)), int(rng.integers(2, 5))
    X = np.column_stack(
        [
            rng.normal(1e3, 5, size=n),
            rng.poisson(1, size=n),
            rng.random(n) < 0.3,
            rng.random(n) < 0.04,
        ]
    )
    logits = rng.standard_normal((4, K)) * rng.choice([0.1, 0.3, 1])
    Z = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-3) @ logits
    y = (Z + rng.gumbel(size=(n, K))).argmax(axis=1)
    return X, np.unique(y, return_inverse=True)[1]


@pytest.mark.parametrize("seed", range(60))
def test_it_is_what_the_linear_program_says(seed):
    X, y = table(seed)
    if y.max() == 0:
        return
    assert (fitted(X, y).stop_reason_ == "separable") == is_separable(X, y)


def test_both_kinds_of_tables_occur():
    kinds = [is_separable(*table(seed)) for seed in range(60) if table(seed)[1].max() > 0]
    assert 10 < sum(kinds) < len(kinds) - 10


@pytest.mark.parametrize("far", [1e3, 1e5, 1e8])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_far_row_is_not_separation(far, n_classes):
    """Its label gains a million times what the others lose, for as long as it is in doubt."""
    X, y = make_problem(0, n=1000, n_classes=n_classes)
    X[0, 0], y[0] = far, 1
    model = fitted(X, y)
    assert model.stop_reason_ == "tol"
    assert model.gap_method_ == "cholesky"


def targets(seed, y):
    """Labels of a table as probabilities; some rows get a second class."""
    rng = np.random.default_rng(seed)
    Q, other = np.eye(y.max() + 1)[y], np.eye(y.max() + 1)[rng.permutation(y)]
    share = rng.uniform(0.1, 0.9, size=(len(y), 1)) * (rng.random((len(y), 1)) < 0.1)
    return (1 - share) * Q + share * other


@pytest.mark.parametrize("seed", range(30))
def test_a_table_of_targets_is_as_separable_as_its_rows_with_weights(seed):
    X, y = table(seed)
    if y.max() == 0:
        return
    Q = targets(seed, y)
    rows, labels = np.nonzero(Q)
    expected = is_separable(X[rows], labels)
    assert (fitted(X, Q).stop_reason_ == "separable") == expected
    assert (fitted(X[rows], labels, s=Q[rows, labels]).stop_reason_ == "separable") == expected


def test_both_kinds_of_tables_of_targets_occur():
    found = []
    for seed in range(30):
        X, y = table(seed)
        rows, labels = np.nonzero(targets(seed, y))
        found.append(y.max() > 0 and is_separable(X[rows], labels))
    assert 5 < sum(found) < 25


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_one_hot_probabilities_separate_as_labels_do(solver):
    X, y = load_iris(return_X_y=True)
    assert fitted(X, np.eye(3)[y], solver=solver).stop_reason_ == "separable"
    assert fitted(X, y, solver=solver).stop_reason_ == "separable"


def test_an_empty_cell_of_a_table_of_counts_is_separation():
    X = np.eye(3)[:, 1:]
    counts = np.array([[3.0, 2, 4], [1, 5, 2], [2, 4, 0]])
    model = fitted(X, counts / counts.sum(axis=1, keepdims=True), s=counts.sum(axis=1))
    assert model.stop_reason_ == "separable"
    assert not model.converged_
    counts[2, 2] = 1
    model = fitted(X, counts / counts.sum(axis=1, keepdims=True), s=counts.sum(axis=1))
    assert model.stop_reason_ == "tol"


@pytest.mark.parametrize("parameters", [{}, {"label_smoothing": 0.1}])
def test_targets_that_give_every_class_something_are_not_asked(parameters):
    X, y = load_iris(return_X_y=True)
    Q = np.eye(3)[y] if parameters else 0.9 * np.eye(3)[y] + 0.1 / 3
    assert fitted(X, Q, **parameters).stop_reason_ == "tol"


def test_many_classes_are_not_left_to_an_estimate():
    """A column that one of 25 classes has: the Hessian costs more than ten evaluations."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 12)), rng.integers(0, 25, size=600)
    X[:, 11] = (y == 3) & (rng.random(600) < 0.3)
    assert fitted(X, y).stop_reason_ == "separable"
    assert fitted(X[:, :11], y).stop_reason_ == "tol"


@pytest.mark.parametrize("seed", range(60))
def test_the_program_finds_what_steps_may_not_show(make_objective, seed):
    X, y = table(seed)
    if y.max() == 0:
        return
    objective = make_objective(X, y, lam=0)
    assert by_program(objective, PairSums(Curvature(objective))) == is_separable(X, y)


def test_separations_of_very_different_size(make_objective):
    """Groups side by side in one column, some of one class and some of two, beside noise.

    Newton's step is ruled by those far from all others, at ends that prove nothing.
    """
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 40)
    X = np.column_stack([np.exp(group) + 0.01 * rng.standard_normal(480), rng.random((480, 4))])
    y = np.where(rng.random(480) < 0.5, group, np.minimum(group + group % 2, 11))
    assert is_separable(X, y)
    assert fitted(X, y).stop_reason_ == "separable"
    assert fitted(X, y, max_iter=2).stop_reason_ == "separable"
