from itertools import combinations

import numpy as np
import pytest
from reference import (
    central_differences,
    complex_step_gradient,
    make_problem,
    mean_objective,
    split,
)
from scipy import sparse

from sk_softmax._curvature import Curvature
from sk_softmax._rows._in_memory import InMemoryRows
from sk_softmax._threads import RowThreads

SEEDS = range(3)
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "csr": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
}


def with_zeros(X):
    return np.where(np.abs(X) < 0.5, 0, X)


def random_weights(seed, n):
    return np.random.default_rng(seed).uniform(0.2, 3, size=n)


def random_theta(seed, objective):
    return np.random.default_rng(seed).standard_normal(objective.shape)


def moments(objective, theta):
    found = Curvature(objective).moments(theta)
    return found.weight, found.mean, found.variance


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 rows and as many parts as the shape allows."""
    monkeypatch.setattr(InMemoryRows, "block_bytes", 1)
    monkeypatch.setattr(InMemoryRows, "part_work", 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_value_and_gradient_equal_the_formula(make_objective, seed, fit_intercept, layout):
    X, y = make_problem(seed)
    X, s, lam = with_zeros(X), random_weights(seed, len(y)), 0.3
    objective = make_objective(LAYOUTS[layout](X), y, s, lam=lam, fit_intercept=fit_intercept)
    theta = random_theta(seed, objective)
    value, G = objective.value_and_gradient(theta.ravel())

    def formula(theta):
        return mean_objective(theta, X, y, s, lam)

    assert value == pytest.approx(formula(theta), rel=1e-13)
    exact = complex_step_gradient(formula, theta)
    np.testing.assert_allclose(G.reshape(theta.shape), exact, atol=1e-13)


@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("seed", SEEDS)
def test_gradient_equals_central_differences(make_objective, seed, layout):
    X, y = make_problem(seed, n_classes=5)
    objective = make_objective(LAYOUTS[layout](X), y, random_weights(seed, len(y)))
    theta = random_theta(seed, objective)
    numeric = central_differences(lambda t: objective.value_and_gradient(t.ravel())[0], theta)
    G = objective.value_and_gradient(theta.ravel())[1].reshape(theta.shape)
    np.testing.assert_allclose(G, numeric, atol=1e-8)


@pytest.mark.parametrize("layout", ["C", "csr"])
def test_float32_agrees_within_its_precision(make_objective, layout):
    X, y = make_problem(0, n=1000)
    X32 = X.astype(np.float32)
    single = make_objective(LAYOUTS[layout](X32), y).astype(np.float32)
    double = make_objective(X32.astype(np.float64), y)
    theta = random_theta(0, double).ravel()
    value, G = single.value_and_gradient(theta)
    expected_value, expected_G = double.value_and_gradient(theta)
    assert G.dtype == np.float64
    assert value == pytest.approx(expected_value, rel=1e-6)
    np.testing.assert_allclose(G, expected_G, atol=1e-6)


@pytest.mark.parametrize("layout", ["C", "csr"])
def test_many_blocks_equal_one(make_objective, request, layout):
    X, y = make_problem(0, n=3000)
    X, s = LAYOUTS[layout](with_zeros(X)), random_weights(0, len(y))
    whole = make_objective(X, y, s)
    assert [len(part) for part in whole.rows.parts] == [1]
    request.getfixturevalue("small_blocks")
    pieces = make_objective(X, y, s)
    assert len(pieces.rows.parts) > 1
    assert all(len(part) > 1 for part in pieces.rows.parts)
    theta = random_theta(0, whole).ravel()
    value, G = whole.value_and_gradient(theta)
    value_of_pieces, G_of_pieces = pieces.value_and_gradient(theta)
    assert value_of_pieces == pytest.approx(value, rel=1e-14)
    np.testing.assert_allclose(G_of_pieces, G, atol=1e-14)
    for sums, sums_of_pieces in zip(moments(whole, theta), moments(pieces, theta), strict=True):
        np.testing.assert_allclose(sums_of_pieces, sums, rtol=1e-12, atol=1e-15)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("layout", ["C", "csr"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_any_number_of_threads_gives_the_same_bits(make_objective, layout, dtype):
    X, y = make_problem(0, n=60_000)  # as many as threads are started for
    X = LAYOUTS[layout](X.astype(dtype))
    results = []
    for n_threads in (1, 2, 3, 5):
        with RowThreads() as threads:
            threads.n_threads = n_threads
            objective = make_objective(X, y, threads=threads).astype(dtype)
            theta = random_theta(0, objective).ravel()
            value, G = objective.value_and_gradient(theta)
            assert threads.are_started == (n_threads > 1)
            results.append((value, G.tobytes(), *(a.tobytes() for a in moments(objective, theta))))
    assert len(objective.rows.parts) > 1
    assert all(result == results[0] for result in results)


def test_rows_are_covered_once_for_any_shape(make_objective, monkeypatch):
    monkeypatch.setattr(InMemoryRows, "part_work", 1)
    for n in [2, 3, 63, 64, 65, 129, 1000, 4097]:
        for block_bytes in (1, 2**14, 2**30):
            monkeypatch.setattr(InMemoryRows, "block_bytes", block_bytes)
            X = np.arange(float(n))[:, np.newaxis]
            y = np.arange(n) % 2
            objective = make_objective(X, y)
            blocks = [block.X for part in objective.rows.parts for block in part]
            np.testing.assert_array_equal(np.concatenate(blocks), X)


def test_the_intercept_is_not_penalised(make_objective):
    X, y = make_problem(0)
    free, penalised = make_objective(X, y, lam=0.0), make_objective(X, y, lam=2.0)
    theta = random_theta(0, free)
    W, _ = split(theta, X.shape[1])
    value, G = free.value_and_gradient(theta.ravel())
    penalised_value, penalised_G = penalised.value_and_gradient(theta.ravel())
    difference = (penalised_G - G).reshape(theta.shape)
    np.testing.assert_allclose(difference[:, :-1], 2 * W, rtol=1e-12)
    np.testing.assert_array_equal(difference[:, -1], 0)
    assert penalised_value - value == pytest.approx((W**2).sum(), rel=1e-12)


@pytest.mark.parametrize("layout", ["C", "csr"])
def test_batch_estimates_average_to_the_whole(make_objective, layout):
    X, y = make_problem(0, n=6)
    s = random_weights(0, len(y))
    objective = make_objective(LAYOUTS[layout](X), y, s)
    theta = random_theta(0, objective).ravel()
    value, G = objective.value_and_gradient(theta)
    for size in (1, 2, 5):
        estimates = [
            objective.on(objective.rows.take(np.array(rows))).value_and_gradient(theta)
            for rows in combinations(range(len(y)), size)
        ]
        assert np.mean([v for v, _ in estimates]) == pytest.approx(value, rel=1e-13)
        np.testing.assert_allclose(np.mean([g for _, g in estimates], axis=0), G, atol=1e-14)


def test_a_partition_into_unequal_batches_averages_to_the_whole(make_objective):
    X, y = make_problem(1, n=50)
    objective = make_objective(X, y, random_weights(1, 50))
    theta = random_theta(1, objective).ravel()
    value, G = objective.value_and_gradient(theta)
    order = np.random.default_rng(0).permutation(50)
    batches = [order[start : start + 16] for start in range(0, 50, 16)]
    assert len(batches[-1]) == 2
    estimates = [
        objective.on(objective.rows.take(rows)).value_and_gradient(theta) for rows in batches
    ]
    share = np.array([len(rows) / 50 for rows in batches])
    assert share @ [v for v, _ in estimates] == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(share @ [g for _, g in estimates], G, atol=1e-14)


def test_an_integer_weight_counts_as_repetitions(make_objective):
    X, y = make_problem(2)
    repetitions = np.random.default_rng(2).integers(1, 4, size=len(y))
    weighted = make_objective(X, y, repetitions.astype(float))
    repeated = make_objective(np.repeat(X, repetitions, axis=0), np.repeat(y, repetitions))
    theta = random_theta(2, weighted).ravel()
    value, G = weighted.value_and_gradient(theta)
    repeated_value, repeated_G = repeated.value_and_gradient(theta)
    assert value == pytest.approx(repeated_value, rel=1e-13)
    np.testing.assert_allclose(G, repeated_G, atol=1e-14)


def test_log_priors_are_the_weighted_frequencies(make_objective):
    X, y = make_problem(0)
    s = random_weights(0, len(y))
    objective = make_objective(X, y, s)
    frequencies = [s[y == k].sum() / s.sum() for k in range(3)]
    np.testing.assert_allclose(np.exp(objective.log_priors()), frequencies, rtol=1e-13)
    theta = np.zeros(objective.shape)
    theta[:, -1] = objective.log_priors()
    # The best constant: with zero coefficients the intercepts are stationary.
    G = objective.value_and_gradient(theta.ravel())[1].reshape(theta.shape)
    np.testing.assert_allclose(G[:, -1], 0, atol=1e-15)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_blocks_share_the_memory_of_the_data(make_objective, layout, index_dtype):
    X, y = make_problem(0, n=1000)
    X = LAYOUTS[layout](X)
    if sparse.issparse(X):
        X.indices, X.indptr = X.indices.astype(index_dtype), X.indptr.astype(index_dtype)
    objective = make_objective(X, y)
    values = X.data if sparse.issparse(X) else X
    blocks = [block.X for part in objective.rows.parts for block in part]
    assert len(blocks) > 1
    for block in blocks:
        assert np.shares_memory(block.data if sparse.issparse(block) else block, values)


def test_without_an_intercept_unpack_gives_none(make_objective):
    X, y = make_problem(0)
    for fit_intercept in (True, False):
        objective = make_objective(X, y, fit_intercept=fit_intercept)
        theta = random_theta(0, objective)
        W, b = objective.unpack(theta.ravel())
        np.testing.assert_array_equal(W, theta[:, :4])
        if fit_intercept:
            np.testing.assert_array_equal(b, theta[:, 4])
        else:
            assert b is None


@pytest.mark.parametrize(("x", "separated"), [([-2, -1, 1, 2], True), ([-1, 0, 0, 1], False)])
def test_classes_are_separated_if_every_row_favours_its_own(make_objective, x, separated):
    """Two rows that differ in their labels alone cost a logarithm of two each, at least."""
    X, y = np.array(x, dtype=float)[:, np.newaxis], np.array([0, 0, 1, 1])
    objective = make_objective(X, y, np.array([1.0, 1.0, 1.0, 3.0]), lam=0.0)
    for slope in (0.0, 50.0):
        value, _ = objective.value_and_gradient(np.array([-slope, 0, slope, 0]))
        assert objective.is_separated(value) == (separated and slope > 0)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("layout", ["C", "csr"])
def test_the_accuracy_is_the_weighted_share_of_rows_that_are_right(make_objective, layout):
    X, y = make_problem(0, n=1000)
    s = random_weights(0, len(y))
    objective = make_objective(LAYOUTS[layout](X), y, s)
    theta = random_theta(0, objective)
    W, b = split(theta, X.shape[1])
    right = (X @ W.T + b).argmax(axis=1) == y
    assert 0 < right.sum() < len(y)
    accuracy = objective.evaluate(theta.ravel()).accuracy
    assert accuracy == pytest.approx(s[right].sum() / s.sum(), rel=1e-12)


def test_a_class_without_rows_counts_as_half_a_row(make_objective):
    X, y = make_problem(0, n=50)
    y[y == 1] = 2
    priors = np.exp(make_objective(X, y).log_priors())
    np.testing.assert_allclose(priors, [np.mean(y == 0), 0.5 / 50, np.mean(y == 2)], rtol=1e-13)


@pytest.mark.parametrize("C", [1.0, 0.01])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_products_with_the_hessian_are_differences_of_gradients(
    make_objective, C, layout, n_classes, fit_intercept
):
    X, y = make_problem(0, n_classes=n_classes)
    objective = make_objective(layout(X), y, lam=1 / C, fit_intercept=fit_intercept)
    theta, v = np.random.default_rng(0).standard_normal((2, objective.shape[0], objective.shape[1]))
    ahead, behind = (
        objective.value_and_gradient((theta + h * v).ravel())[1] for h in (1e-5, -1e-5)
    )
    product = objective.hessian_operator(theta.ravel())(v.ravel())
    np.testing.assert_allclose(product, (ahead - behind) / 2e-5, rtol=1e-6, atol=1e-9)
