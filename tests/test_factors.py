import numpy as np
import pytest

from sk_softmax._factors import BlockFactors, SharedFactor


# Factors of more than a million numbers are shared out to threads.
@pytest.mark.parametrize("p", [30, 1100])
def test_a_shared_factor_is_one_matrix_for_all_classes(threads, p):
    rng = np.random.default_rng(0)
    inverse, W, scale = rng.standard_normal((p, p)), rng.standard_normal((3, p)), [[1], [2], [3]]
    factor = SharedFactor(np.array(scale), inverse, threads)
    np.testing.assert_allclose(factor.apply(W), scale * W @ inverse, atol=1e-11)
    np.testing.assert_allclose(factor.apply_transpose(W), scale * W @ inverse.T, atol=1e-11)


@pytest.mark.parametrize("p", [30, 600])
def test_block_factors_are_a_matrix_for_each_class(threads, p):
    rng = np.random.default_rng(0)
    inverses, W = rng.standard_normal((4, p, p)), rng.standard_normal((4, p))
    factor = BlockFactors(inverses, threads)
    expected = [matrix.T @ w for matrix, w in zip(inverses, W, strict=True)]
    np.testing.assert_allclose(factor.apply(W), expected, atol=1e-11)
    expected = [matrix @ w for matrix, w in zip(inverses, W, strict=True)]
    np.testing.assert_allclose(factor.apply_transpose(W), expected, atol=1e-11)
