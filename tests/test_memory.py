"""Fits stay within the memory that the user guide promises."""

import numpy as np
import pytest
from memory import allowed, extra_memory
from reference import make_problem
from scipy import sparse

from sk_softmax import SoftmaxRegression


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tall_data_are_not_copied(dtype):
    """A copy of them would break the bound, beside one in float32 of float64."""
    X, y = make_problem(0, n=1_000_000, p=60)
    X = X.astype(dtype)
    bound = allowed(X, 3)
    assert bound < X.nbytes
    assert extra_memory(X, y, max_iter=5, tol=None) < bound


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_memory_map_is_read_block_by_block(solver, dtype, tmp_path):
    """Images in a file: less than half of what a copy in float32 would take."""
    rng = np.random.default_rng(0)
    path = tmp_path / "images"
    X = np.memmap(path, dtype=dtype, mode="w+", shape=(60_000, 784))
    X[:] = rng.integers(0, 256, size=(60_000, 1)) // rng.integers(1, 256, size=784)
    X[:, 5:9] = rng.integers(0, 256, size=(60_000, 4))
    y = (X[:, 5] > 128) + (X[:, 6] > 128).astype(int)
    X = np.memmap(path, dtype=dtype, mode="r", shape=(60_000, 784))
    extra = extra_memory(X, y, solver=solver, max_iter=2, tol=None)
    assert extra < 60_000 * 784 * 4 / 2


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, bool])
def test_integers_give_the_model_of_the_same_floats(solver, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2 if dtype is bool else 200, size=(300, 6)).astype(dtype)
    y = rng.integers(0, 3, size=300)
    parameters = {"max_iter": 10, "tol": None, "random_state": 0, "solver": solver}
    kept = SoftmaxRegression(**parameters).fit(X, y)
    converted = SoftmaxRegression(**parameters).fit(X.astype(np.float64), y)
    assert kept.coef_.dtype == np.float64
    np.testing.assert_allclose(kept.coef_, converted.coef_, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("layout", "copies"),
    [(np.asarray, 0), (lambda X: X[::-1], 0), (np.asfortranarray, 1)],
    ids=["rows", "reversed", "columns"],
)
def test_batches_are_gathered_from_rows(layout, copies):
    """Columns are laid out by rows once, and not for each batch."""
    X, y = make_problem(0, n=100_000, p=100)
    extra = extra_memory(layout(X), y, solver="sgd", learning_rate=0.01, max_iter=1, tol=None)
    assert extra < (copies + 0.2) * X.nbytes


def test_many_classes():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 40)), np.arange(5000) % 500
    assert extra_memory(X, y, max_iter=12, tol=None) < allowed(X, 500)


def test_sparse_data():
    rng = np.random.default_rng(0)
    n, p, per_row = 50_000, 20_000, 10
    columns, starts = rng.integers(0, p, size=n * per_row), np.arange(n + 1) * per_row
    X = sparse.csr_matrix((rng.random(n * per_row), columns, starts), shape=(n, p))
    y = rng.integers(0, 10, size=n)
    assert extra_memory(X, y, max_iter=5, tol=None) < allowed(X, 10)


def test_wide_data():
    X = np.random.default_rng(0).standard_normal((200, 50_000))
    assert extra_memory(X, np.arange(200) % 3) < allowed(X, 3)
