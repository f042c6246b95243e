import pickle

import numpy as np
import pytest
from reference import make_problem, mean_gradient
from scipy import sparse

from sk_softmax._batches import Parameters
from sk_softmax._solvers._metric import Preconditioning
from sk_softmax._solvers._moments import RunningMoments

EXACT = 1e15  # rows in batches without noise


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


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_at_the_start_it_inverts_the_hessian(make_objective, layout, fit_intercept, lam):
    """Exact for equally probable classes; a penalised intercept or a stray n would show."""
    X, y = balanced()
    objective = make_objective(layout(X), y, lam=lam, fit_intercept=fit_intercept)
    metric = Preconditioning(objective).metric(EXACT)
    V = np.random.default_rng(0).standard_normal(objective.shape) / 10.0 ** np.append(
        np.arange(4), [0] * fit_intercept
    )
    V -= V.mean(axis=0)
    HV = hessian_times(X, y, V, lam)
    np.testing.assert_allclose(times(metric, objective, HV.T).T, V, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("affordable", [0, 1e9])
def test_it_is_symmetric_positive_and_keeps_the_gauge(make_objective, affordable):
    X, y = make_problem(1)
    objective = make_objective(X + 3, y)
    rng = np.random.default_rng(0)
    metric = Preconditioning(objective, affordable=affordable).metric(EXACT)
    A, B = (rng.standard_normal((5, 3)) for _ in range(2))
    A, B = A - A.mean(axis=1, keepdims=True), B - B.mean(axis=1, keepdims=True)
    MA, MB = (times(metric, objective, V) for V in (A, B))
    np.testing.assert_allclose(MA.sum(axis=1), 0, atol=1e-10)
    assert np.vdot(A, MB) == pytest.approx(np.vdot(B, MA))
    assert np.vdot(A, MA) > 0


RARE = np.repeat([0, 1, 2], [270, 225, 5])


@pytest.mark.parametrize("affordable", [0, 1e9])
@pytest.mark.parametrize("units", [1e-3, 1.0])
@pytest.mark.parametrize("duplicated", [False, True])
def test_no_step_overshoots_along_the_penalty(make_objective, affordable, units, duplicated):
    """M <= 1 / lam, however rare a class."""
    X, _ = make_problem(0, n=500, p=4)
    X[:, 1] *= units
    if duplicated:
        X[:, 3] = X[:, 2]
    lam = 0.01
    objective = make_objective(X, RARE, lam=lam)
    metric = Preconditioning(objective, affordable=affordable).metric(EXACT)
    for k in range(3):
        G = np.zeros((4, 5, 3))
        G[range(4), range(4), k] = 1
        M = [times(metric, objective, column)[:4, k] for column in G]
        # The gauge keeps 1 - 1 / K of what was put in.
        assert np.linalg.eigvalsh(M).max() * 3 / 2 <= 1.01 / lam


@pytest.mark.parametrize("lam", [0.0, 1e-3, 0.1, 10.0])
def test_it_knows_each_class_of_uncorrelated_columns(make_objective, lam):
    X, _ = make_problem(0, n=500, p=4)
    deviations = np.array([1, 10, 0.1, 3])
    X = np.linalg.qr(X - X.mean(axis=0))[0] * np.sqrt(500) * deviations + 2
    objective = make_objective(X, RARE, lam=lam)
    metric = Preconditioning(objective).metric(EXACT)
    G = np.random.default_rng(0).standard_normal((5, 3))
    G[4] = 0  # of the intercepts
    share = np.bincount(RARE) / 500
    curvature = 3 / 2 * share * (1 - share) * np.square(deviations)[:, np.newaxis]
    expected = G[:4] / (curvature + lam)
    expected -= expected.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(times(metric, objective, G)[:4], expected, rtol=1e-6)


@pytest.mark.parametrize("affordable", [0, 1e9])
@pytest.mark.parametrize("batch_size", [1, 20])
def test_rare_classes_take_shorter_steps_in_small_batches(make_objective, affordable, batch_size):
    """A row that might be of class k has a curvature of up to 1/4, all rows at the start of w_k."""
    X, _ = make_problem(0, n=500, p=4)
    objective = make_objective(X, RARE)
    preconditioning = Preconditioning(objective, affordable=affordable)
    largest, noisy = (1 / preconditioning.step_size(m) for m in (EXACT, batch_size))
    share = np.bincount(RARE) / 500
    shorter = noisy / (largest + (noisy - largest) / (4 * share * (1 - share)))
    exact, other = preconditioning.metric(EXACT), preconditioning.metric(batch_size)
    for k in range(3):
        G = np.zeros((5, 3))
        G[:, k] = [1, -1, 2, 0.5, 0]
        product, expected = (times(metric, objective, G) for metric in (other, exact))
        product, expected = (M[:, k] - M[:, (k + 1) % 3] for M in (product, expected))  # no gauge
        np.testing.assert_allclose(product, shorter[k] * expected, rtol=1e-9)
    assert shorter[2] < 0.25
    assert 0.9 < shorter[0] < 1


def test_classes_of_one_half_each_take_the_whole_step(make_objective):
    X, _ = make_problem(0, n=90)
    objective = make_objective(X, np.arange(90) % 2)
    preconditioning = Preconditioning(objective)
    G = np.random.default_rng(0).standard_normal((5, 2))
    whole, same = (times(preconditioning.metric(m), objective, G) for m in (EXACT, 1))
    np.testing.assert_allclose(same, whole, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 10, 300, 5000])
