import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from sk_softmax import SoftmaxRegression, _kernels, check_gradient
from sk_softmax._objective import Objective

# Central differences with steps of 1e-4 in features of unit size: the square of the step.
RIGHT = 1e-7
WRONG = 1e-3


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_the_gradient_is_right_on_raw_data(load):
    check = check_gradient(SoftmaxRegression(), *load(return_X_y=True), random_state=0)
    assert check.max_error < RIGHT


@pytest.mark.parametrize("C", [0.01, 1.0, np.inf])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_the_gradient_is_right_for_all_objectives(layout, n_classes, fit_intercept, C):
    X, y = make_problem(0, n_classes=n_classes)
    X = np.where(np.abs(X) < 0.5, 0, X)
    weight = np.random.default_rng(0).uniform(0, 3, size=len(y))
    estimator = SoftmaxRegression(C=C, fit_intercept=fit_intercept, class_weight="balanced")
    check = check_gradient(estimator, layout(X), y, sample_weight=weight, random_state=0)
    assert check.max_error < RIGHT
    assert np.abs(check.analytic).max() > 100 * RIGHT


def test_the_parts_of_the_result_belong_together():
    X, y = make_problem(0)
    check = check_gradient(SoftmaxRegression(), X, y, random_state=0)
    assert sorted(check.coordinates) == list(range(3 * 5))
    errors = np.abs(check.analytic - check.numeric)
    assert check.mean_error == errors.mean()
    assert check.max_error == errors.max()
    assert 0 < check.mean_error < check.max_error


def test_n_coordinates_limits_the_work():
    X, y = make_problem(0, p=20)
    check = check_gradient(SoftmaxRegression(), X, y, n_coordinates=7, random_state=0)
    assert len(set(check.coordinates)) == len(check.analytic) == len(check.numeric) == 7


def test_random_state_determines_the_point():
    X, y = make_problem(0)
    first, again, other = (
        check_gradient(SoftmaxRegression(), X, y, random_state=seed) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.analytic, again.analytic)
    assert not np.array_equal(np.sort(first.analytic), np.sort(other.analytic))


def test_it_needs_no_fit_and_changes_nothing(state_of):
    X, y = make_problem(0)
    estimator = SoftmaxRegression()
    before, X_before = state_of(estimator), X.copy()
    check_gradient(estimator, X, y)
    assert state_of(estimator) == before
    np.testing.assert_array_equal(X, X_before)
    fitted = SoftmaxRegression().fit(X, y)
    before = state_of(fitted)
    check_gradient(fitted, *make_problem(1, p=7, n_classes=5))
    assert state_of(fitted) == before


def test_float32_is_checked_in_float64():
    X, y = make_problem(0)
    assert check_gradient(SoftmaxRegression(), X.astype(np.float32), y).max_error < RIGHT


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_units_of_a_column_do_not_matter(scale):
    X, y = make_problem(0)
    X = X * [scale, 1, 1, 0]
    assert check_gradient(SoftmaxRegression(C=np.inf), X, y).max_error < RIGHT


def test_bad_data_are_refused():
    X, y = make_problem(0)
    with pytest.raises(ValueError, match="continuous"):
        check_gradient(SoftmaxRegression(), X, y + 0.5)
    with pytest.raises(ValueError, match="Negative"):
        check_gradient(SoftmaxRegression(), X, y, sample_weight=-np.ones(len(y)))


def times_n(objective, value, G):
    return value, objective.n_samples * G


def wrong_sign(objective, value, G):
    return value, -G


def penalised_intercept(objective, value, G):
    G = G.reshape(objective.shape).copy()
    G[:, -1] += objective.penalty.l2
    return value, G.ravel()


def forgotten_penalty(objective, value, G):
    # The point is drawn at random and unknown here: a penalty in the value alone will do.
    return value + objective.penalty.l2 * (value - 1), G


@pytest.mark.parametrize("mistake", [times_n, wrong_sign, penalised_intercept, forgotten_penalty])
def test_a_wrong_gradient_is_found(monkeypatch, mistake):
    original = Objective.value_and_gradient
    monkeypatch.setattr(
        Objective, "value_and_gradient", lambda self, theta: mistake(self, *original(self, theta))
    )
    check = check_gradient(SoftmaxRegression(C=0.1), *make_problem(0), random_state=0)
    assert check.max_error > WRONG


def test_a_softmax_over_the_whole_matrix_is_found(monkeypatch):
    original = _kernels.cross_entropy

    def over_all(Z, y, s, smoothing, probabilities):
        P = np.exp(Z - Z.max())
        P /= P.sum()
        loss = original(Z, y, s)
        Z[...] = P * s
        Z[y, np.arange(len(y))] -= s
        return loss

    monkeypatch.setattr(_kernels, "cross_entropy", over_all)
    check = check_gradient(SoftmaxRegression(), *make_problem(0), random_state=0)
    assert check.max_error > WRONG


def test_a_single_wrong_coordinate_is_found(monkeypatch):
    original = Objective.value_and_gradient

    def one_off(self, theta):
        value, G = original(self, theta)
        G = G.copy()
        G[4] += 0.01
        return value, G

    monkeypatch.setattr(Objective, "value_and_gradient", one_off)
    check = check_gradient(SoftmaxRegression(), *make_problem(0), random_state=0)
    errors = np.abs(check.analytic - check.numeric)
    assert check.coordinates[errors.argmax()] == 4
    assert np.sum(errors > WRONG) == 1


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_that_overflow_or_vanish_are_no_matter(size, layout):
    X, y = make_problem(0)
    check = check_gradient(SoftmaxRegression(C=np.inf), layout(X * size), y, random_state=0)
    assert check.max_error < RIGHT
    assert np.abs(check.analytic).max() > 1e-3


def test_a_step_that_overflows_is_an_error():
    with pytest.raises(ValueError, match="not finite"):
        check_gradient(SoftmaxRegression(), *make_problem(0), epsilon=1e300)
