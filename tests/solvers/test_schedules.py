import numpy as np
import pytest

from sk_softmax._solvers._schedules import SCHEDULES, Progress


def factors(name, max_iter=10, n_plateaus=0, epochs=None):
    return np.array(
        [SCHEDULES[name](Progress(e, max_iter, n_plateaus)) for e in range(epochs or max_iter)]
    )


def test_constant_is_one():
    np.testing.assert_array_equal(factors("constant"), 1.0)


def test_inverse_scaling_starts_at_one_and_halves_in_three_epochs():
    values = factors("inverse_scaling")
    assert values[0] == 1.0
    assert values[3] == pytest.approx(0.5)
    assert np.all(np.diff(values) < 0)


@pytest.mark.parametrize("max_iter", [1, 2, 7, 100])
def test_cosine_is_antisymmetric_about_one_half(max_iter):
    values = factors("cosine", max_iter)
    assert np.all((values > 0) & (values < 1))
    np.testing.assert_allclose(values + values[::-1], 1.0)
    assert np.all(np.diff(values) < 0)


def test_cosine_stays_where_it_ended():
    values = factors("cosine", 5, epochs=9)
    np.testing.assert_array_equal(values[5:], values[4])


def test_adaptive_halves_at_each_plateau_and_not_otherwise():
    np.testing.assert_array_equal(factors("adaptive", n_plateaus=0), 1.0)
    np.testing.assert_array_equal(factors("adaptive", n_plateaus=3), 0.125)


@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_raises_the_rate(name):
    assert np.all(np.diff(factors(name, 20)) <= 0)
    assert factors(name)[0] <= 1
