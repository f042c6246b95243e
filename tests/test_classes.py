"""The parameter `classes`: labels that are known though some data lack them."""

import numpy as np
import pandas as pd
import pytest
from reference import make_problem
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, neg_soft_log_loss, summary

SOLVERS = ["lbfgs", "sgd"]


@pytest.fixture
def problem():
    """Rows of the classes 0 and 2."""
    X, y = make_problem(0, n=80, n_classes=2)
    return X, 2 * y


def assert_stationary(model, X, Q, s=None, *, C=1.0, tol=1e-5):
    """The gradient of the formula in the documentation is zero, for targets Q (n, K)."""
    s = np.ones(len(X)) if s is None else s
    R = s[:, np.newaxis] * (model.predict_proba(X) - Q)
    W = model.coef_
    if len(W) == 1:  # one row of coefficients is penalised, and has the gradient of the second
        R = R[:, 1:]
    np.testing.assert_allclose(C * R.T @ X + W, 0, atol=tol * C * len(X))
    if model.fit_intercept:
        np.testing.assert_allclose(R.sum(axis=0), 0, atol=tol * len(X))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [3, 4])
def test_with_an_intercept_the_others_are_fitted_as_if_it_were_absent(problem, solver, n_classes):
    """Of three or more classes they are a softmax at C, which for two is the sigmoid's at 2 C."""
    X, y = problem
    model = SoftmaxRegression(solver, classes=range(n_classes), random_state=0).fit(X, y)
    absent = SoftmaxRegression(solver, C=2.0, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.classes_, range(n_classes))
    P = model.predict_proba(X)
    np.testing.assert_allclose(P[:, [0, 2]], absent.predict_proba(X), atol=1e-12)
    assert not np.delete(P, [0, 2], axis=1).any()
    assert (model.predict(X) == absent.predict(X)).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("parameters", [{"fit_intercept": False}, {"label_smoothing": 0.1}])
@pytest.mark.parametrize("weighted", [False, True])
def test_elsewhere_it_is_at_the_minimum_of_the_objective(problem, solver, parameters, weighted):
    X, y = problem
    s = np.linspace(0.5, 2, len(y)) if weighted else None
    model = SoftmaxRegression(solver, classes=range(4), tol=1e-8, max_iter=1000, **parameters)
    model.fit(X, y, s)
    eps = model.label_smoothing
    tol = 1e-5 if solver == "lbfgs" else 2e-3
    assert_stationary(model, X, (1 - eps) * np.eye(4)[y] + eps / 4, s, tol=tol)
    P = model.predict_proba(X)
    assert P.min() > 0
    np.testing.assert_allclose(P[:, 1], P[:, 3], rtol=0.01)  # they have the same data: none


def test_a_class_without_rows_is_the_limit_of_one_with_little_weight(problem):
    X, y = problem
    model = SoftmaxRegression(classes=[0, 1, 2], tol=1e-12).fit(X, y)
    rows = np.vstack([X, X[:1]])
    near = SoftmaxRegression(classes=[0, 1, 2], tol=1e-12)
    near.fit(rows, np.append(y, 1), sample_weight=np.append(np.ones(len(y)), 1e-7))
    np.testing.assert_allclose(near.predict_proba(X), model.predict_proba(X), atol=1e-6)


def test_without_an_intercept_or_a_penalty_the_minimum_may_be_at_infinity(problem):
    """Along a constant column the class without rows can be made as improbable as one likes."""
    X, y = problem
    model = SoftmaxRegression(C=np.inf, fit_intercept=False, classes=[0, 1, 2])
    X = np.column_stack([X, np.ones(len(X))])
    with pytest.warns(match="hyperplanes separate"):
        model.fit(X, y)
    assert model.stop_reason_ == "separable"
    assert SoftmaxRegression(C=np.inf, classes=[0, 1, 2]).fit(X[:, :-1], y).converged_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_class_in_the_data(solver, n_classes):
    X, _ = make_problem(0, n=60, n_classes=2)
    y = np.zeros(len(X), dtype=int)
    model = SoftmaxRegression(solver, classes=range(n_classes))
    with pytest.warns(UserWarning, match="on one class, 0, which the model always predicts"):
        model.fit(X, y)
    assert (model.predict_proba(X) == np.eye(n_classes)[0]).all()
    model = SoftmaxRegression(solver, classes=range(n_classes), fit_intercept=False, max_iter=1000)
    Q = np.eye(n_classes)[y]
    assert_stationary(model.set_params(tol=1e-8).fit(X, y), X, Q, tol=2e-3)
    model.set_params(fit_intercept=True, label_smoothing=0.3).fit(X, y)
    eps = 0.3
    np.testing.assert_allclose(model.predict_proba(X), (1 - eps) * Q + eps / n_classes, atol=1e-3)


