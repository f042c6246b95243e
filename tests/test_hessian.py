"""The whole Hessian and its factor, against products with it and against its definition."""

from itertools import combinations

import numpy as np
import pytest
from reference import make_problem

from sk_softmax._curvature import Curvature
from sk_softmax._preconditioner import whole
from sk_softmax._threads import RowThreads


def factorised(make_objective, layout, n_classes, fit_intercept, lam=0.1, p=4):
    """An objective on columns of different units and offsets, some theta, and the factor there."""
    X, y = make_problem(0, n_classes=n_classes, p=p)
    X = X * 10.0 ** np.resize(np.arange(-2, 2), p) + 3 * fit_intercept
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    objective = make_objective(layout(X), y, s, lam=lam, fit_intercept=fit_intercept)
    theta = 0.1 * np.random.default_rng(1).standard_normal(objective.shape)
    theta = (theta - theta.mean(axis=0)).ravel()
    return X, objective, theta, whole(Curvature(objective), theta)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("lam", "p"), [(0.0, 4), (0.1, 4), (0.1, 40)])
def test_T_T_transposed_is_the_inverse_of_the_hessian(
    make_objective, layout, n_classes, fit_intercept, lam, p
):
    _, objective, theta, T = factorised(make_objective, layout, n_classes, fit_intercept, lam, p)
    V = np.random.default_rng(2).standard_normal(objective.shape)
    V -= V.mean(axis=0)
    HV = objective.hessian_operator(theta)(V.ravel()).reshape(objective.shape)
    # Of sparse rows HV is rounded to eps times (3 / 0.01)^2, as a column's mean is 300 deviations.
    atol = 1e-10 if objective.rows.are_centred or not fit_intercept else 1e-9
    np.testing.assert_allclose(T.forward(T.backward(HV)), V, rtol=1e-9, atol=atol)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_transpose_is_that_of_T(make_objective, layout, n_classes, fit_intercept):
    _, objective, _, T = factorised(make_objective, layout, n_classes, fit_intercept)
    rng = np.random.default_rng(3)
    V, G = rng.standard_normal(T.shape), rng.standard_normal(objective.shape)
    assert np.vdot(G, T.forward(V)) == pytest.approx(np.vdot(T.backward(G), V), rel=1e-10)
    np.testing.assert_allclose(T.forward(V).sum(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_no_row_has_a_larger_leverage(make_objective, layout, n_classes, fit_intercept):
    """And the bound is no more than sqrt(2) times the largest one of far rows."""
    X, _, _, T = factorised(make_objective, layout, n_classes, fit_intercept)
    A = np.column_stack([X, np.ones(len(X))]) if fit_intercept else X
    largest = 0.0
    for x in A:
        images = [T.backward(np.outer(e, x)).ravel() for e in np.eye(n_classes)]
        distances = [np.linalg.norm(v - w) for v, w in combinations(images, 2)]
        largest = max(largest, *distances)
    assert largest <= T.largest_leverage() * (1 + 1e-12)
    assert T.largest_leverage() <= 1.7 * largest
    assert largest <= T.leverage_bound() < np.inf


def test_probabilities_that_are_known_are_not_needed_again(make_objective, layout):
    """Nothing else tells the Hessian of theta."""
    _, objective, theta, T = factorised(make_objective, layout, 3, True)
    P = objective.evaluate(theta).probabilities
    known = T.sums.hessian(np.full_like(theta, np.nan), P)
    np.testing.assert_allclose(known, T.sums.hessian(theta), rtol=1e-12, atol=1e-15)


def test_standardised_coordinates_and_theta_are_inverse(make_objective, layout, fit_intercept):
    _, objective, theta, T = factorised(make_objective, layout, 3, fit_intercept)
    a = T.sums.standardised_of(theta.reshape(objective.shape))
    np.testing.assert_allclose(T.sums.theta_of(a).ravel(), theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [100, 20_000])
def test_any_number_of_threads_gives_the_same_bits(make_objective, n):
    X, y = make_problem(0, n=n)
    inverses = []
    for n_jobs in (1, 2):
        with RowThreads(n_jobs) as threads:
            objective = make_objective(X, y, threads=threads)
            T = whole(Curvature(objective), np.zeros(15))
            inverses.append(T.forward(np.ones(T.shape)))
    np.testing.assert_array_equal(*inverses)
