import numpy as np
import pytest
from reference import kkt_residual, make_problem, mean_gradient
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from sk_softmax import SoftmaxRegression
from sk_softmax._rows._in_memory import InMemoryRows
from sk_softmax._rows._rotation import Rotation, rotation_pays

intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def wide_problem(seed, n=30, p=90, n_classes=3):
    """More columns than rows, in units from 1e-4 to 1e4 and with offsets."""
    X, y = make_problem(seed, n=n, p=p, n_classes=n_classes)
    units = 10 ** np.random.default_rng(seed).uniform(-4, 4, size=p)
    return (X + 2) * units, y


@intercepts
def test_the_rotated_objective_is_the_same_function(make_objective, fit_intercept):
    X, y = wide_problem(0)
    objective = make_objective(X, y, fit_intercept=fit_intercept)
    rotation = Rotation(objective.rows)
    rotated = objective.on(rotation.rows)
    assert rotation.rows.X.shape == (30, 30)
    rng = np.random.default_rng(0)
    W = rng.standard_normal((3, 30)) @ X / np.square(X).sum()
    b = rng.standard_normal(3) if fit_intercept else None
    value, _ = objective.value_and_gradient(objective.pack(W, b))
    rotated_value, _ = rotated.value_and_gradient(rotated.pack(rotation.forward(W), b))
    assert rotated_value == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(rotation.backward(rotation.forward(W)), W, atol=1e-15)


def test_what_the_rows_do_not_see_is_dropped(make_objective):
    X, y = wide_problem(1)
    rotation = Rotation(make_objective(X, y).rows)
    W = np.random.default_rng(0).standard_normal((3, 90))
    W -= W @ np.linalg.pinv(X) @ X
    assert np.abs(rotation.forward(W)).max() < 1e-8 * np.abs(W).max()


@intercepts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("C", [1e-6, 1.0, 100.0])
def test_the_minimum_of_wide_data_is_a_minimum(C, dtype, fit_intercept):
    X, y = wide_problem(2)
    X = X.astype(dtype)
    s = np.random.default_rng(2).uniform(0.5, 2, size=len(y))
    model = SoftmaxRegression("lbfgs", C=C, fit_intercept=fit_intercept, tol=1e-12).fit(X, y, s)
    assert model.converged_
    model.coef_ = model.coef_.astype(np.float64)
    assert kkt_residual(model, X, y, s) < (1e-11 if dtype == np.float64 else 1e-6)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_wide_coefficients_equal_those_of_newtons_method(n_classes):
    X, y = make_problem(3, n=40, p=120, n_classes=n_classes)
    model = SoftmaxRegression("lbfgs", tol=1e-15).fit(X, y)
    reference = LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, rtol=1e-6)


def test_without_a_penalty_the_gradient_vanishes(make_objective, make_solver):
    """Each row comes under every label: the minimum is finite, and the rank below n."""
    X, _ = make_problem(4, n=12, p=50)
    X, y = np.repeat(X, 3, axis=0), np.tile([0, 1, 2], 12)
    s = np.random.default_rng(4).uniform(0.5, 2, size=len(y))
    objective = make_objective(X, y, s, lam=0.0)
    start = np.random.default_rng(0).standard_normal(objective.shape)
    result = make_solver("lbfgs", tol=1e-12).minimize(
        objective, (start - start.mean(axis=0)).ravel(), lambda state: False
    )
    assert result.converged
    G = mean_gradient(result.theta.reshape(objective.shape), X, y, s, 0.0)
    assert np.abs(G).max() < 1e-6
    assert np.abs(result.theta).max() < 100


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_no_column_is_left_of_rounding_errors(make_objective, unit):
    """There are as many as the rank, which repeated rows do not raise."""
    X, _ = make_problem(4, n=12, p=50)
    X, y = unit * np.tile(X, (3, 1)), np.repeat([0, 1, 2], 12)
    columns = Rotation(make_objective(X, y).rows).rows.X
    assert np.count_nonzero(columns.any(axis=0)) == 12


def test_callbacks_see_the_parameters_of_the_data_as_given(make_objective, make_solver):
    X, y = wide_problem(5)
    objective = make_objective(X, y)
    values = []

    def record(state):
        values.append((state.metrics["loss"], objective.value_and_gradient(state.theta)[0]))

    result = make_solver("lbfgs", tol=1e-10).minimize(
        objective, np.zeros(objective.shape).ravel(), record
    )
    reported, evaluated = np.array(values).T
    np.testing.assert_allclose(reported, evaluated, rtol=1e-10)
    assert result.value == pytest.approx(evaluated[-1], rel=1e-12)


def test_it_is_for_wide_dense_data_of_moderate_size(make_objective, monkeypatch):
    X, y = wide_problem(6)
    assert rotation_pays(make_objective(X, y).rows)
    assert make_objective(sparse.csr_array(X), y).rows.rotated() is None
    assert not rotation_pays(make_objective(X[:, :30], y).rows)
    long = np.ones((3000, 3200))
    assert not rotation_pays(make_objective(long, np.arange(3000) % 2).rows)
    monkeypatch.setattr(InMemoryRows, "spare_bytes", X.nbytes - 1)
    assert not rotation_pays(make_objective(X, y).rows)
