"""The estimator plugged into what people plug estimators into."""

import io
import pickle
import warnings
from doctest import DocTestParser
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from reference import make_problem
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from sk_softmax import SoftmaxRegression

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def problem():
    return make_classification(150, 6, n_informative=4, n_classes=3, class_sep=1.5, random_state=0)


def estimator(solver="lbfgs", **parameters):
    return SoftmaxRegression(solver, **{"random_state": 0, "max_iter": 60, **parameters})


# Meta-estimators and searches


@solvers
def test_a_search_over_a_pipeline(problem, solver):
    grid = {"softmaxregression__C": [1e-2, 1.0]}
    if solver == "sgd":
        grid["softmaxregression__learning_rate"] = [1e-5, 0.1]
    search = GridSearchCV(make_pipeline(StandardScaler(), estimator(solver)), grid, cv=3)
    search.fit(*problem)
    assert search.best_params_["softmaxregression__C"] == 1.0
    assert search.best_score_ > 0.7


@solvers
def test_halving_with_iterations_as_the_resource(problem, solver):
    search = HalvingGridSearchCV(
        estimator(solver, max_iter=None),
        {"C": [1e-5, 1e-2, 1.0, 10.0]},
        resource="max_iter",
        min_resources=4,
        max_resources=16,
        factor=2,
        cv=3,
        random_state=0,
    ).fit(*problem)
    assert search.n_resources_ == [4, 8, 16]
    assert search.best_params_["C"] >= 1e-2
    assert search.best_estimator_.get_params()["max_iter"] == 16


@solvers
def test_calibration_bagging_voting_and_stacking(problem, solver):
    X, y = problem
    model = estimator(solver)
    for meta in (
        CalibratedClassifierCV(model, cv=3),
        BaggingClassifier(model, n_estimators=3, random_state=0),
        VotingClassifier([("softmax", model), ("bayes", GaussianNB())], voting="soft"),
        StackingClassifier([("bayes", GaussianNB())], final_estimator=model, cv=3),
        MultiOutputClassifier(model),
    ):
        several = isinstance(meta, MultiOutputClassifier)
        meta.fit(X, np.column_stack([y, y == 1]) if several else y)
        P = meta.predict_proba(X)[0] if several else meta.predict_proba(X)
        np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-9)
        assert np.mean(P.argmax(axis=1) == y) > 0.7


@pytest.mark.parametrize(
    "make",
    [
        lambda model: CalibratedClassifierCV(model, cv=3),
        lambda model: CalibratedClassifierCV(model, cv=3, method="isotonic"),
        pytest.param(
            lambda model: CalibratedClassifierCV(model, cv=3, method="temperature"),
            marks=pytest.mark.skipif(
                parse_version(sklearn.__version__) < parse_version("1.8"), reason="came with 1.8"
            ),
        ),
        lambda model: StackingClassifier([("softmax", model)], final_estimator=estimator(), cv=3),
        lambda model: StackingClassifier(
            [("softmax", model)],
            final_estimator=estimator(),
            stack_method="decision_function",
            passthrough=True,
            cv=3,
        ),
        lambda model: VotingClassifier([("a", model), ("b", estimator(C=10))], voting="soft"),
    ],
)
@solvers
@pytest.mark.parametrize("absent", [0, 2])
def test_a_class_without_weight_in_meta_estimators(problem, make, solver, absent):
    X, y = problem
    weight = np.where(y == absent, 0.0, 1.0)
    P = make(estimator(solver)).fit(X, y, sample_weight=weight).predict_proba(X)
    assert np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-9)
    rest = y != absent
    assert np.mean(P[rest].argmax(axis=1) == y[rest]) > 0.7


@pytest.mark.filterwarnings("ignore:All weight:UserWarning")
@solvers
@pytest.mark.parametrize("n_classes", [2, 3])
def test_bagging_goes_on_where_a_bootstrap_lacks_the_rare_class(problem, solver, n_classes):
    """One or two rows of it: some of the bootstraps have no row of the class, or of any other."""
    X, y = problem
    kept = np.concatenate(
        [np.flatnonzero(y == 0)[:40], *(np.flatnonzero(y == k)[:1] for k in range(1, n_classes))]
    )
    X, y = X[kept], y[kept]
    bag = BaggingClassifier(estimator(solver), n_estimators=12, random_state=0).fit(X, y)
    only = [model for model in bag.estimators_ if not model.coef_.any()]
    assert 0 < len(only) < 12
    P = bag.predict_proba(X)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-9)
    assert P[:, 0].mean() > 0.8


def test_one_vs_rest_fits_one_sigmoid_for_each_class(problem):
    X, y = problem
    meta = OneVsRestClassifier(estimator(tol=1e-10, max_iter=None)).fit(X, y)
    for k, part in enumerate(meta.estimators_):
        alone = estimator(tol=1e-10, max_iter=None).fit(X, y == k)
        np.testing.assert_allclose(part.coef_, alone.coef_, rtol=1e-12)


