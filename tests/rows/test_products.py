import numpy as np
import pytest
from scipy import sparse

from sk_softmax._rows._products import times_rows, times_transposed


@pytest.mark.parametrize("container", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Products of more than a million multiplications are cut into tiles of rows and of features, with a
# rest or without, but not where columns are too long; smaller ones are whole, of one row too.
@pytest.mark.parametrize(
    ("K", "m", "p"),
    [(4, 37_440, 20), (3, 40_001, 20), (9, 9, 30_000), (40, 800, 1000), (2, 3, 5), (3, 1, 300)],
)
def test_products_are_the_same_in_pieces(container, order, dtype, K, m, p):
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, size=(m, p)).astype(dtype)
    W = rng.integers(-3, 4, size=(K, p)).astype(dtype, order=order)
    R = rng.integers(-3, 4, size=(K, m)).astype(dtype, order=order)
    # Small integers: exact in any order of summation.
    np.testing.assert_array_equal(times_transposed(W, container(X)), W @ X.T)
    np.testing.assert_array_equal(times_rows(R, container(X)), R @ X)
    out = np.full_like(times_rows(R, container(X)), np.nan)
    times_rows(R, container(X), out=out)
    np.testing.assert_array_equal(out, R @ X)
    assert times_transposed(W, container(X)).dtype == times_rows(R, container(X)).dtype == dtype


def test_products_are_cut_into_small_ones(monkeypatch):
    sizes = []

    def matmul(A, B, **options):
        sizes.append(A.size * B.shape[-1])
        return original(A, B, **options)

    original = np.matmul
    monkeypatch.setattr(np, "matmul", matmul)
    W, X = np.ones((12, 784), dtype=np.float32), np.ones((1000, 784), dtype=np.float32)
    np.testing.assert_array_equal(times_transposed(W, X), np.full((12, 1000), 784))
    assert len(sizes) == 2
    assert 0.5e6 < sizes[0] <= 1e6
    assert sizes[1] <= sizes[0]
