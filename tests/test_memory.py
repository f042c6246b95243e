"""Fits stay within the memory that the user guide promises."""

import tracemalloc

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse

from sk_softmax import SoftmaxRegression

_MIB = 2**20


def allowed(X, n_classes):
    """Bytes beyond X: see "Memory" in the user guide."""
    n, p = X.shape
    stored = X.nnz * (X.data.itemsize + 4) if sparse.issparse(X) else X.nbytes
    rotated = n < p and not sparse.issparse(X)
    data = 2 * stored if sparse.issparse(X) or rotated else 0.1 * stored
    curvature = 8 * (n_classes + 6) * min(n, p) ** 2
    curvature = min(curvature, 2 * max(256 * _MIB, stored))
    return data + curvature + 64 * n + 50 * 8 * n_classes * (p + 1) + 96 * _MIB


def extra_memory(X, y, **parameters):
    """Peak of the bytes that a fit allocates."""
    model = SoftmaxRegression("lbfgs", **parameters)
    few = 2 * (y.max() + 1)
    model.fit(X[:few], np.arange(few) // 2)  # imports and pools
    tracemalloc.start()
    try:
        model.fit(X, y)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tall_data_are_not_copied(dtype):
    """A copy of them would break the bound."""
    X, y = make_problem(0, n=1_000_000, p=50)
    X = X.astype(dtype)
    bound = allowed(X, 3)
    assert bound < X.nbytes
    assert extra_memory(X, y, max_iter=5, tol=None) < bound


def test_many_classes():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((5000, 40)), np.arange(5000) % 500
    assert extra_memory(X, y, max_iter=12, tol=None) < allowed(X, 500)


def test_sparse_data():
    rng = np.random.default_rng(0)
    X = sparse.random_array((50_000, 20_000), density=5e-4, format="csr", rng=rng)
    y = rng.integers(0, 10, size=50_000)
    assert extra_memory(X, y, max_iter=5, tol=None) < allowed(X, 10)


def test_wide_data():
    X = np.random.default_rng(0).standard_normal((200, 50_000))
    assert extra_memory(X, np.arange(200) % 3) < allowed(X, 3)