def test_selection_by_coefficients_finds_the_columns_that_matter(problem):
    X, y = problem
    X = np.column_stack([np.random.default_rng(0).standard_normal((len(X), 3)), X])
    strong = np.flatnonzero(np.abs(estimator().fit(X, y).coef_).max(axis=0) > 0.6)
    kept = SelectFromModel(estimator(), max_features=len(strong), threshold=-np.inf)
    assert set(kept.fit(X, y).get_support(indices=True)) <= set(range(3, X.shape[1]))
    eliminated = RFE(estimator(), n_features_to_select=2).fit(X, y)
    assert np.all(eliminated.get_support(indices=True) >= 3)


def test_permutation_importance_is_zero_for_a_column_without_influence(problem):
    X, y = problem
    X = np.column_stack([X, np.zeros(len(X))])
    importance = permutation_importance(estimator().fit(X, y), X, y, random_state=0)
    assert importance.importances_mean[-1] == 0
    assert importance.importances_mean[:-1].max() > 0.05


def test_logits_are_sums_of_contributions_of_features(problem):
    """As linear explainers (SHAP's, for one) use `coef_` and `intercept_`."""
    X, y = problem
    model = estimator().fit(X, y)
    contributions = (X - X.mean(axis=0))[:, np.newaxis] * model.coef_
    base = model.decision_function(X.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(
        base + contributions.sum(axis=2), model.decision_function(X), rtol=1e-9, atol=1e-9
    )


def test_contributions_to_the_logits_of_a_class_without_weight_are_finite(problem):
    X, y = problem
    model = estimator().fit(X, y, sample_weight=(y != 1).astype(float))
    contributions = (X - X.mean(axis=0))[:, np.newaxis] * model.coef_
    base = model.decision_function(X.mean(axis=0, keepdims=True))
    total = base + contributions.sum(axis=2)
    assert np.isfinite(total).all()
    np.testing.assert_allclose(total, model.decision_function(X), rtol=1e-9, atol=1e-9)


@solvers
def test_cross_validation(problem, solver):
    X, y = problem
    assert cross_val_score(estimator(solver), X, y, cv=3).mean() > 0.7
    P = cross_val_predict(estimator(solver), X, y, cv=3, method="predict_log_proba")
    assert np.all(np.isfinite(P))
    _, train, test = learning_curve(estimator(solver), X, y, cv=3, train_sizes=[0.5, 1.0])
    assert train.shape == test.shape == (2, 3)


# Other programs


def recipe():
    """`as_logistic_regression` of the user guide."""
    page = Path(__file__).parent.parent / "docs" / "user_guide" / "persistence.rst"
    blocks = DocTestParser().get_examples(page.read_text(encoding="utf-8"))
    (source,) = [block.source for block in blocks if "def as_logistic_regression" in block.source]
    found = {}
    exec("from sklearn.linear_model import LogisticRegression", found)
    exec(source, found)
    return found["as_logistic_regression"]


@solvers
@pytest.mark.parametrize("labels", ["ab", "abc"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", ["float64", "float32", "sparse", "frame", "no weight", "stream"])
def test_a_copy_as_logistic_regression(problem, solver, labels, fit_intercept, kind):
    X, y = problem
    X, y = X[y < len(labels)], np.array(list(labels))[y[y < len(labels)]]
    if kind == "float32":
        X = X.astype(np.float32)
    if kind == "frame":
        X = pd.DataFrame(X, columns=list("uvwxyz"))
    weight = np.where((y == "a") & (kind == "no weight"), 0.0, 1.0)
    model = estimator(solver, fit_intercept=fit_intercept)
    if kind == "stream":
        model.partial_fit(X, y, classes=list(labels))
    else:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All weight", UserWarning)
            model.fit(X, y, sample_weight=weight)
    if kind == "sparse":
        model.sparsify()
    copied, atol = recipe()(model), 1e-6 if kind == "float32" else 1e-12
    for data in (X, -100 * X):
        for method in ("decision_function", "predict_proba"):
            expected = getattr(model, method)(data)
            np.testing.assert_allclose(
                getattr(copied, method)(data), expected, rtol=1e-5, atol=atol
            )
        np.testing.assert_array_equal(copied.predict(data), model.predict(data))
    assert copied.score(X, y) == model.score(X, y)


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("how", ["fit", "stream", "history", "sparse", "random"])
def test_the_one_type_that_skops_and_mlflow_must_trust(problem, in_pipeline, how):
    """As ``mlflow.sklearn.log_model(..., skops_trusted_types=[...])`` passes it on."""
    skops = pytest.importorskip("skops.io")
    X, y = problem
    model = estimator("sgd")
    if how == "random":
        model.set_params(random_state=np.random.RandomState(0))
    if how == "history":
        model.set_params(early_stopping=True, record_batches=2)
    if how == "stream":
        model.partial_fit(X, y, classes=[0, 1, 2])
    else:
        model.fit(X, y)
    if how == "sparse":
        model.sparsify()
    if in_pipeline:
        model = make_pipeline(StandardScaler().fit(X), model)
    stored, trusted = skops.dumps(model), ["sk_softmax.SoftmaxRegression"]
    if how == "sparse":
        trusted = ["scipy.sparse._csr.csr_matrix", *trusted]
    assert skops.get_untrusted_types(data=stored) == trusted
    loaded = skops.loads(stored, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


# Metadata routing


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@solvers
def test_weights_are_routed_through_a_search(problem, routing, solver):
    X, y = problem
    s = np.random.default_rng(0).uniform(0.1, 3, size=len(y))
    model = estimator(solver).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=True)
    search = GridSearchCV(model, {"C": [0.5]}, cv=2).fit(X, y, sample_weight=s)
    plain = estimator(solver, C=0.5).fit(X, y, sample_weight=s)
    np.testing.assert_array_equal(search.best_estimator_.coef_, plain.coef_)
    refused = model.set_fit_request(sample_weight=False).set_score_request(sample_weight=False)
    search = GridSearchCV(refused, {"C": [0.5]}, cv=2)
    with pytest.raises(TypeError, match="sample_weight"):
        search.fit(X, y, sample_weight=s)


@solvers
def test_held_out_rows_are_transformed_as_the_training_rows(problem, routing, solver):
    X, y = problem
    X_val, y_val = X[:40] * 3 + 1, y[:40]
    model = estimator(solver).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
    pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    by_hand = estimator(solver)
    by_hand.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    np.testing.assert_array_equal(
        pipeline[-1].history_["validation_loss"], by_hand.history_["validation_loss"]
    )


# Persistence


def round_trips():
    def through_pickle(model):
        return pickle.loads(pickle.dumps(model))

    def through_joblib(model):
        file = io.BytesIO()
        joblib.dump(model, file)
        file.seek(0)
        return joblib.load(file)

    def through_skops(model):
        skops = pytest.importorskip("skops.io")
        data = skops.dumps(model)
        assert skops.get_untrusted_types(data=data) == ["sk_softmax.SoftmaxRegression"]
        return skops.loads(data, trusted=["sk_softmax.SoftmaxRegression"])

    return [through_pickle, through_joblib, through_skops]


@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
@pytest.mark.parametrize("through", round_trips(), ids=lambda f: f.__name__)
@pytest.mark.parametrize("how", ["lbfgs", "sgd", "partial_fit", "averaged"])
def test_a_copy_predicts_the_same_and_goes_on_the_same(problem, through, how):
    X, y = problem
    if how in ("lbfgs", "sgd"):
        model = estimator(how, record_batches=3).fit(X, y)
    else:
        parameters = {"learning_rate": 0.1, "momentum": 0.9, "average": True}
        model = estimator("sgd", **(parameters if how == "averaged" else {}))
        model.partial_fit(X, y, classes=[0, 1, 2])
    copied = through(model)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        np.testing.assert_array_equal(getattr(copied, method)(X), getattr(model, method)(X))
    assert copied.get_params() == model.get_params()
    assert type(copied.stop_reason_) is str
    coefs = [m.set_params(record_batches=None).partial_fit(X, y).coef_ for m in (copied, model)]
    np.testing.assert_array_equal(*coefs)


# What scikit-learn's linear classifiers have


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sparse_coefficients_predict_the_same(problem, n_classes):
    X, y = problem
    X, y = X[y < n_classes], y[y < n_classes]
    model = estimator().fit(X, y)
    expected, coef = model.predict_proba(X), model.coef_.copy()
    assert model.sparsify() is model
    assert sparse.issparse(model.coef_)
    for data in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(model.predict_proba(data), expected, rtol=1e-12)
        np.testing.assert_array_equal(model.predict(data), expected.argmax(axis=1))
    assert model.densify() is model
    np.testing.assert_array_equal(model.coef_, coef)
    assert type(model.coef_) is np.ndarray


def test_a_model_with_sparse_coefficients_can_be_refitted(problem):
    X, y = problem
    model = estimator(warm_start=True).fit(X, y).sparsify()
    with_dense = estimator(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(model.fit(X, y).coef_, with_dense.fit(X, y).coef_)
    model.sparsify().partial_fit(X, y)
    assert type(model.coef_) is np.ndarray


def test_sparsify_needs_a_fit():
    for method in ("sparsify", "densify"):
        with pytest.raises(sklearn.exceptions.NotFittedError):
            getattr(estimator(), method)()


def test_the_html_links_to_the_documentation(problem):
    html = estimator().fit(*problem)._repr_html_()
    assert "Documentation for SoftmaxRegression" in html
    assert "generated/sk_softmax.SoftmaxRegression.html" in html


@solvers
def test_feature_names(solver):
    pd = pytest.importorskip("pandas")
    X, y = make_problem(0)
    frame = pd.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])
    model = estimator(solver).fit(frame, y)
    assert list(model.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])