def test_soft_targets_go_by_their_names(problem):
    X, y = problem
    Q = 0.9 * np.eye(2)[y // 2] + 0.05
    frame = pd.DataFrame(Q, columns=["c", "a"])
    model = SoftmaxRegression(classes=["a", "b", "c"], label_smoothing=0.1, tol=1e-10)
    model.fit(X, frame)
    targets = np.column_stack([Q[:, 1], np.zeros(len(Q)), Q[:, 0]])
    assert_stationary(model, X, 0.9 * targets + 0.1 / 3)
    by_labels = clone(model).fit(X, np.array(["c", "a"])[y // 2])
    one_hot = clone(model).fit(X, pd.DataFrame(np.eye(2)[y // 2], columns=["c", "a"]))
    np.testing.assert_array_equal(one_hot.coef_, by_labels.coef_)


def test_partial_fit_needs_no_classes_of_its_own(problem):
    X, y = problem
    named = SoftmaxRegression(classes=[2, 1, 0], random_state=0).partial_fit(X, y)
    passed = SoftmaxRegression(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(named.coef_, passed.coef_)
    named.partial_fit(X, np.arange(len(y)) % 3, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"differ from the parameter classes .* \[0 1 2\]"):
        named.partial_fit(X, y, classes=[0, 2])
    with pytest.raises(ValueError, match="differ from those of the model so far"):
        named.set_params(classes=[0, 1, 2, 3]).partial_fit(X, y)
    fitted = SoftmaxRegression(classes=[0, 1, 2]).fit(X, y)
    before = fitted.predict_proba(X)[:, 1].max()
    assert fitted.partial_fit(X, np.tile([0, 1], 40)).predict_proba(X)[:, 1].min() > before == 0


def test_a_warm_start_meets_a_class_that_had_no_rows(problem):
    X, y = problem
    warm = SoftmaxRegression(classes=[0, 1, 2], warm_start=True, tol=1e-10).fit(X, y)
    y = np.arange(len(y)) % 3
    cold = SoftmaxRegression(tol=1e-10).fit(X, y)
    np.testing.assert_allclose(warm.fit(X, y).coef_, cold.coef_, atol=1e-4)


def test_class_weights_of_classes_without_rows(problem):
    X, y = problem
    balanced = SoftmaxRegression(classes=[0, 1, 2], class_weight="balanced").fit(X, y)
    absent = SoftmaxRegression(C=2.0, class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(balanced.predict_proba(X)[:, [0, 2]], absent.predict_proba(X))
    assert SoftmaxRegression(classes=[0, 1, 2], class_weight={1: 3.0}).fit(X, y).converged_


def test_a_summary_has_the_class_that_the_model_has(problem):
    X, y = problem
    model = SoftmaxRegression(classes=[0, 1, 2], fit_intercept=False, C=1.0).fit(X, y)
    table = summary(model, X, y, reference=0)
    assert set(table.to_frame()["class"]) == {1, 2}
    assert np.isfinite(table.std_error).all()


def test_held_out_rows_of_a_class_without_rows(problem):
    X, y = problem
    model = SoftmaxRegression(classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"y_val .* without weight in y: \[1\].*label_smoothing"):
        model.fit(X, y, X_val=X, y_val=np.ones(len(y)))
    model.set_params(label_smoothing=0.01).fit(X, y, X_val=X, y_val=np.ones(len(y)))
    P = model.predict_proba(X)
    expected = -np.log(P) @ (0.99 * np.eye(3)[1] + 0.01 / 3)
    assert model.history_["validation_loss"][-1] == pytest.approx(expected.mean())


@pytest.mark.parametrize(
    ("classes", "y", "message"),
    [
        ([0, 1], [0, 1, 2, 2], r"not among the classes: \[2\]"),
        (["a", "b"], [0, 1, 1, 0], "labels that are numbers.* classes are text"),
        ([0, 1], list("abba"), "labels that are text.* classes are numbers"),
        (["a", "b"], [[0.5, 0.5]] * 4, "pass a data frame"),
        ([0], [0, 0, 0, 0], "at least 2 classes"),
        ([0, np.nan], [0, 0, 0, 0], "none of them missing"),
        (["a", None], list("aaaa"), "none of them missing"),
        ([[0, 1]], [0, 1, 0, 1], "1d array"),
        (2, [0, 1, 0, 1], "'classes' parameter"),
    ],
)
def test_errors(classes, y, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(classes=classes).fit(np.arange(4.0)[:, np.newaxis], y)
    with pytest.raises(ValueError, match=message):
        SoftmaxRegression(classes=classes).partial_fit(np.arange(4.0)[:, np.newaxis], y)


def test_the_score_goes_by_labels_and_a_search_can_rank():
    """The rare class is in the rows of one fold only: the models of the other lack it."""
    X, y = make_problem(0, n=120, n_classes=2)
    fold = np.arange(len(y)) % 2
    y[:6:2] = 2
    names = np.array(["a", "b", "c"])[y]
    for eps in (0.0, 0.01):
        model = SoftmaxRegression(classes=["a", "b", "c"], label_smoothing=eps)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model),
            {"softmaxregression__C": [1e-4, 1.0]},
            scoring=neg_soft_log_loss,
            cv=PredefinedSplit(fold),
            error_score="raise",
        ).fit(X, names)
        assert search.best_params_ == {"softmaxregression__C": 1.0}
    # Fold 1 lacks "c" in the test rows; fold 0 in the training rows.
    expected = []
    for k in range(2):
        fitted = clone(search.best_estimator_).fit(X[fold != k], names[fold != k])
        P = fitted.predict_proba(X[fold == k])
        expected.append(-log_loss(y[fold == k], P, labels=[0, 1, 2]))
    got = [search.cv_results_[f"split{k}_test_score"][1] for k in range(2)]
    np.testing.assert_allclose(got, expected)


def test_a_row_of_a_class_without_rows_costs_the_same_for_any_model(problem):
    X, y = problem
    scores = [
        neg_soft_log_loss(
            SoftmaxRegression(classes=[0, 1, 2], C=C).fit(X, y), X[:3], np.ones(3, dtype=int)
        )
        for C in (1e-3, 1.0, 1e3)
    ]
    np.testing.assert_allclose(scores, np.log(np.finfo(float).tiny), rtol=1e-14)
