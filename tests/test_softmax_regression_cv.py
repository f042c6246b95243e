"""C and l1_ratio chosen by cross-validation, and the display of scores."""

import warnings

import joblib
import numpy as np
import pytest
import sklearn
from reference import make_problem
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_softmax import (
    CVDisplay,
    SoftmaxRegression,
    SoftmaxRegressionCV,
    neg_soft_log_loss,
    soft_accuracy,
)

Cs = np.array([0.01, 0.1, 1.0])


checks = parametrize_with_checks([SoftmaxRegressionCV(Cs=2, cv=3, tol=1e-4)])


@pytest.mark.parametrize(checks.args[0], list(checks.args[1]), ids=checks.kwargs["ids"])
def test_estimator_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of folds with a single row of a class
        check(estimator)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_parity_with_logistic_regression_cv(n_classes):
    X, y = make_problem(0, n=150, p=4, n_classes=n_classes)
    cv = StratifiedKFold(3)
    ours = SoftmaxRegressionCV(Cs=Cs, cv=cv, tol=1e-12).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what changes in later versions
        theirs = LogisticRegressionCV(Cs=Cs, cv=cv, tol=1e-10, max_iter=1000).fit(X, y)
    their_scores = next(iter(theirs.scores_.values()))
    np.testing.assert_allclose(ours.scores_[:, 0], np.reshape(their_scores, (3, 3)), atol=1e-12)
    assert np.ravel(theirs.C_)[0] == ours.C_
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


def test_each_fold_is_a_path_on_its_rows():
    X, y = make_problem(1, n=90, p=4)
    cv = KFold(3, shuffle=True, random_state=0)
    model = SoftmaxRegressionCV(
        Cs=Cs, l1_ratios=[0.0, 1.0], cv=cv, scoring="neg_log_loss", tol=1e-12
    ).fit(X, y)
    assert model.scores_.shape == model.n_iter_.shape == (3, 2, 3)
    assert model.coefs_paths_.shape == (3, 2, 3, 3, 5)
    for fold, (train, test) in enumerate(cv.split(X)):
        for i, l1_ratio in enumerate(model.l1_ratios_):
            alone = SoftmaxRegression(C=Cs[1], l1_ratio=l1_ratio, tol=1e-12).fit(X[train], y[train])
            found = model.coefs_paths_[fold, i, 1]
            np.testing.assert_allclose(found[:, :4], alone.coef_, atol=1e-5)
            np.testing.assert_allclose(found[:, 4], alone.intercept_, atol=1e-5)
            score = neg_soft_log_loss(alone, X[test], y[test])  # of rows that it has not seen
            assert model.scores_[fold, i, 1] == pytest.approx(score, rel=1e-5)


def test_the_model_is_that_of_a_fit_with_what_was_chosen():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegressionCV(Cs=Cs, l1_ratios=[0.0, 1.0], scoring="neg_log_loss").fit(X, y)
    mean = model.scores_.mean(axis=0)
    i, j = np.unravel_index(mean.argmax(), mean.shape)
    assert (model.l1_ratio_, model.C_) == (model.l1_ratios_[i], model.Cs_[j])
    alone = SoftmaxRegression(C=model.C_, l1_ratio=model.l1_ratio_).fit(X, y)
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))
    assert model.score(X, y) == neg_soft_log_loss(alone, X, y)
    assert model.converged_


def test_one_standard_error():
    X, y = load_wine(return_X_y=True)
    parameters = {"Cs": 12, "scoring": "neg_log_loss", "l1_ratios": [1.0]}
    best = SoftmaxRegressionCV(**parameters).fit(X, y)
    strong = SoftmaxRegressionCV(selection="one_standard_error", **parameters).fit(X, y)
    np.testing.assert_array_equal(best.scores_, strong.scores_)
    mean = best.scores_.mean(axis=0)[0]
    error = best.scores_.std(axis=0, ddof=1)[0] / np.sqrt(5)
    j = mean.argmax()
    within = np.flatnonzero(mean >= mean[j] - error[j])
    assert strong.C_ == best.Cs_[within[0]] < best.C_
    assert np.count_nonzero(strong.coef_) < np.count_nonzero(best.coef_)


def test_without_a_refit_folds_are_averaged():
    X, y = make_problem(2, n=90, p=4)
    model = SoftmaxRegressionCV(Cs=Cs, cv=3, refit=False, scoring="neg_log_loss").fit(X, y)
    best = model.scores_[:, 0].argmax(axis=1)
    coefs = model.coefs_paths_[np.arange(3), 0, best].mean(axis=0)
    np.testing.assert_array_equal(model.coef_, coefs[:, :4])
    np.testing.assert_array_equal(model.intercept_, coefs[:, 4])
    assert pytest.approx(Cs[best].mean()) == model.C_


def test_the_number_of_processes_changes_nothing():
    X, y = load_iris(return_X_y=True)
    models = [
        SoftmaxRegressionCV(Cs=Cs, l1_ratios=[1.0], cv=3, n_jobs=n).fit(X, y) for n in (None, 2)
    ]
    for name in ("coef_", "scores_", "coefs_paths_", "n_iter_"):
        np.testing.assert_array_equal(*(getattr(model, name) for model in models))


