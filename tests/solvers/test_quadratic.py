"""Minima of quadratic models: the conditions of optimality, and values by another program."""

import numpy as np
import pytest
from scipy.optimize import minimize

from sk_softmax._solvers._quadratic import MatrixModel, OperatorModel, Terms, minimised

M = 12
SEEDS = range(6)
KINDS = ["lasso", "bounds", "both", "without zero", "some free", "equal", "opposite"]


def make(kind, seed):
    """Root A of H = A'A, squares, g and `Terms` at a feasible x, with H maybe singular."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((M + 3, M)) @ np.diag(10.0 ** rng.uniform(-1, 1, M))
    A[:, 1] += 3 * A[:, 0]  # correlated
    l2, l1 = np.full(M, 0.01), np.full(M, 0.8)
    lower, upper = np.full(M, -np.inf), np.full(M, np.inf)
    x = np.where(rng.random(M) < 0.5, rng.standard_normal(M), 0.0)
    if kind in ("bounds", "both", "without zero"):
        lower[:5], upper[3:8] = -0.2, 0.1
        l1 = l1 * (kind != "bounds")
    if kind == "without zero":
        lower[0], upper[1], lower[2], upper[2] = 0.3, -0.2, 0.5, 0.5
    if kind == "some free":
        l1[::3] = 0
    if kind in ("equal", "opposite"):
        l2[:] = 0
        A[:, 2:5] = A[:, [0]] * (1 if kind == "equal" else -1)
    g = A.T @ rng.standard_normal(len(A)) * 3
    return A, l2, np.clip(x, lower, upper), g, Terms(l1, lower, upper)


def models(A, l2):
    """The kinds of models of one H."""
    H = A.T @ A
    blocks = H[:5, :5].copy(), H[5:, 5:].copy()
    return {
        "matrix": MatrixModel(H.copy(), l2),
        "diagonal": OperatorModel(lambda v: H @ v, np.diag(H).copy(), None, l2),
        "blocks": OperatorModel(lambda v: H @ v, np.diag(H).copy(), blocks, l2),
    }


def change_of_model(A, l2, x0, g, terms):
    """Function from x to what the model is there above its value at x0."""

    def change(x):
        d = x - x0
        quadratic = g @ d + 0.5 * ((A @ d) ** 2).sum() + 0.5 * l2 @ d**2
        return quadratic + terms.l1 @ (abs(x) - abs(x0))

    return change


def violation(A, l2, x0, g, terms, x):
    """How far a step along each coordinate, scaled by its curvature, would move x."""
    curvature = (A**2).sum(axis=0) + l2
    slope = g + A.T @ (A @ (x - x0)) + l2 * (x - x0)
    t = x - slope / curvature
    best = np.sign(t) * np.maximum(abs(t) - terms.l1 / curvature, 0)
    return abs(np.clip(best, terms.lower, terms.upper) - x)


def value_by_scipy(A, l2, x0, g, terms):
    """The least change, as L-BFGS-B finds it for differences of two positive vectors."""
    low_u, high_u = np.maximum(terms.lower, 0), np.maximum(terms.upper, 0)
    low_v, high_v = np.maximum(-terms.upper, 0), np.maximum(-terms.lower, 0)

    def function(uv):
        d = uv[:M] - uv[M:] - x0
        slope = g + A.T @ (A @ d) + l2 * d
        value = g @ d + 0.5 * ((A @ d) ** 2).sum() + 0.5 * l2 @ d**2
        value += terms.l1 @ (uv[:M] + uv[M:] - abs(x0))
        return value, np.concatenate([slope + terms.l1, -slope + terms.l1])

    bounds = list(zip(np.append(low_u, low_v), np.append(high_u, high_v), strict=True))
    start = np.append(np.maximum(x0, 0), np.maximum(-x0, 0))
    options = {"maxiter": 20_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 50}
    return minimize(
        function, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options
    ).fun


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_minimum_meets_the_conditions_of_optimality(kind, seed):
    A, l2, x0, g, terms = make(kind, seed)
    change = change_of_model(A, l2, x0, g, terms)
    expected = value_by_scipy(A, l2, x0, g, terms)
    for name, model in models(A, l2).items():
        x, decrease = minimised(model, x0, g, terms, 1e-14)
        assert (terms.lower <= x).all(), name
        assert (x <= terms.upper).all(), name
        assert decrease == pytest.approx(-change(x), rel=1e-9, abs=1e-12), name
        assert change(x) <= expected + 1e-6 * abs(expected), name
        assert violation(A, l2, x0, g, terms, x).max() < 1e-4 * abs(x).max(), name


def test_a_loose_minimum_is_a_descent_and_costs_less():
    products = []
    A, l2, x0, g, terms = make("lasso", 0)
    for forcing in (0.1, 1e-14):
        calls = []
        model = models(A, l2)["matrix"]
        product = model.product
        model.product = lambda d, calls=calls, product=product: calls.append(1) or product(d)
        x, decrease = minimised(model, x0, g, terms, forcing)
        assert decrease > 0
        assert change_of_model(A, l2, x0, g, terms)(x) < 0
        products.append(len(calls))
    assert products[0] < products[1]


def test_zero_stays_where_the_slope_is_smaller_than_l1():
    terms = Terms(np.full(M, 1.0), np.full(M, -np.inf), np.full(M, np.inf))
    g = np.linspace(-0.99, 0.99, M)
    model = MatrixModel(np.eye(M), np.zeros(M))
    x, decrease = minimised(model, np.zeros(M), g, terms, 1e-14)
    np.testing.assert_array_equal(x, 0)
    assert decrease == 0
