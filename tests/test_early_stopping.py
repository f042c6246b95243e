"""Rows held out of the fit."""

import numpy as np
import pytest
from reference import make_problem
from sklearn.metrics import accuracy_score, log_loss

from sk_softmax import SoftmaxRegression
from sk_softmax._early_stopping import split_rows

# SGD may go on for as long as it is let.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])


def overfitting_problem():
    """More columns than can be learned from 80 rows: the held-out loss turns."""
    X, y = make_problem(0, n=400, p=60)
    return X[:80], y[:80], X[80:], y[80:]


def scores(model, X, y, weights=None):
    P = model.predict_proba(X)
    return (
        log_loss(y, P, labels=model.classes_, sample_weight=weights),
        accuracy_score(y, P.argmax(axis=1), sample_weight=weights),
    )


@solvers
def test_the_model_is_the_one_that_did_best_on_the_rows_held_out(solver):
    X, y, X_val, y_val = overfitting_problem()
    parameters = {"C": 1e4, "random_state": 0}
    model = SoftmaxRegression(solver, early_stopping=True, n_iter_no_change=3, **parameters)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    history = model.history_["validation_loss"]
    assert model.stop_reason_ == "early_stopping"
    assert model.converged_
    assert len(history) == model.n_iter_[0] == history.argmin() + 4
    loss, accuracy = scores(model, X_val, y_val)
    assert loss == pytest.approx(history.min(), rel=1e-6)
    recorded = model.history_["validation_accuracy"][history.argmin()]
    assert accuracy == pytest.approx(recorded, rel=1e-14)  # another order of summation
    to_the_end = SoftmaxRegression(solver, **parameters).fit(X, y)
    assert loss < scores(to_the_end, X_val, y_val)[0]


@solvers
def test_without_early_stopping_the_rows_held_out_are_only_watched(solver):
    X, y, X_val, y_val = overfitting_problem()
    weights = np.random.default_rng(0).uniform(0, 2, size=len(y_val))
    watched = SoftmaxRegression(solver, random_state=0)
    watched.fit(X, y, X_val=X_val, y_val=y_val, sample_weight_val=weights)
    plain = SoftmaxRegression(solver, random_state=0).fit(X, y)
    np.testing.assert_array_equal(watched.coef_, plain.coef_)
    assert set(watched.history_) - set(plain.history_) == {"validation_loss", "validation_accuracy"}
    loss, accuracy = scores(watched, X_val, y_val, weights)
    assert watched.history_["validation_loss"][-1] == pytest.approx(loss, rel=1e-9)
    assert watched.history_["validation_accuracy"][-1] == pytest.approx(accuracy, rel=1e-12)


@solvers
def test_nothing_leaks_from_rows_that_are_held_out(solver):
    """Their features and labels may be anything: training goes the same way while it goes on."""
    X, y = make_problem(1, n=200)
    held_out = split_rows(y, 0.1, np.random.RandomState(0))
    spoilt = X.copy()
    spoilt[held_out] *= -100
    parameters = {"early_stopping": True, "n_iter_no_change": 4, "random_state": 0}
    clean = SoftmaxRegression(solver, **parameters).fit(X, y)
    other = SoftmaxRegression(solver, **parameters).fit(spoilt, y)
    n = min(clean.n_iter_[0], other.n_iter_[0])
    assert n >= 3
    np.testing.assert_array_equal(clean.history_["loss"][:n], other.history_["loss"][:n])
    assert clean.history_["validation_loss"][0] != other.history_["validation_loss"][0]


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.5])
def test_every_class_gives_its_share_and_keeps_a_row(fraction):
    y = np.repeat(np.arange(5), [400, 100, 40, 2, 1])
    held_out = split_rows(y, fraction, np.random.RandomState(0))
    counts = np.bincount(y[held_out], minlength=5)
    expected = fraction * np.bincount(y)
    assert np.all(np.abs(counts - expected) <= 1)
    assert counts[4] == 0
    assert counts[3] <= 1
    assert abs(held_out.sum() - fraction * len(y)) <= 2


def test_the_split_depends_on_random_state_alone():
    X, y = make_problem(2, n=300)
    first, same, other = (
        SoftmaxRegression("lbfgs", early_stopping=True, random_state=seed).fit(X, y)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.coef_, same.coef_)
    assert not np.array_equal(first.coef_, other.coef_)


def test_soft_targets_can_be_held_out():
    X, y = make_problem(3, n=200)
    Q = 0.8 * np.eye(3)[y] + 0.2 / 3
    model = SoftmaxRegression("lbfgs", early_stopping=True, random_state=0).fit(X, Q)
    assert np.all(np.isfinite(model.history_["validation_loss"]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": np.ones((2, 4))}, "X_val and y_val must be passed together"),
        ({"y_val": [0, 1]}, "X_val and y_val must be passed together"),
        ({"sample_weight_val": [1, 1]}, "X_val and y_val must be passed together"),
        ({"X_val": np.ones((2, 5)), "y_val": [0, 1]}, "^X_val has 5 features"),
        ({"X_val": np.ones((2, 4)), "y_val": [0, 9]}, "^y_val has labels .* of y in fit"),
        ({"X_val": np.full((2, 4), np.nan), "y_val": [0, 1]}, "X_val contains NaN"),
        ({"X_val": np.ones((2, 4)), "y_val": [0, np.nan]}, "y_val contains NaN"),
        ({"X_val": np.ones((2, 4)), "y_val": [0.5, 1]}, "y_val.* Unknown label type"),
        ({"X_val": np.ones((2, 4)), "y_val": [0, 1, 1]}, "y_val.* inconsistent"),
        ({"X_val": np.ones(4), "y_val": [0, 1]}, "X_val.* Expected 2D"),
        ({"X_val": np.ma.ones((2, 4)), "y_val": [0, 1]}, "^X_val is a masked array"),
        ({"X_val": np.ones((2, 4)), "y_val": np.full((2, 3), 0.5)}, "^y_val of shape"),
        (
            {"X_val": np.ones((2, 4)), "y_val": [0, 1], "sample_weight_val": [1, -1]},
            "`sample_weight_val`",
        ),
    ],
)
def test_what_cannot_be_held_out(arguments, message, state_of):
    X, y = make_problem(4)
    model = SoftmaxRegression()
    before = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, **arguments)
    assert state_of(model) == before


def test_too_small_a_fraction():
    X, y = make_problem(5)
    with pytest.raises(ValueError, match="validation_fraction"):
        SoftmaxRegression(early_stopping=True, validation_fraction=0.001).fit(X, y)


@solvers
def test_a_class_with_a_single_row_stays_in_training(solver):
    X, y = make_problem(6, n=200)
    y = np.where(np.arange(200) == 77, 7, y)
    model = SoftmaxRegression(solver, early_stopping=True, random_state=0).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2, 7]
    assert np.isfinite(model.intercept_).all()


@pytest.mark.parametrize("weight", [1e-20, 1e20])
def test_the_size_of_weights_held_out_is_of_no_account(weight):
    """Nothing is penalised there, so that no C times their sum has to be a number."""
    X, y = make_problem(7, n=200)
    held_out = {"X_val": X[:50], "y_val": y[:50]}
    models = [
        SoftmaxRegression("lbfgs", C=1e-290).fit(
            X, y, **held_out, sample_weight_val=np.full(50, size)
        )
        for size in (1.0, weight)
    ]
    expected, found = (model.history_["validation_loss"] for model in models)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
