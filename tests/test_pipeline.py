import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)


def sgd_pipeline(**parameters):
    options = {"max_iter": 10, "tol": None, "random_state": 0} | parameters
    return make_pipeline(StandardScaler(), SoftmaxRegression("sgd", **options))


def test_grid_search_over_the_learning_rate(digits):
    X_train, X_test, y_train, y_test = digits
    grid = {"softmaxregression__learning_rate": [1e-5, 0.1, "auto"]}
    search = GridSearchCV(sgd_pipeline(), grid, scoring="neg_log_loss", cv=3).fit(X_train, y_train)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    # With steps of 1e-5 nothing is learnt in 10 epochs.
    assert scores[0] < -1.5
    assert scores[1:].min() > -0.5
    assert search.best_params_["softmaxregression__learning_rate"] != 1e-5
    model = search.best_estimator_[-1]
    assert model.solver_ == "sgd"
    assert search.best_estimator_.score(X_test, y_test) > 0.94


def test_grid_search_over_C(digits):
    X_train, X_test, y_train, y_test = digits
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression("lbfgs", tol=1e-4))
    grid = {"softmaxregression__C": [1e-5, 0.1, 10.0]}
    search = GridSearchCV(pipeline, grid, scoring="neg_log_loss", cv=3).fit(X_train, y_train)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert search.best_params_["softmaxregression__C"] > 1e-5
    assert search.best_estimator_.score(X_test, y_test) > 0.95


def test_statistics_come_from_the_training_folds_alone():
    X, y = load_digits(return_X_y=True)
    folds = StratifiedKFold(3)
    result = cross_validate(sgd_pipeline(), X, y, cv=folds, return_estimator=True)
    constant_somewhere = 0
    for pipeline, (train, test) in zip(result["estimator"], folds.split(X, y), strict=True):
        scaler, model = pipeline
        np.testing.assert_allclose(scaler.mean_, X[train].mean(axis=0), atol=1e-12)
        assert not np.allclose(scaler.mean_, X.mean(axis=0), atol=1e-3)
        constant = np.ptp(X[train], axis=0) == 0
        constant_somewhere += constant.sum()
        # A pixel that is always black says nothing, and must not say NaN.
        np.testing.assert_array_equal(model.coef_[:, constant], 0)
        assert np.isfinite(model.coef_).all()
        assert np.isfinite(pipeline.predict_log_proba(X[test])).all()
    assert constant_somewhere > 0
    assert result["test_score"].min() > 0.88


def test_a_constant_column_gets_no_coefficient_from_lbfgs():
    X, y = load_iris(return_X_y=True)
    with_constant = np.column_stack([X, np.full(len(y), 3.0)])
    model = SoftmaxRegression("lbfgs", tol=1e-16).fit(with_constant, y)
    np.testing.assert_allclose(model.coef_[:, 4], 0, atol=1e-7)
    expected = SoftmaxRegression("lbfgs", tol=1e-16).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(with_constant), expected.predict_proba(X), atol=1e-7
    )


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_score(n_jobs):
    X, y = load_wine(return_X_y=True)
    scores = cross_val_score(SoftmaxRegression(), X, y, cv=3, n_jobs=n_jobs)
    expected = []
    for train, test in StratifiedKFold(3).split(X, y):
        model = SoftmaxRegression().fit(X[train], y[train])
        expected.append(accuracy_score(y[test], model.predict(X[test])))
    np.testing.assert_allclose(scores, expected, rtol=1e-14)
    assert scores.min() > 0.9


def test_the_error_rate_is_one_minus_the_score(digits):
    X_train, X_test, y_train, y_test = digits
    pipeline = sgd_pipeline().fit(X_train, y_train)
    error_rate = np.mean(pipeline.predict(X_test) != y_test)
    assert pipeline.score(X_test, y_test) == pytest.approx(1 - error_rate, abs=1e-12)
    assert 0 < error_rate < 0.1


def test_the_loss_of_the_epochs_falls(digits):
    X_train, _, y_train, _ = digits
    history = sgd_pipeline(learning_rate=0.1).fit(X_train, y_train)[-1].history_
    np.testing.assert_array_equal(history["n_iter"], np.arange(1, 11))
    assert np.all(np.diff(history["loss"]) < 0)
    assert history["loss"][-1] < 0.2 < 0.5 < history["loss"][0]


def test_the_loss_is_log_loss_plus_penalty(digits):
    X_train, _, y_train, _ = digits
    pipeline = sgd_pipeline(C=0.5).fit(X_train, y_train)
    model = pipeline[-1]
    penalty = (model.coef_**2).sum() / (2 * 0.5 * len(y_train))
    log_losses = log_loss(y_train, pipeline.predict_proba(X_train))
    assert model.loss_ == pytest.approx(log_losses + penalty, rel=1e-10)


def test_both_engines_agree_on_the_digits(digits):
    X_train, X_test, y_train, _ = digits
    sgd = sgd_pipeline(C=0.01, learning_rate=0.003, max_iter=100).fit(X_train, y_train)
    lbfgs = make_pipeline(StandardScaler(), SoftmaxRegression("lbfgs", C=0.01))
    lbfgs.fit(X_train, y_train)
    assert lbfgs[-1].loss_ < sgd[-1].loss_ < 1.01 * lbfgs[-1].loss_
    assert np.mean(sgd.predict(X_test) == lbfgs.predict(X_test)) > 0.97
