import numpy as np
import pytest
from reference import make_problem
from scipy import sparse

from sk_softmax._rows._column_sums import ColumnSums


@pytest.mark.parametrize("n_sums", [1, 2])
@pytest.mark.parametrize("chunk_bytes", [1, 8 * 3 * 7, 2**26])
@pytest.mark.parametrize("task_work", [1, 40, 2**19])
def test_sums_equal_the_dense_products(threads, task_work, chunk_bytes, n_sums):
    """However few rows a chunk has, and however many tasks it is cut into."""
    X, _ = make_problem(0, n=60, p=9)
    X[np.abs(X) < 1] = 0
    X[20:35], X[:, 4] = 0, 0
    R = np.random.default_rng(0).standard_normal((3, 60))
    sums = np.random.default_rng(1).standard_normal((n_sums, 3, 9))
    expected = sums + [R @ X, R @ X**2][:n_sums]

    def make_block(rows, X):
        return rows, X

    def weights(block):
        rows, X_rows = block
        np.testing.assert_array_equal(X_rows.toarray(), X[rows])
        return R[:, rows], list(range(60)[rows])

    column_sums = ColumnSums(
        sparse.csr_array(X), 3, threads, chunk_bytes=chunk_bytes, task_work=task_work
    )
    others = column_sums.add(make_block, weights, np.float64, *sums)
    np.testing.assert_allclose(sums, expected, atol=1e-13)
    assert [row for rows in others for row in rows] == list(range(60))