def test_batches_have_the_size_that_is_documented(make_objective, n):
    X, y = make_problem(0, n=max(n, 3), p=30)
    objective = make_objective(X, y, lam=1e-6)
    preconditioning = Preconditioning(objective)
    size = preconditioning.batch_size()
    assert min(8, len(y)) <= size <= max(8, len(y) // 32)
    if n == 5000:  # Gaussian columns: R = p + 2, and one for the intercept
        assert size == pytest.approx(33, abs=2)
        assert preconditioning.step_size(size) == pytest.approx(0.5, abs=0.03)


def test_sparse_batches_hold_as_many_values_as_a_step_changes(make_objective):
    """A step changes all columns; so few values a row ask for more rows than the noise does."""
    rng = np.random.default_rng(0)
    starts, columns = np.arange(0, 80_001, 4), rng.integers(1500, size=80_000)
    X = sparse.csr_array((np.ones(80_000), columns, starts), shape=(20_000, 1500))
    X.sum_duplicates()
    y = rng.integers(0, 3, 20_000)
    size = Preconditioning(make_objective(X, y)).batch_size()
    assert size == pytest.approx(1500 / 4, abs=2)
    few = make_objective(X[:5000], y[:5000])
    assert Preconditioning(few).batch_size() == 5000 // 32


def test_it_survives_pickling(make_objective):
    objective = make_objective(*make_problem(0))
    metric = Preconditioning(objective).metric(EXACT)
    G = np.random.default_rng(0).standard_normal((5, 3))
    again = pickle.loads(pickle.dumps(metric))
    np.testing.assert_array_equal(times(again, objective, G), times(metric, objective, G))


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_the_moments_of_a_stream_are_those_of_all_its_rows(make_objective, layout):
    X, y = make_problem(0)
    X = X + np.linspace(-3, 3, len(X))[:, np.newaxis]  # later rows lie elsewhere
    y[-5:] = 0, 1, 2, 1, 0  # each part has all classes
    s = np.random.default_rng(0).uniform(0.5, 2, size=len(y))
    parts = slice(0, 30), slice(30, 50), slice(50, 80)
    running, *others = (
        RunningMoments.of(make_objective(layout(X[i]), y[i], s[i]), s[i].sum()) for i in parts
    )
    for other in others:
        running = running.joined_with(other)
    assert running.weight == pytest.approx(s.sum())
    np.testing.assert_allclose(running.class_weight, [s[y == k].sum() for k in range(3)])
    mean = s @ X / s.sum()
    np.testing.assert_allclose(running.mean, mean, atol=1e-14)
    np.testing.assert_allclose(running.variance, s @ (X - mean) ** 2 / s.sum())


def test_a_class_that_a_stream_has_not_shown_counts_as_seen_once():
    nine = np.full(2, 9.0)
    seen = RunningMoments(9.0, np.array([5.0, 4.0, 0.0]), nine, np.zeros(2), nine).at_start(True)
    share = np.array([6, 5, 1]) / 12
    np.testing.assert_allclose(seen.weight, share * (1 - share))
    np.testing.assert_allclose(seen.second, np.outer(share * (1 - share), [1, 1]))


@pytest.mark.parametrize("affordable", [0, 1e9])
def test_sparse_rows_have_the_noise_of_dense_ones(make_objective, affordable):
    """Without an intercept, where neither are centred."""
    X, y = make_problem(0)
    X[np.abs(X) < 0.5] = 0
    dense, csr = (
        Preconditioning(objective, affordable=affordable)
        for objective in (
            make_objective(layout(X), y, fit_intercept=False)
            for layout in (np.asarray, sparse.csr_array)
        )
    )
    assert csr.step_size(16) == pytest.approx(dense.step_size(16), rel=1e-6)
    assert csr.step_size(1) == pytest.approx(dense.step_size(1), rel=1e-6)


def product_with_hessian(metric, objective, X, y, lam):
    """M H at zero theta, as a matrix on flattened arrays (p + 1, K)."""
    columns = []
    for index in np.ndindex(objective.shape):
        V = np.zeros(objective.shape)
        V[index] = 1
        columns.append(times(metric, objective, hessian_times(X, y, V, lam).T).T.ravel())
    return np.column_stack(columns)


@pytest.mark.parametrize("lam", [0.0, 0.3])
def test_the_diagonal_inverts_the_hessian_of_uncorrelated_columns(make_objective, lam):
    X, y = balanced()
    X = np.linalg.qr(X - X.mean(axis=0))[0] * [1, 10, 0.1, 3] + 2
    objective = make_objective(X, y, lam=lam)
    metric = Preconditioning(objective, affordable=0).metric(EXACT)
    product = product_with_hessian(metric, objective, X, y, lam)
    gauge = np.kron(np.eye(3) - 1 / 3, np.eye(5))
    np.testing.assert_allclose(gauge @ product @ gauge, gauge, atol=1e-5)


@pytest.mark.parametrize("affordable", [0, 1e9])
def test_steps_are_the_inverse_of_the_largest_curvature_without_noise(make_objective, affordable):
    X, y = balanced()
    X[:, 1] += 10 * X[:, 0]  # correlated, which the diagonal does not see
    objective = make_objective(X, y, lam=0.0)
    preconditioning = Preconditioning(objective, affordable=affordable)
    product = product_with_hessian(preconditioning.metric(EXACT), objective, X, y, 0.0)
    largest = np.linalg.eigvals(product).real.max()
    assert affordable or largest > 1.5
    assert 1 / preconditioning.step_size(EXACT) == pytest.approx(largest, rel=0.02)


@pytest.mark.parametrize("affordable", [0, 1e9])
def test_an_offset_of_the_columns_changes_no_step(make_objective, affordable):
    X, y = make_problem(0)
    plain, shifted = (
        Preconditioning(objective, affordable=affordable)
        for objective in (make_objective(X + offset, y, lam=0.0) for offset in (0, 100))
    )
    for size in (1, 10**9):
        assert shifted.step_size(size) == pytest.approx(plain.step_size(size), rel=1e-4)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("lam", [0.0, 0.1, 10.0])
def test_steps_allow_for_the_noise_of_rows(make_objective, lam, layout):
    """R = E l^2 / E l of the curvatures l of single rows, and one for the intercept."""
    X, _ = make_problem(0, n=90)
    objective = make_objective(layout(X), np.arange(90) % 3, lam=lam)
    centred = X - X.mean(axis=0)
    hessian = centred.T @ centred / 90 / 3  # of equal classes, 1/3
    curvatures = (centred @ np.linalg.inv(hessian + lam * np.eye(4)) * centred).sum(axis=1) / 3
    noise = (curvatures**2).mean() / curvatures.mean() + 1
    preconditioning = Preconditioning(objective)
    for size in (1, 20):
        assert preconditioning.step_size(size) == pytest.approx(1 / (1 + noise / size), rel=1e-6)


def test_steps_allow_for_the_noise_of_unequal_weights(make_objective):
    """A batch's gradient has n s_i times that of a row."""
    X, _ = make_problem(0, n=90)
    s = np.repeat(np.random.default_rng(0).uniform(0, 1, size=30) ** 4, 3)  # of equal classes
    objective = make_objective(X, np.arange(90) % 3, s, lam=0.0)
    s = s / s.sum()
    centred = X - s @ X
    leverages = (centred @ np.linalg.inv((centred.T * s) @ centred) * centred).sum(axis=1)
    noise = 90 * ((s * leverages) ** 2).sum() / (s @ leverages) + 90 * (s**2).sum()
    preconditioning = Preconditioning(objective)
    for size in (1, 20):
        assert preconditioning.step_size(size) == pytest.approx(1 / (1 + noise / size), rel=1e-6)


def test_batches_balance_the_curvature_and_the_noise(make_objective):
    X, y = make_problem(0, n=5000, p=30)
    X[:, 15:] += X[:, :15]
    objective = make_objective(X, y, lam=1e-6)
    preconditioning = Preconditioning(objective, affordable=0)
    largest = 1 / preconditioning.step_size(EXACT)
    noise = 1 / preconditioning.step_size(1) - largest
    assert largest > 1.5
    assert preconditioning.batch_size() == pytest.approx(np.clip(noise / largest, 19, 157), abs=1)
