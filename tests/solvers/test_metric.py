import pickle

import numpy as np
import pytest
from reference import make_problem, mean_gradient
from scipy import sparse

from sk_softmax._batches import Parameters
from sk_softmax._solvers import _metric
from sk_softmax._solvers._metric import Preconditioning


def balanced(n=90, p=4, K=3):
    X, _ = make_problem(0, n=n, p=p)
    return X * 10.0 ** np.arange(p) + 5, np.arange(n) % K


def hessian_times(X, y, V, lam, theta=None, h=1e-5):
    theta = np.zeros_like(V) if theta is None else theta
    s = np.ones(len(y))
    up, down = (mean_gradient(theta + sign * h * V, X, y, s, lam) for sign in (1, -1))
    return (up - down) / (2 * h)


def times(metric, objective, G):
    """M G of an array (p + 1, K)."""
    product = Parameters(objective)
    metric.multiply(Parameters.of(objective, G), product)
    return product.as_array()


def theta_0(objective):
    return np.zeros(objective.shape).ravel()


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_at_the_start_it_inverts_the_hessian(make_objective, layout, fit_intercept, lam):
    """Exact for equally probable classes; a penalised intercept or a stray n would show."""
    X, y = balanced()
    objective = make_objective(layout(X), y, lam=lam, fit_intercept=fit_intercept)
    metric = Preconditioning(objective, theta_0(objective)).initial
    V = np.random.default_rng(0).standard_normal(objective.shape) / 10.0 ** np.append(
        np.arange(4), [0] * fit_intercept
    )
    V -= V.mean(axis=0)
    HV = hessian_times(X, y, V, lam)
    np.testing.assert_allclose(times(metric, objective, HV.T).T, V, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("affordable", [0, 1e9])
def test_it_is_symmetric_positive_and_keeps_the_gauge(make_objective, monkeypatch, affordable):
    monkeypatch.setattr(_metric, "_AFFORDABLE", affordable)
    X, y = make_problem(1)
    objective = make_objective(X + 3, y)
    rng = np.random.default_rng(0)
    metric = Preconditioning(objective, rng.standard_normal(15)).initial
    A, B = (rng.standard_normal((5, 3)) for _ in range(2))
    A, B = A - A.mean(axis=1, keepdims=True), B - B.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(times(metric, objective, A).sum(axis=1), 0, atol=1e-10)
    assert np.vdot(A, times(metric, objective, A)) > 0


def test_it_is_made_anew_from_where_it_is_asked(make_objective):
    X, y = balanced()
    objective = make_objective(X, y)
    preconditioning = Preconditioning(objective, theta_0(objective))
    G = np.random.default_rng(0).standard_normal((5, 3))
    here = times(preconditioning.at(theta_0(objective)), objective, G)
    np.testing.assert_allclose(here, times(preconditioning.initial, objective, G), rtol=1e-8)
    theta = np.zeros(objective.shape)
    theta[0, 0] = 2
    elsewhere = times(preconditioning.at(theta.ravel()), objective, G)
    assert np.abs(elsewhere - here).max() > 0.01 * np.abs(here).max()


def test_half_of_the_first_curvature_is_kept(make_objective):
    X, y = balanced()
    objective = make_objective(X, y, lam=0.0)
    preconditioning = Preconditioning(objective, theta_0(objective))
    theta = np.zeros(objective.shape)
    theta[:, -1] = [15, 0, -15]  # every row saturated: hardly any curvature
    G = np.random.default_rng(0).standard_normal((5, 3))
    G -= G.mean(axis=1, keepdims=True)
    at_start = np.vdot(G, times(preconditioning.initial, objective, G))
    later = np.vdot(G, times(preconditioning.at(theta.ravel()), objective, G))
    assert later == pytest.approx(2 * at_start, rel=1e-3)
    # With none at all there is nothing to be learnt, and nothing to divide by.
    none = preconditioning.at(100 * theta.ravel())
    assert np.vdot(G, times(none, objective, G)) == pytest.approx(at_start)


@pytest.mark.parametrize("n", [1, 10, 300, 5000])
def test_batches_have_the_size_that_is_documented(make_objective, n):
    X, y = make_problem(0, n=max(n, 3), p=30)
    objective = make_objective(X, y, lam=1e-6)
    preconditioning = Preconditioning(objective, theta_0(objective))
    size = preconditioning.batch_size()
    assert min(8, len(y)) <= size <= max(8, len(y) // 32)
    if n == 5000:  # Gaussian columns: R = p + 2, and one for the intercept
        assert size == pytest.approx(33, abs=2)
        assert preconditioning.step_size(size) == pytest.approx(0.5, abs=0.03)


def test_it_survives_pickling(make_objective):
    objective = make_objective(*make_problem(0))
    metric = Preconditioning(objective, theta_0(objective)).initial
    G = np.random.default_rng(0).standard_normal((5, 3))
    again = pickle.loads(pickle.dumps(metric))
    np.testing.assert_array_equal(times(again, objective, G), times(metric, objective, G))
