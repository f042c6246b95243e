"""The minimum is that of scikit-learn's LogisticRegression and of published numbers."""

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from reference import kkt_residual, make_problem, model_objective
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sk_softmax import SoftmaxRegression

TOL = 1e-18
DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


@dataclass
class Pair:
    X: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None
    ours: SoftmaxRegression
    theirs: LogisticRegression


def fit_both(X, y, sample_weight=None, **parameters):
    ours = SoftmaxRegression("lbfgs", tol=TOL, max_iter=20_000, **parameters)
    ours.fit(X, y, sample_weight=sample_weight)
    theirs = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000, **parameters)
    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore")  # what it says of its last Newton steps
        theirs.fit(X, y, sample_weight=sample_weight)
    return Pair(X, y, sample_weight, ours, theirs)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, scaling, C), id=f"{name}-{scaling}-{C:g}")
        for name in DATA
        for scaling in ("raw", "standardised")
        for C in (0.01, 1.0, 100.0)
    ],
)
def bundled(request):
    name, scaling, C = request.param
    X, y = DATA[name](return_X_y=True)
    return fit_both(StandardScaler().fit_transform(X) if scaling == "standardised" else X, y, C=C)


@pytest.fixture(
    scope="module",
    params=[
        {"fit_intercept": False},
        {"class_weight": "balanced"},
        {"class_weight": {0: 0.5, 1: 2.0, 2: 1.5}},
        {"weighted": True},
        {"weighted": True, "class_weight": "balanced", "fit_intercept": False},
    ],
    ids=lambda variant: "-".join(variant),
)
def variant(request):
    X, y = load_wine(return_X_y=True)
    parameters = dict(request.param)
    weights = np.random.default_rng(0).uniform(0, 3, size=len(y))
    return fit_both(X, y, weights if parameters.pop("weighted", False) else None, **parameters)


def assert_same_model(pair):
    X, ours, theirs = pair.X, pair.ours, pair.theirs
    assert ours.stop_reason_ == "tol"
    # Strong convexity, 1/2 ||W - W*||^2 <= F - F*: more no gap of TOL can promise for
    # coefficients near zero. That of a constant column, which nothing determines but the
    # penalty, is zero, and left to the bound alone.
    bound = 1e-12
    if np.isfinite(ours.C):
        bound += np.sqrt(2 * TOL * ours.loss_ * ours.C * len(X))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-6, atol=10 * bound)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-6, atol=10 * bound)
    # For two classes theirs are p and 1 - p, which is no nearer to zero than rounding.
    atol = 1e-15 if len(ours.classes_) == 2 else 1e-300
    P = theirs.predict_proba(X)
    np.testing.assert_allclose(ours.predict_proba(X), P, rtol=1e-6, atol=atol)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_same_coefficients_and_probabilities(bundled):
    assert_same_model(bundled)


def test_same_coefficients_and_probabilities_with_other_parameters(variant):
    assert_same_model(variant)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_same_coefficients_without_a_penalty_where_the_minimum_is_finite(n_classes):
    """Two species of iris are not separable, nor are labels drawn from a softmax model."""
    if n_classes == 2:
        X, y = load_iris(return_X_y=True)
        X, y = X[y > 0], y[y > 0]
    else:
        X, y = make_problem(0, n=300, n_classes=3)
        X = X * [1e3, 1, 1e-3, 1] + [0, 50, 0, 0]
    assert_same_model(fit_both(X, y, C=np.inf))


def test_same_objective(bundled):
    X, y, ours, theirs = bundled.X, bundled.y, bundled.ours, bundled.theirs
    value = model_objective(ours, X, y)
    assert ours.loss_ * ours.C * len(y) == pytest.approx(value, rel=1e-10)
    # Not above LogisticRegression's by more than rounding.
    assert value <= model_objective(theirs, X, y) * (1 + 1e-12)


def test_stationary(bundled):
    assert kkt_residual(bundled.ours, bundled.X, bundled.y) < 10 * TOL


