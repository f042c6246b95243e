"""Scores against probabilities, and against labels that lack some classes."""

import numpy as np
import pandas as pd
import pytest
from reference import make_problem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, neg_soft_log_loss, soft_accuracy


@pytest.fixture(params=[2, 3])
def problem(request):
    X, y = make_problem(0, n_classes=request.param)
    Q = np.random.default_rng(0).dirichlet(np.ones(request.param), size=len(y))
    return X, 0.7 * np.eye(request.param)[y] + 0.3 * Q, np.linspace(0.5, 2, len(y))


def test_they_are_the_formulas(problem):
    X, Q, s = problem
    model = SoftmaxRegression().fit(X, Q, s)
    P = model.predict_proba(X)
    expected = (s[:, np.newaxis] * Q * np.log(P)).sum() / s.sum()
    assert neg_soft_log_loss(model, X, Q, s) == pytest.approx(expected, rel=1e-12)
    expected = np.average(Q.argmax(axis=1) == P.argmax(axis=1), weights=s)
    assert soft_accuracy(model, X, Q, s) == pytest.approx(expected, rel=1e-12)


def test_they_are_those_of_the_record(problem):
    X, Q, s = problem
    model = SoftmaxRegression().fit(X, Q, X_val=X[:50], y_val=Q[:50], sample_weight_val=s[:50])
    history = model.history_
    loss = -neg_soft_log_loss(model, X[:50], Q[:50], s[:50])
    assert loss == pytest.approx(history["validation_loss"][-1], rel=1e-9)
    accuracy = soft_accuracy(model, X[:50], Q[:50], s[:50])
    assert accuracy == pytest.approx(history["validation_accuracy"][-1], rel=1e-9)


def test_on_labels_they_are_those_of_scikit_learn(problem):
    X, Q, s = problem
    names = np.array(["a", "b", "c"])
    y = names[Q.argmax(axis=1)]
    for model in (SoftmaxRegression().fit(X, y), LogisticRegression().fit(X, y)):
        expected = -log_loss(y, model.predict_proba(X), sample_weight=s)
        assert neg_soft_log_loss(model, X, y, s) == pytest.approx(expected, rel=1e-9)
        expected = accuracy_score(y, model.predict(X), sample_weight=s)
        assert soft_accuracy(model, X, y, s) == pytest.approx(expected, rel=1e-12)


def test_columns_and_labels_go_by_name():
    X, y = make_problem(0)
    names = np.array(["a", "b", "c"])
    model = SoftmaxRegression().fit(X, names[y])
    expected = -log_loss(y, model.predict_proba(X))
    frame = pd.DataFrame(np.eye(3)[y], columns=names)
    assert neg_soft_log_loss(model, X, frame[["c", "a", "b"]]) == pytest.approx(expected)
    rows = y > 0  # no "a" among them
    expected = -log_loss(y[rows], model.predict_proba(X[rows]), labels=[0, 1, 2])
    assert neg_soft_log_loss(model, X[rows], names[y[rows]]) == pytest.approx(expected)
    some = frame.loc[rows, ["c", "b"]]
    assert neg_soft_log_loss(model, X[rows], some) == pytest.approx(expected)


def test_each_of_several_most_probable_classes_is_right():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    Q = 0.5 * (np.eye(3)[model.predict(X)] + np.eye(3)[(model.predict(X) + 1) % 3])
    assert soft_accuracy(model, X, Q) == 1


@pytest.mark.parametrize("scorer", [neg_soft_log_loss, soft_accuracy])
def test_searches_and_cross_validation(problem, scorer):
    X, Q, _ = problem
    model = make_pipeline(StandardScaler(), SoftmaxRegression())
    scores = cross_val_score(model, X, Q, scoring=scorer, error_score="raise")
    assert np.isfinite(scores).all()
    search = GridSearchCV(model, {"softmaxregression__C": [1e-4, 1.0]}, scoring=scorer)
    assert search.fit(X, Q).best_params_ == {"softmaxregression__C": 1.0}
    both = {"loss": neg_soft_log_loss, "accuracy": soft_accuracy}
    assert np.isfinite(cross_validate(model, X, Q, scoring=both)["test_accuracy"]).all()


def test_a_class_without_weight_that_has_none_costs_nothing():
    X, y = make_problem(0)
    Q = np.eye(3)[np.minimum(y, 1)]
    model = SoftmaxRegression().fit(X, Q)
    assert np.isfinite(neg_soft_log_loss(model, X, Q))
    other, far = LogisticRegression().fit(X, y), 1e5 * X
    with np.errstate(divide="ignore"):  # its log-probabilities are -inf there
        assert neg_soft_log_loss(other, far, np.eye(3)[other.predict(far)]) > -0.1


def test_score_names_them():
    X, y = make_problem(0)
    Q = 0.9 * np.eye(3)[y] + 0.1 / 3
    model = SoftmaxRegression().fit(X, Q)
    for targets in (Q, pd.DataFrame(Q), Q.tolist()):
        with pytest.raises(ValueError, match=r"probabilities.*sk_softmax\.soft_accuracy"):
            model.score(X, targets)
    with pytest.raises(ValueError, match=r"sk_softmax\.neg_soft_log_loss"):
        cross_val_score(SoftmaxRegression(), X, Q, error_score="raise")
    assert model.score(X, y, np.ones(len(y))) == model.score(X, y)


@pytest.mark.parametrize("scorer", [neg_soft_log_loss, soft_accuracy])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.full((5, 3), 0.5), "sum of 1"),
        (np.full((4, 3), 1 / 3), "inconsistent"),
        (np.full((5, 4), 1 / 4), "does not know: \\[3\\]"),
        (np.arange(5), "does not know: \\[3 4\\]"),
        (np.full((5, 3), 1), "y.astype"),
    ],
)
def test_what_are_no_targets(scorer, y, message):
    X, labels = make_problem(0)
    model = SoftmaxRegression().fit(X, labels)
    with pytest.raises(ValueError, match=message):
        scorer(model, X[:5], y)
