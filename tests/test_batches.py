from itertools import permutations

import numpy as np
import pytest
from reference import make_problem, mean_gradient, mean_objective
from scipy import sparse

from sk_softmax._batches import Batches, Parameters
from sk_softmax._threads import RowThreads


def weights_of(n, seed=0):
    return np.random.default_rng(seed).uniform(0.2, 3, size=n)


def gradient_of(batch, theta, objective):
    """Loss and gradient (K, p + 1) of a batch at theta (K, p + 1)."""
    G = Parameters(objective)
    true_logit, normaliser = np.empty((2, len(batch.weights)), dtype=objective.dtype)
    target_logits = batch.gradient(Parameters.of(objective, theta.T), G, true_logit, normaliser)
    np.testing.assert_array_equal(true_logit <= 0, True)
    return float(batch.weights @ np.log(normaliser)) - target_logits, G.as_array().T


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("size", [1, 7, 16, 50, 80])
def test_an_epoch_holds_every_row_once_with_its_label_and_weight(make_objective, layout, size):
    X, y = make_problem(0)
    s = weights_of(len(y))
    order = np.random.default_rng(1).permutation(len(y))
    position = 0
    for batch in Batches(make_objective(layout(X), y, s), size).epoch(order):
        assert sparse.issparse(batch.X) == (layout is not np.asarray)
        m = batch.X.shape[0]
        rows = order[position : position + m]
        np.testing.assert_array_equal(
            batch.X.toarray() if m and layout != np.asarray else batch.X, X[rows]
        )
        np.testing.assert_allclose(batch.weights, s[rows] / (m * s.mean()))
        np.testing.assert_array_equal(
            batch.Q, (y[rows] == np.arange(3)[:, np.newaxis]) * batch.weights
        )
        assert m == min(size, len(y) - position)
        position += m
    assert position == len(y)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("soft", [False, True])
def test_targets_are_weighted_and_smoothed(make_objective, smoothing, soft):
    """A smoothed label is ``(1 - eps) onehot + eps / K``; rows of probabilities stay as given."""
    X, y = make_problem(0)
    s, order = weights_of(len(y)), np.random.default_rng(1).permutation(len(y))
    Q = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    targets, label_smoothing = (Q, 0.0) if soft else (y, smoothing)
    objective = make_objective(X, targets, s, label_smoothing=label_smoothing)
    batches = list(Batches(objective, 16).epoch(order))
    for batch, rows in zip(batches, order.reshape(5, 16), strict=True):
        np.testing.assert_allclose(batch.Q, (Q[rows] * (s[rows] / (16 * s.mean()))[:, None]).T)
        of_class, row = np.unravel_index(batch.true, batch.Q.shape)
        np.testing.assert_array_equal(of_class, y[rows])
        np.testing.assert_array_equal(row, np.arange(16))


@pytest.mark.parametrize("chunk_bytes", [1, 300, 2000])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_chunks_and_threads_change_nothing(make_objective, chunk_bytes, n_jobs):
    X, y = make_problem(0, n=83)
    order = np.random.default_rng(1).permutation(83)

    def contents(objective, **options):
        fields = ("X", "weights", "Q", "true")
        # Copies, since the rows of a batch are overwritten after the next chunk.
        return [
            [getattr(batch, field).copy() for field in fields]
            for batch in Batches(objective, 4, **options).epoch(order)
        ]

    whole = contents(make_objective(X, y))
    with RowThreads() as threads:
        threads.n_threads = n_jobs  # whatever the machine has
        chunked = contents(make_objective(X, y, threads=threads), chunk_bytes=chunk_bytes)
    assert len(whole) == len(chunked) == 21
    for a, b in zip(whole, chunked, strict=True):
        for of_whole, of_chunked in zip(a, b, strict=True):
            np.testing.assert_array_equal(of_whole, of_chunked)


def test_a_failure_while_gathering_ahead_is_raised(make_objective):
    X, y = make_problem(0)
    with RowThreads(2) as threads:
        batches = Batches(make_objective(X, y, threads=threads), 4, chunk_bytes=1)
        with pytest.raises(IndexError):
            list(batches.epoch(np.full(80, 80)))


def test_a_batch_is_unbiased(make_objective):
    X, y = make_problem(0, n=5)
    y = np.array([0, 1, 2, 0, 1])
    s, theta = weights_of(5), np.random.default_rng(2).standard_normal((3, 5))
    objective = make_objective(X, y, s)
    batches = Batches(objective, 2)
    firsts, lasts = [], []
    for order in permutations(range(5)):
        first, *_, last = batches.epoch(np.array(order))
        firsts.append(gradient_of(first, theta, objective))
        lasts.append(gradient_of(last, theta, objective))
    for estimates in (firsts, lasts):  # the last has one row only
        loss, G = (np.mean(part, axis=0) for part in zip(*estimates, strict=True))
        assert loss == pytest.approx(mean_objective(theta, X, y, s, 0), rel=1e-12)
        np.testing.assert_allclose(G, mean_gradient(theta, X, y, s, 0), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("p", [4, 100])  # products with X are made in another way for many
@pytest.mark.parametrize("size", [16, 1])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-4), (np.float64, 1e-9)])
def test_the_gradient_is_that_of_its_rows(make_objective, layout, p, size, dtype, rtol):
    X, y = make_problem(3, p=p)
    X = X.astype(dtype)
    s, theta = weights_of(80), np.random.default_rng(2).standard_normal((3, p + 1))
    objective = make_objective(layout(X), y, s).astype(dtype)
    for i, batch in enumerate(Batches(objective, size).epoch(np.arange(80))):
        rows = slice(size * i, size * i + size)
        share = s[rows].mean() / s.mean()
        loss, G = gradient_of(batch, theta, objective)
        data = X[rows].astype(np.float64), y[rows], s[rows], 0
        expected = share * mean_objective(theta, *data)
        assert loss == pytest.approx(expected, rel=rtol, abs=1e-2 * rtol)
        np.testing.assert_allclose(
            G, share * mean_gradient(theta, *data), rtol=rtol, atol=1e-2 * rtol
        )


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("p", [4, 100])
def test_parameters_keep_what_they_are_given(make_objective, fit_intercept, p):
    X, y = make_problem(0, p=p)
    objective = make_objective(X, y, fit_intercept=fit_intercept)
    theta = np.random.default_rng(2).standard_normal((p + fit_intercept, 3))
    parameters = Parameters.of(objective, theta)
    np.testing.assert_array_equal(parameters.as_array(), theta)
    assert np.sum(parameters.flat**2) == pytest.approx(np.sum(theta**2))
    assert np.sum(parameters.coefficients**2) == pytest.approx(np.sum(theta[:p] ** 2))
    parameters.flat *= 2
    np.testing.assert_array_equal(parameters.as_array(), 2 * theta)


def test_single_precision_is_kept(make_objective):
    X, y = make_problem(0)
    objective = make_objective(X.astype(np.float32), y).astype(np.float32)
    for batch in Batches(objective, 16).epoch(np.arange(80)):
        assert batch.X.dtype == batch.weights.dtype == batch.Q.dtype == np.float32