def test_stationary_with_other_parameters(variant):
    weight = np.ones(len(variant.y)) if variant.sample_weight is None else variant.sample_weight
    class_weight = variant.ours.class_weight
    if class_weight == "balanced":
        sums = np.bincount(variant.y, weights=weight)
        class_weight = dict(enumerate(weight.sum() / (3 * sums)))
    if class_weight is not None:
        weight = weight * np.array([class_weight[k] for k in range(3)])[variant.y]
    assert kkt_residual(variant.ours, variant.X, variant.y, weight) < 10 * TOL


def test_the_residual_sees_a_model_that_is_not_stationary():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", tol=TOL, max_iter=20_000).fit(X, y)
    model.coef_ *= 1 + 1e-5
    assert kkt_residual(model, X, y) > 1e3 * TOL


@pytest.mark.parametrize(
    ("name", "scale", "minimum"),
    [
        ("iris", 1, 28.886316604092),
        ("wine", 1, 11.077958141629),
        ("digits", 16, 358.548947733962),
    ],
)
def test_minima_on_raw_data(name, scale, minimum):
    X, y = DATA[name](return_X_y=True)
    model = SoftmaxRegression("lbfgs", tol=TOL, max_iter=20_000).fit(X / scale, y)
    assert model.loss_ * len(y) == pytest.approx(minimum, abs=1e-12, rel=1e-14)


@pytest.mark.parametrize(("name", "scale"), [("iris", 1), ("wine", 1), ("digits", 16)])
def test_default_tol_is_near_the_minimum(name, scale):
    minimum = {"iris": 28.886316604092, "wine": 11.077958141629, "digits": 358.548947733962}
    X, y = DATA[name](return_X_y=True)
    model = SoftmaxRegression().fit(X / scale, y)
    assert model.converged_
    # The estimate of the gap is one: columns are correlated.
    assert minimum[name] <= model.loss_ * len(y) <= minimum[name] * (1 + 1e-4)


def test_ridge_of_glmnet():
    X = np.column_stack([np.arange(-4.0, 5.0), [0, 0, 1, 0, 1, 1, 1, 0, 0]])
    y = np.repeat([0, 1, 2], 3)
    model = SoftmaxRegression("lbfgs", C=1 / 9, tol=1e-24, max_iter=20_000).fit(X, y)
    np.testing.assert_allclose(
        model.coef_,
        [
            [-0.38023385926, -0.01226501628],
            [-8.1648070e-5, 0.04734548711],
            [0.38031550733, -0.03508047084],
        ],
        rtol=0,
        atol=6e-12,
    )
    np.testing.assert_allclose(
        model.intercept_, [-0.12004757448, 0.22517471309, -0.10512713862], rtol=0, atol=6e-12
    )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("C", [0.1, 10.0])
def test_two_classes_are_the_sigmoid_model(C, fit_intercept):
    X, y = make_problem(0, n=200, n_classes=2)
    sign = 2 * y - 1

    def sigmoid_objective(theta):
        z = X @ theta[:4] + theta[4] * fit_intercept
        residual = -C * sign / (1 + np.exp(sign * z))
        gradient = np.append(X.T @ residual + theta[:4], residual.sum() * fit_intercept)
        return C * np.logaddexp(0, -sign * z).sum() + theta[:4] @ theta[:4] / 2, gradient

    expected = minimize(sigmoid_objective, np.zeros(5), jac=True, method="BFGS", tol=1e-7)
    model = SoftmaxRegression("lbfgs", C=C, tol=TOL, fit_intercept=fit_intercept).fit(X, y)
    assert model.coef_.shape == (1, 4)
    np.testing.assert_allclose(model.coef_[0], expected.x[:4], atol=1e-7)
    np.testing.assert_allclose(model.intercept_, expected.x[4:], atol=1e-7)
    assert model.loss_ * C * len(y) == pytest.approx(expected.fun, rel=1e-13)
    scores = model.decision_function(X)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / (1 + np.exp(-scores)), rtol=1e-13)
