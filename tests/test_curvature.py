import numpy as np
import pytest
from reference import make_problem, mean_gradient, softmax_rows, split
from scipy import sparse

from sk_softmax import _curvature
from sk_softmax._curvature import Curvature, rows_per_matrix
from sk_softmax._rows import _sampling
from sk_softmax._solvers._moments import RunningMoments

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


@layouts
@pytest.mark.parametrize("targets", ["codes", "smoothed", "probabilities"])
@pytest.mark.parametrize("at_start", [True, False])
def test_residuals_are_those_of_labels_drawn_from_the_targets(
    make_objective, layout, targets, at_start
):
    X, y = make_problem(0, n=200)
    s, smoothing = random_weights(0, 200), 0.2 if targets == "smoothed" else 0.0
    Q = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    if targets == "probabilities":
        y = Q = softmax_rows(random_theta(1, (200, 3)))
    objective = make_objective(layout(X), y, s, label_smoothing=smoothing)
    theta = random_theta(0, objective.shape)
    if at_start:
        theta[:, :-1] = 0
    P = softmax_rows(X @ theta[:, :-1].T + theta[:, -1])
    drawn = np.zeros(3)
    for label in range(3):  # each label as often as its target says
        drawn += (s * Q[:, label]) @ abs(P - np.eye(3)[label]) / (2 * s.sum())
    curvature = Curvature(objective)
    for moments in (
        curvature.moments(theta.ravel()),
        curvature.of_classes(theta.ravel())[0],
        curvature.pooled(theta.ravel())[0],
    ):
        np.testing.assert_allclose(moments.residual, drawn, rtol=1e-12)


def test_residuals_weigh_as_much_as_the_curvature_where_probabilities_are_right(make_objective):
    X, _ = make_problem(0, n=200)
    theta = random_theta(0, (3, X.shape[1] + 1))
    P = softmax_rows(X @ theta[:, :-1].T + theta[:, -1])
    moments = Curvature(make_objective(X, P)).moments(theta.ravel())
    np.testing.assert_allclose(moments.residual, moments.weight, rtol=1e-12)


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
    ("n", "p", "n_classes"), [(200, 4, 3), (20_000, 4, 3), (300, 260, 3), (2500, 8, 900)]
)
def test_covariances_equal_the_dense_formula(
    make_objective, fit_intercept, layout, n, p, n_classes
):
    """By a product for each block, or some; class by class, with the weights of all or of some."""
    X, y = make_problem(0, n, p, n_classes)
    X, s = with_zeros(X) + 1, random_weights(0, n)
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
    """Each row is drawn as often as its share of the weight says, give or take one.

    Of the first rows together, however many, as many are drawn up to a half.
    """
    rng = np.random.default_rng(0)
    c, stress = rng.exponential(size=1000) ** 2, rng.uniform(1, 5, size=1000)
    rows, w = _sampling.draw_rows(c, stress, 300)
    assert len(rows) == 300
    share = c * stress / (c @ stress)
    drawn = np.bincount(rows, minlength=1000)
    assert np.abs(drawn - 300 * share).max() < 1
    assert np.abs(np.cumsum(drawn - 300 * share)).max() <= 0.5 + 1e-9
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


@pytest.mark.parametrize("n_matrices", [1, 3])
def test_columns_that_few_rows_carry_keep_their_correlations(
    make_objective, monkeypatch, n_matrices
):
    """Two columns are not zero in 40 rows of 20,000 alone, of which 400 are drawn."""
    X, y = make_problem(0, n=20_000)
    few = np.random.default_rng(0).choice(len(y), 40, replace=False)
    pair = np.zeros((len(y), 2))
    pair[few] = np.random.default_rng(1).standard_normal((40, 2)) @ [[1, 0.9], [0, 0.4]]
    objective = make_objective(np.hstack([X, pair]), y)
    theta = 0.5 * random_theta(0, objective.shape).ravel()
    results = []
    for m in (20_000, 400):
        monkeypatch.setattr(_curvature, "rows_per_matrix", lambda *args, m=m: m)
        curvature = Curvature(objective)
        matrices = curvature.of_classes(theta)[1]
        results.append(matrices if n_matrices > 1 else [curvature.pooled(theta)[1]])
    for A, B in zip(*results, strict=True):
        L = np.linalg.inv(np.linalg.cholesky(A))
        eigenvalues = np.linalg.eigvalsh(L @ B @ L.T)
        assert 0.5 < eigenvalues.min() < eigenvalues.max() < 2


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
    leverages = _sampling.leverages(objective.rows, found.statistics)
    assert found.mean.dtype == leverages.dtype == found.covariance.dtype == dtype
    tolerance = {"rtol": 0, "atol": 10 * np.finfo(dtype).eps}
    np.testing.assert_allclose(found.mean, mean, **tolerance)
    np.testing.assert_allclose(found.covariance, covariance, **tolerance)
    np.testing.assert_allclose(found.variance, np.diag(covariance), **tolerance)
    assert s @ leverages == pytest.approx(X.shape[1], rel=1e-6)
    zero = np.zeros(objective.shape).ravel()
    moments, pooled = found.pooled(zero)
    np.testing.assert_allclose(pooled, found.covariance * moments.weight.sum(), **tolerance)


