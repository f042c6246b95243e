import numpy as np
import pytest
from reference import central_differences, complex_step_gradient
from scipy import special

from sk_softmax._softmax import cross_entropy, log_softmax, softmax

SEEDS = range(5)


def random_logits(seed, n_classes=4, m=7, scale=5.0):
    return scale * np.random.default_rng(seed).standard_normal((n_classes, m))


def random_targets(seed, Z):
    rng = np.random.default_rng(seed)
    return rng.integers(len(Z), size=Z.shape[1]), rng.uniform(0.1, 3, size=Z.shape[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_log_softmax_matches_scipy(seed):
    Z = random_logits(seed)
    np.testing.assert_allclose(log_softmax(Z), special.log_softmax(Z, axis=0), atol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_matches_scipy(seed):
    Z = random_logits(seed)
    np.testing.assert_allclose(softmax(Z), special.softmax(Z, axis=0), rtol=1e-13)


# With as many samples as classes a sum over the wrong axis would not even raise.
@pytest.mark.parametrize("shape", [(3, 1), (3, 3), (2, 50), (10, 4)])
def test_probabilities_sum_to_one_for_each_sample(shape):
    Z = random_logits(0, *shape)
    np.testing.assert_allclose(softmax(Z).sum(axis=0), 1, rtol=1e-14)
    np.testing.assert_allclose(np.exp(log_softmax(Z)).sum(axis=0), 1, rtol=1e-14)


def test_samples_do_not_influence_each_other():
    Z = random_logits(1)
    for column in range(Z.shape[1]):
        alone = Z[:, [column]]
        np.testing.assert_array_equal(softmax(Z)[:, [column]], softmax(alone))
        np.testing.assert_array_equal(log_softmax(Z)[:, [column]], log_softmax(alone))


def test_extreme_logits():
    Z = np.array([[1e300, -1e300, -np.inf], [-1e300, -1e300, 0.0], [0.0, -1e300, 0.0]])
    third, half = 1 / 3, 1 / 2
    np.testing.assert_allclose(
        softmax(Z), [[1, third, 0], [0, third, half], [0, third, half]], rtol=1e-15
    )
    np.testing.assert_allclose(
        log_softmax(Z),
        [
            [0, np.log(third), -np.inf],
            [-2e300, np.log(third), np.log(half)],
            [-1e300, np.log(third), np.log(half)],
        ],
        rtol=1e-15,
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_a_constant_added_to_the_logits_of_a_sample_changes_nothing(seed):
    Z = random_logits(seed)
    y, s = random_targets(seed, Z)
    shifted = Z + 100 * np.random.default_rng(seed).standard_normal(Z.shape[1])
    np.testing.assert_allclose(softmax(shifted), softmax(Z), atol=1e-12)
    np.testing.assert_allclose(log_softmax(shifted), log_softmax(Z), atol=1e-12)
    residuals, shifted_residuals = Z.copy(), shifted.copy()
    loss, _ = cross_entropy(residuals, y, s)
    assert cross_entropy(shifted_residuals, y, s)[0] == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(shifted_residuals, residuals, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_cross_entropy_is_the_weighted_sum_of_negative_log_probabilities(seed):
    Z = random_logits(seed)
    y, s = random_targets(seed, Z)
    log_P = special.log_softmax(Z, axis=0)
    expected = -sum(s[i] * log_P[y[i], i] for i in range(Z.shape[1]))
    assert cross_entropy(Z.copy(), y, s)[0] == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("seed", SEEDS)
def test_residuals_are_the_gradient_of_the_loss(seed):
    Z = random_logits(seed, scale=2.0)
    y, s = random_targets(seed, Z)
    columns = np.arange(Z.shape[1])
    residuals = Z.copy()
    cross_entropy(residuals, y, s)

    def loss(Z):
        return s @ (np.log(np.exp(Z).sum(axis=0)) - Z[y, columns])

    np.testing.assert_allclose(residuals, complex_step_gradient(loss, Z), atol=1e-14)
    numeric = central_differences(lambda Z: cross_entropy(Z.copy(), y, s)[0], Z)
    np.testing.assert_allclose(residuals, numeric, atol=1e-8)


@pytest.mark.parametrize("form", ["codes", "smoothed", "probabilities"])
def test_cross_entropy_adds_up_the_weights_of_rows_that_are_right(form):
    Z = random_logits(3, m=40)
    y, s = random_targets(3, Z)
    Z[:, 4] = 0.25  # favours no class
    right = Z.argmax(axis=0) == y
    right[4] = False
    targets = np.eye(len(Z))[y] * 0.6 + 0.1 if form == "probabilities" else y
    _, correct = cross_entropy(Z.copy(), targets, s, 0.4 if form == "smoothed" else 0.0)
    assert 0 < right.sum() < len(y)
    assert correct == pytest.approx(s[right].sum(), rel=1e-12)


@pytest.mark.parametrize("K", [2, 3, 10])
def test_cross_entropy_calls_no_row_right_where_all_classes_are_as_probable(K):
    """As at zero coefficients, and without an intercept in rows of zeros."""
    Z = np.full((K, 6), 0.25)
    y, s = np.arange(6) % K, np.ones(6)
    assert cross_entropy(Z.copy(), y, s)[1] == 0
    Z[0, -1] = 1
    assert cross_entropy(Z, np.zeros(6, dtype=int), s)[1] == 1


def test_cross_entropy_counts_a_label_whose_probability_underflows():
    Z = np.array([[0.0, 0.0], [1000.0, -1000.0]])
    assert cross_entropy(Z, np.array([0, 1]), np.array([1.0, 2.0]))[0] == 3000.0
    np.testing.assert_array_equal(Z, [[-1, 2], [1, -2]])


def test_cross_entropy_keeps_float32_and_sums_in_float64():
    Z = random_logits(0, m=100_000).astype(np.float32)
    y, s = random_targets(0, Z)
    s = s.astype(np.float32)
    in_double = Z.astype(np.float64)
    residuals = Z.copy()
    loss, _ = cross_entropy(residuals, y, s)
    expected, _ = cross_entropy(in_double, y, s.astype(np.float64))
    assert residuals.dtype == np.float32
    np.testing.assert_allclose(residuals, in_double, atol=5e-6)
    # Rounding errors of single terms average out; those of a sum in float32 would not.
    assert loss == pytest.approx(expected, rel=1e-8)
