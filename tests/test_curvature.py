import numpy as np
import pytest
from reference import make_problem, mean_gradient, softmax_rows, split
from scipy import sparse

from sk_softmax import _curvature
from sk_softmax._curvature import Curvature, rows_per_matrix

layouts = pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])


def with_zeros(X):
    return np.where(np.abs(X) < 0.5, 0, X)


def random_weights(seed, n):
    return np.random.default_rng(seed).uniform(0.2, 3, size=n)


def random_theta(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape)


def covariances(objective, theta):
    return Curvature(objective).of_classes(theta)[1]


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_moments_equal_the_dense_formula(make_objective, fit_intercept, layout):
    X, y = make_problem(0, n=200)
    X, s = with_zeros(X + 1), random_weights(0, 200)
    objective = make_objective(layout(X), y, s, fit_intercept=fit_intercept)
    theta = random_theta(0, objective.shape)
    found = Curvature(objective).moments(theta.ravel())
    W, b = split(theta, X.shape[1])
    P = softmax_rows(X @ W.T + b)
    for k in range(3):
        c = s / s.sum() * P[:, k] * (1 - P[:, k])
        centre = c @ X / c.sum() if fit_intercept else np.zeros(X.shape[1])
        assert found.weight[k] == pytest.approx(c.sum(), rel=1e-13)
        np.testing.assert_allclose(found.mean[k], centre, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.variance[k], c @ (X - centre) ** 2, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_variances_are_the_diagonal_of_the_hessian(make_objective, seed):
    X, y = make_problem(seed)
    s = random_weights(seed, len(y))
    objective = make_objective(X, y, s, lam=0.0, fit_intercept=False)
    theta = random_theta(seed, objective.shape)
    variance = Curvature(objective).moments(theta.ravel()).variance
    for index in np.ndindex(theta.shape):
        step = np.zeros(theta.shape)
        step[index] = 1e-5
        up, down = (mean_gradient(theta + sign * step, X, y, s, 0.0)[index] for sign in (1, -1))
        assert variance[index] == pytest.approx((up - down) / 2e-5, abs=1e-9)


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    ("name", "value"),
    [("_NARROW_SIZE", 2**16), ("_NARROW_SIZE", 0), ("_PROBABILITY_BYTES", 1), ("_CHUNK_SIZE", 1)],
)
def test_covariances_equal_the_dense_formula(
    make_objective, fit_intercept, layout, name, value, monkeypatch
):
    """By one product a block, or class by class with all probabilities at hand or one's."""
    if name == "_PROBABILITY_BYTES":
        monkeypatch.setattr(_curvature, "_NARROW_SIZE", 0)
    monkeypatch.setattr(_curvature, name, value)
    X, y = make_problem(0, n=200)
    X, s = with_zeros(X) + 1, random_weights(0, 200)
    objective = make_objective(layout(X), y, s, fit_intercept=fit_intercept)
    theta = random_theta(0, objective.shape)
    W, b = split(theta, X.shape[1])
    P = softmax_rows(X @ W.T + b)
    C = (s / s.sum())[:, np.newaxis] * P * (1 - P)

    def covariance(c):
        centre = c @ X / c.sum() if fit_intercept else 0
        return (X - centre).T @ (c[:, np.newaxis] * (X - centre))

    expected = np.stack([covariance(c) for c in C.T])
    np.testing.assert_allclose(covariances(objective, theta.ravel()), expected, atol=1e-13)
    moments, pooled = Curvature(objective).pooled(theta.ravel())
    np.testing.assert_allclose(pooled, covariance(C.sum(axis=1)), atol=1e-13)
    np.testing.assert_allclose(moments.variance[0], np.diag(pooled), atol=1e-13)
    np.testing.assert_allclose(moments.weight, C.sum(axis=0), atol=1e-13)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_an_offset_of_the_columns_costs_no_digits(make_objective, offset):
    X, y = make_problem(0, n=200)
    X = np.round(X * 2**10) / 2**10  # so that the offset is exact
    theta = np.zeros((3, 5))
    plain = covariances(make_objective(X, y), theta.ravel())
    shifted = covariances(make_objective(X + offset, y), theta.ravel())
    np.testing.assert_allclose(shifted, plain, rtol=0, atol=1e-9)


def test_drawn_rows_follow_the_weights():
    """Each row is drawn as often as its share of the weight says, give or take one."""
    rng = np.random.default_rng(0)
    c, stress = rng.exponential(size=1000) ** 2, rng.uniform(1, 5, size=1000)
    rows, w = _curvature._draw_rows(c, stress, 300)
    assert len(rows) == 300
    share = c * stress / (c @ stress)
    assert np.abs(np.bincount(rows, minlength=1000) - 300 * share).max() < 1
    np.testing.assert_allclose(w * 300 * share[rows], c[rows])  # unbiased


def test_drawn_covariances_are_those_of_all_rows_but_for_noise(make_objective, monkeypatch):
    X, y = make_problem(0, n=20_000)
    objective = make_objective(X, y)
    theta = random_theta(0, objective.shape).ravel()
    exact = covariances(objective, theta)
    monkeypatch.setattr(_curvature, "rows_per_matrix", lambda objective, n_matrices: 400)
    drawn = covariances(objective, theta)
    for A, B in zip(exact, drawn, strict=True):
        np.testing.assert_allclose(np.diag(B), np.diag(A), rtol=1e-12)
        L = np.linalg.inv(np.linalg.cholesky(A))
        eigenvalues = np.linalg.eigvalsh(L @ B @ L.T)
        assert 0.7 < eigenvalues.min() < eigenvalues.max() < 1.4  # (1 +- sqrt(4/400))^2, and 5 sd
        assert not np.allclose(eigenvalues, 1, atol=1e-6)


def test_rows_per_matrix_grow_with_columns_and_stop_at_n(make_objective):
    rng = np.random.default_rng(0)
    few = make_objective(rng.standard_normal((50, 3)), np.arange(50) % 3)
    assert rows_per_matrix(few, 3) == 50
    many = make_objective(rng.standard_normal((5000, 400)), np.arange(5000) % 3)
    assert rows_per_matrix(many, 3) == 4000


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_without_theta_equal_the_dense_formula(make_objective, dtype, fit_intercept, layout):
    X, y = make_problem(0)
    X, s = with_zeros(X + 1), random_weights(0, len(y))
    objective = make_objective(layout(X), y, s, fit_intercept=fit_intercept).astype(dtype)
    found = Curvature(objective)
    s = s / s.sum()
    mean = s @ X if fit_intercept else np.zeros(X.shape[1])
    covariance = (X - mean).T * s @ (X - mean)
    assert found.mean.dtype == found.leverages.dtype == found.covariance.dtype == dtype
    tolerance = {"rtol": 0, "atol": 10 * np.finfo(dtype).eps}
    np.testing.assert_allclose(found.mean, mean, **tolerance)
    np.testing.assert_allclose(found.covariance, covariance, **tolerance)
    np.testing.assert_allclose(found.variance, np.diag(covariance), **tolerance)
    assert s @ found.leverages == pytest.approx(X.shape[1], rel=1e-6)
    zero = np.zeros(objective.shape).ravel()
    moments, pooled = found.pooled(zero)
    np.testing.assert_allclose(pooled, found.covariance * moments.weight.sum(), **tolerance)