def test_folds_that_lack_a_class_are_scored_by_label():
    X, y = make_problem(3, n=60, p=3)
    X, y = X[y < 2], y[y < 2]
    X, y = np.vstack([X, [[9.0, 9, 9], [8, 9, 9]]]), np.append(y, [2, 2])
    # The two rows of class 2 are both in the last fold: the others know it by its name alone.
    folds = [(np.arange(10, len(y) - 2), np.arange(10)), (np.arange(len(y) - 2), [len(y) - 1])]
    model = SoftmaxRegressionCV(Cs=Cs, cv=folds, scoring="neg_log_loss", tol=1e-10).fit(X, y)
    assert model.coefs_paths_.shape[3] == 3
    assert not model.coefs_paths_[:, 0, :, 2, :3].any()  # no weight in training
    alone = SoftmaxRegression(C=1.0, classes=[0, 1, 2], tol=1e-10).fit(
        X[folds[0][0]], y[folds[0][0]]
    )
    expected = neg_soft_log_loss(alone, X[:10], y[:10])
    assert model.scores_[0, 0, 2] == pytest.approx(expected, rel=1e-4)
    assert (model.scores_[1] < -700).all()  # never seen


def test_weights_are_repetitions():
    X, y = make_problem(4, n=60, p=3)
    s = np.random.default_rng(0).integers(1, 4, size=60)
    folds = [(np.arange(20, 60), np.arange(20)), (np.arange(40), np.arange(40, 60))]
    places = np.repeat(np.arange(60), s)
    repeated = [[np.flatnonzero(np.isin(places, part)) for part in fold] for fold in folds]
    parameters = {"Cs": Cs, "scoring": "neg_log_loss", "tol": 1e-12}
    weighted = SoftmaxRegressionCV(cv=folds, **parameters).fit(X, y, s)
    other = SoftmaxRegressionCV(cv=repeated, **parameters).fit(X[places], y[places])
    np.testing.assert_allclose(weighted.scores_, other.scores_, rtol=1e-5)
    np.testing.assert_allclose(weighted.coef_, other.coef_, atol=1e-5)


def test_probabilities_as_targets():
    X, y = make_problem(5, n=60, p=3)
    Q = 0.8 * np.eye(3)[y] + 0.2 / 3
    model = SoftmaxRegressionCV(Cs=Cs, cv=3, scoring="neg_log_loss").fit(X, Q)
    assert model.score(X, Q) == neg_soft_log_loss(model, X, Q)
    assert SoftmaxRegressionCV(Cs=Cs, cv=3).fit(X, Q).score(X, Q) == soft_accuracy(model, X, Q)


def test_scorers_by_name_and_in_pipelines():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionCV(Cs=3, cv=3, scoring="balanced_accuracy")
    scores = cross_val_score(make_pipeline(StandardScaler(), model), X, y, cv=3)
    assert scores.min() > 0.9
    assert clone(model).get_params() == model.get_params()


def test_metadata_routing():
    X, y = load_iris(return_X_y=True)
    groups = np.arange(150) % 5
    model = SoftmaxRegressionCV(Cs=Cs, cv=GroupKFold(5))
    with pytest.raises(ValueError, match="metadata routing"):
        model.fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        model.fit(X, y, groups=groups)
    assert model.scores_.shape == (5, 1, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"Cs": []}, "Cs"),
        ({"Cs": [-1.0]}, "Cs"),
        ({"Cs": 0}, "Cs"),
        ({"l1_ratios": []}, "l1_ratios"),
        ({"l1_ratios": [1.5]}, "l1_ratios"),
        ({"selection": "worst"}, "selection"),
        ({"refit": False, "selection": "one_standard_error"}, "refit"),
        ({"scoring": "no such score"}, "scoring"),
        ({"solver": "lbfgs", "l1_ratios": [1.0]}, "prox-newton"),
    ],
)
def test_bad_parameters(parameters, message):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionCV(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "coef_")


def test_an_interrupt_loses_nothing():
    X, y = load_iris(return_X_y=True)
    calls = []

    def scoring(estimator, X, y):
        calls.append(estimator)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return 1.0

    model = SoftmaxRegressionCV(Cs=Cs, cv=3, scoring=scoring).fit(X, y)
    before = joblib.hash(model.coef_), set(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2], y)
    assert (joblib.hash(model.coef_), set(vars(model))) == before


def test_a_progress_bar_of_folds_and_steps():
    callback = pytest.importorskip("sklearn.callback")
    begun = []

    class Recorder:
        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            begun.append((context.task_name, context.max_subtasks))

        def on_fit_task_end(self, estimator, context):
            pass

    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegressionCV(Cs=Cs, cv=3).set_callbacks(Recorder())
    assert isinstance(Recorder(), callback.FitCallback)
    model.fit(X, y)
    assert begun[0] == ("fit", 4)
    assert begun.count(("path", 3)) == 3
    assert begun.count(("C", 0)) == 9
    assert begun[-1][0] == "refit"


def test_the_display_of_scores():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegressionCV(
        Cs=8, l1_ratios=[0.5, 1.0], scoring="neg_log_loss", selection="one_standard_error"
    ).fit(X, y)
    display = CVDisplay.from_estimator(make_pipeline(model))
    mean = model.scores_.mean(axis=0)
    for line, scores in zip(display.lines_, mean, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), scores)
    assert display.one_standard_error_ == model.C_
    assert display.best_ == model.Cs_[mean.max(axis=0).argmax()]
    assert display.ax_.get_ylabel() == "neg_log_loss"
    with pytest.raises(ValueError, match="SoftmaxRegressionCV"):
        CVDisplay.from_estimator(SoftmaxRegression().fit(X, y))