@layouts
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1e-3, 0.1, 7.3, 1e4])
def test_a_constant_column_has_its_value_as_mean_and_no_variance(
    make_objective, dtype, value, layout
):
    """Exactly, or the rounding errors of its sums would pass for a scale."""
    X, y = make_problem(0, n=200)
    X, s = with_zeros(X), random_weights(0, len(y))
    X[:, 1] = value
    X = X.astype(dtype)
    curvature = Curvature(make_objective(layout(X), y, s).astype(dtype))
    assert curvature.mean[1] == X[0, 1]
    assert np.flatnonzero(curvature.variance == 0) == [1]
    theta = random_theta(0, (3, 5)) / [1, value, 1, 1, 1]
    constant = curvature.moments(theta.ravel()).variance == 0
    np.testing.assert_array_equal(constant, [[False, True, False, False]] * 3)


@layouts
def test_a_column_that_varies_little_about_its_mean_is_not_constant(make_objective, layout):
    X, y = make_problem(0, n=200)
    X[:, 1] = 3 + 1e-5 * X[:, 1]
    objective = make_objective(layout(X), y)
    curvature = Curvature(objective)
    np.testing.assert_allclose(curvature.variance, X.var(axis=0), rtol=1e-2)
    theta = random_theta(0, objective.shape)
    P = softmax_rows(X @ theta[:, :4].T + theta[:, 4])
    c = P * (1 - P) / len(y)
    centred = X[:, 1, np.newaxis] - X[:, 1] @ c / c.sum(axis=0)
    variance = curvature.moments(theta.ravel()).variance[:, 1]
    np.testing.assert_allclose(variance, (c * centred**2).sum(axis=0), rtol=1e-2)


@layouts
def test_rounding_errors_of_a_mean_are_no_variance(make_objective, layout):
    """Of sparse columns it is a difference, here less than the last digit of either."""
    X, y = make_problem(0, n=200)
    X[:, 1] = 1e8 + 1e-3 * X[:, 1]
    variance = Curvature(make_objective(layout(X), y)).variance[1]
    assert 0 <= variance <= 2 * np.var(X[:, 1])


def test_of_dense_columns_all_digits_of_the_variance_are_kept(make_objective):
    X, y = make_problem(0, n=200)
    X[:, 1] = 3 + 1e-9 * X[:, 1]
    centred = X - X.mean(axis=0)
    variance = Curvature(make_objective(X, y)).variance
    np.testing.assert_allclose(variance, (centred**2).mean(axis=0), rtol=1e-5)


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("size", [1e-170, 1e-160])
def test_a_column_whose_squares_vanish_is_refused(make_objective, size, fit_intercept, layout):
    """It would be left out without a word, unless the penalty leaves it out anyway."""
    X, y = make_problem(0)
    X[:, 1] *= size

    def variance(lam):
        objective = make_objective(layout(X), y, lam=lam, fit_intercept=fit_intercept)
        return Curvature(objective).variance

    with pytest.raises(FloatingPointError, match="too small"):
        variance(0.0)
    assert np.all(variance(1e-100)[[0, 2, 3]] > 0)
    X[:, 1] = 0
    assert variance(0.0)[1] == 0


@layouts
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_sum_of_the_first_hessian_is_the_scatter_of_the_columns(
    make_objective, layout, fit_intercept
):
    """Off zero, on other orders of magnitude, one constant; a stream begins with the same."""
    X, y = make_problem(0, n=200)
    X = with_zeros(X) * 10.0 ** np.arange(X.shape[1]) + 7
    X[:, 1], s = 5.0, random_weights(0, 200)
    objective = make_objective(layout(X), y, s, fit_intercept=fit_intercept)
    curvature = Curvature(objective)
    assert curvature.known_scatter() is None
    expected = RunningMoments.of(objective, 9.0, pairs=True)
    curvature.pair_sums.hessian(objective.null_model()[0])
    found = RunningMoments.of(objective, 9.0, pairs=True)
    assert (curvature.known_scatter() is None) != fit_intercept
    for name in ("stored", "mean", "squares"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12)
    deviations = np.sqrt(expected.squares)
    size = np.outer(deviations, deviations)
    assert np.all(np.abs(found.scatter - expected.scatter) <= 1e-12 * size)
    assert np.all(found.scatter[1] == 0)
