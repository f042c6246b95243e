"""Offsets: logits of rows beside those of the model."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import statsmodels.api as sm
from reference import make_problem
from scipy import sparse
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, average_marginal_effects, summary
from sk_softmax._curvature import Curvature
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Targets, as_rows
from sk_softmax._solvers._remainder import loss_at, null_loss

SOLVERS = ["lbfgs", "sgd"]


@pytest.fixture(params=[2, 3])
def problem(request):
    """Rows whose labels depend on an offset (n, K)."""
    rng, K = np.random.default_rng(0), request.param
    X, offset = rng.standard_normal((120, 4)), rng.standard_normal((120, K))
    logits = X @ rng.standard_normal((4, K)) + offset + rng.gumbel(size=(120, K))
    return X, logits.argmax(axis=1), offset


def assert_stationary(model, X, Q, offset, s=None, tol=1e-6):
    """The gradient of the formula in the documentation is zero, of probabilities by hand."""
    W, b = model.coef_, model.intercept_
    if len(W) == 1:
        W, b = np.vstack([np.zeros_like(W), W]), np.append(0, b)
    P = np.exp(X @ W.T + b + offset)
    P /= P.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X, offset=offset), P, rtol=1e-9)
    R = (P - Q) * (1 if s is None else s[:, np.newaxis])
    if len(model.coef_) == 1:
        R = R[:, 1:]
    G = R.T @ X + model.coef_ / model.C
    np.testing.assert_allclose(G, 0, atol=tol * len(X))
    if model.fit_intercept:
        np.testing.assert_allclose(R.sum(axis=0), 0, atol=tol * len(X))


@pytest.mark.parametrize(
    "parameters", [{}, {"fit_intercept": False}, {"label_smoothing": 0.1}, {"C": np.inf}], ids=str
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.uncertified
def test_the_minimum_of_the_objective(problem, parameters, weighted):
    X, y, offset = problem
    s = np.linspace(0.5, 2, len(y)) if weighted else None
    model = SoftmaxRegression(tol=1e-12, **parameters).fit(X, y, s, offset=offset)
    assert model.converged_
    eps, K = model.label_smoothing, offset.shape[1]
    assert_stationary(model, X, (1 - eps) * np.eye(K)[y] + eps / K, offset, s)


@pytest.mark.parametrize(
    ("solver", "kind"),
    [("sgd", np.asarray), ("lbfgs", sparse.csr_array), ("sgd", sparse.csr_array)],
)
@pytest.mark.uncertified
def test_solvers_and_kinds_of_rows_agree(problem, solver, kind):
    X, y, offset = problem
    model = SoftmaxRegression(solver, tol=1e-6, max_iter=200, random_state=0)
    model.fit(kind(X), y, offset=offset)
    exact = SoftmaxRegression(tol=1e-12).fit(X, y, offset=offset)
    np.testing.assert_allclose(model.coef_, exact.coef_, atol=3e-3)
    assert model.loss_ == pytest.approx(exact.loss_, rel=1e-4)


@pytest.mark.uncertified
def test_wide_rows_and_soft_targets_in_float32():
    """Rotated columns, the other precision, and a table of targets."""
    rng = np.random.default_rng(0)
    X, offset = rng.standard_normal((30, 400)), rng.standard_normal((30, 3))
    Q = rng.dirichlet(np.ones(3), size=30)
    model = SoftmaxRegression(C=0.01, tol=1e-12).fit(X, Q, offset=offset)
    assert_stationary(model, X, Q, offset)
    single = SoftmaxRegression(C=0.01, tol=1e-6).fit(X.astype(np.float32), Q, offset=offset)
    np.testing.assert_allclose(single.coef_, model.coef_, atol=1e-3)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_sums_at_the_start_are_those_of_the_rows(problem, threads, fit_intercept):
    """Where coefficients are zero probabilities differ from row to row all the same."""
    X, y, offset = problem
    rows = as_rows(X, Targets(y, offset.shape[1], offset=offset), np.ones(len(y)), threads)
    objective = Objective(rows, Penalty(0.1), fit_intercept, threads)
    theta, value = objective.null_model()
    evaluation = objective.evaluate(theta)
    assert value == pytest.approx(evaluation.value, rel=1e-12)
    assert loss_at(objective, theta) == pytest.approx(value, rel=1e-12)
    assert null_loss(objective) == value
    Z = offset + (theta.reshape(objective.shape)[:, -1] if fit_intercept else 0)
    P = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    moments, covariance = Curvature(objective).pooled(theta)
    c = (P * (1 - P)).sum(axis=1) / len(X)
    np.testing.assert_allclose(moments.weight, (P * (1 - P)).mean(axis=0), rtol=1e-10)
    centred = X - c @ X / c.sum() if fit_intercept else X
    np.testing.assert_allclose(covariance, (c[:, np.newaxis] * centred).T @ centred, atol=1e-12)
    v = np.random.default_rng(0).standard_normal(theta.size)
    forward, backward = (objective.value_and_gradient(theta + e * v)[1] for e in (1e-5, -1e-5))
    expected = (forward - backward) / 2e-5
    np.testing.assert_allclose(objective.hessian_operator(theta)(v), expected, atol=1e-8)


@pytest.mark.uncertified
def test_an_offset_is_a_column_whose_coefficient_is_fixed(problem):
    """The fit with the column gives W; with its part as an offset, the others are the same."""
    X, y, _ = problem
    whole = SoftmaxRegression(C=np.inf, tol=1e-14).fit(X, y)
    w = whole.coef_[:, 0]
    offset = X[:, :1] * (w if len(w) > 1 else [0, w[0]])
    rest = SoftmaxRegression(C=np.inf, tol=1e-14).fit(X[:, 1:], y, offset=offset)
    np.testing.assert_allclose(rest.coef_, whole.coef_[:, 1:], atol=1e-7)
    np.testing.assert_allclose(rest.intercept_, whole.intercept_, atol=1e-7)
    assert rest.loss_ == pytest.approx(whole.loss_, rel=1e-12)
    P = rest.predict_proba(X[:, 1:], offset=offset)
    np.testing.assert_allclose(P, whole.predict_proba(X), atol=1e-8)
    assert (rest.predict(X[:, 1:], offset=offset) == whole.predict(X)).all()
    log_P = rest.predict_log_proba(X[:, 1:], offset=offset)
    np.testing.assert_allclose(log_P, np.log(P), atol=1e-9)
    assert rest.score(X[:, 1:], y, offset=offset) == whole.score(X, y)


@pytest.mark.uncertified
def test_what_all_classes_share_changes_nothing(problem):
    X, y, offset = problem
    model = SoftmaxRegression(tol=1e-13).fit(X, y, offset=offset)
    shared = offset + np.linspace(-20, 20, len(X))[:, np.newaxis]
    shifted = SoftmaxRegression(tol=1e-13).fit(X, y, offset=shared)
    np.testing.assert_allclose(shifted.coef_, model.coef_, atol=1e-6)
    plain = SoftmaxRegression().fit(X, y)
    none = SoftmaxRegression().fit(X, y, offset=np.zeros_like(offset))
    np.testing.assert_allclose(none.coef_, plain.coef_, atol=1e-4)
    constant = SoftmaxRegression(tol=1e-13).fit(X, y, offset=offset + np.arange(offset.shape[1]))
    np.testing.assert_allclose(constant.coef_, model.coef_, atol=1e-6)


@pytest.mark.uncertified
def test_binomial_regression_of_statsmodels():
    X, y = make_problem(0, n=200, n_classes=2)
    offset = np.random.default_rng(1).normal(size=len(y))
    model = SoftmaxRegression(C=np.inf, tol=1e-14).fit(X, y, offset=offset)
    design = sm.add_constant(X)
    theirs = sm.GLM(y, design, family=sm.families.Binomial(), offset=offset).fit(tol=1e-14)
    ours = summary(model, X, y, offset=offset)
    np.testing.assert_allclose(ours.coef[0], theirs.params, rtol=1e-7)
    np.testing.assert_allclose(ours.std_error[0], theirs.bse, rtol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    assert ours.log_likelihood_null == pytest.approx(theirs.llnull, rel=1e-8)
    P = model.predict_proba(X[:9], offset=offset[:9])[:, 1]
    np.testing.assert_allclose(P, theirs.predict(design[:9], offset=offset[:9]), rtol=1e-7)
    log_odds = model.decision_function(X[:9], offset=offset[:9])
    np.testing.assert_allclose(log_odds, np.log(P / (1 - P)), rtol=1e-7)
    both = np.column_stack([np.zeros(9), offset[:9]])
    np.testing.assert_array_equal(model.decision_function(X[:9], offset=both), log_odds)


@pytest.mark.uncertified
def test_marginal_effects_and_the_sandwich(problem):
    """Against numerical derivatives, and with a column in place of the offset."""
    X, y, offset = problem
    model = SoftmaxRegression(C=np.inf, tol=1e-13).fit(X, y, offset=offset)
    effects = average_marginal_effects(model, X, y, offset=offset)
    step = np.zeros(4)
    step[2] = 1e-5
    change = model.predict_proba(X + step, offset=offset)
    change -= model.predict_proba(X - step, offset=offset)
    np.testing.assert_allclose(effects.effect[:, 2], change.mean(axis=0) / 2e-5, atol=1e-8)
    table = summary(model, X, y, covariance="sandwich", offset=offset, symmetric=True)
    P = model.predict_proba(X, offset=offset)
    design = np.column_stack([np.ones(len(X)), X])
    K, q = len(model.classes_), design.shape[1]
    W = P[:, :, np.newaxis] * np.eye(K) - P[:, :, np.newaxis] * P[:, np.newaxis]
    H = np.einsum("nkl,ni,nj->kilj", W, design, design).reshape(K * q, K * q)
    g = ((P - np.eye(K)[y])[:, :, np.newaxis] * design[:, np.newaxis]).reshape(len(X), -1)
    inverse = np.linalg.pinv(H, rcond=1e-10)
    expected = inverse @ g.T @ g @ inverse
    np.testing.assert_allclose(table.covariance, expected, atol=1e-7)


@pytest.mark.uncertified
def test_separable_rows():
    """An offset that makes every row right is no separation, nor hides it where there is one."""
    X, y = make_problem(0, n_classes=2)
    model = SoftmaxRegression(C=np.inf).fit(X, y, offset=5.0 * (2 * y - 1))
    assert model.converged_
    assert model.loss_ < np.log(2) / len(y)  # which without an offset proves separation
    with pytest.warns(match="hyperplanes separate"):
        SoftmaxRegression(C=np.inf).fit(X[:, :1], X[:, 0] > 0, offset=-np.sign(X[:, 0]))


@pytest.mark.uncertified
@pytest.mark.parametrize("rate", ["auto", 0.1])
def test_partial_fit(problem, rate):
    X, y, offset = problem
    classes = np.unique(y)
    model = SoftmaxRegression(learning_rate=rate, random_state=0)
    for _ in range(30):
        for rows in np.split(np.arange(120), 4):
            model.partial_fit(X[rows], y[rows], classes, offset=offset[rows])
    whole = SoftmaxRegression(C=30.0).fit(X, y, offset=offset)
    P = model.predict_proba(X, offset=offset)
    assert np.abs(P - whole.predict_proba(X, offset=offset)).mean() < 0.02
    with pytest.raises(ValueError, match="fitted with an offset, and needs offset here"):
        model.partial_fit(X, y)


@pytest.mark.uncertified
def test_held_out_rows_have_their_own(problem):
    X, y, offset = problem
    rows = slice(0, 40)
    model = SoftmaxRegression().fit(
        X, y, offset=offset, X_val=X[rows], y_val=y[rows], offset_val=offset[rows]
    )
    log_P = model.predict_log_proba(X[rows], offset=offset[rows])
    loss = -log_P[np.arange(40), y[rows]].mean()
    assert model.history_["validation_loss"][-1] == pytest.approx(loss, rel=1e-9)
    with pytest.raises(ValueError, match="needs offset_val"):
        SoftmaxRegression().fit(X, y, offset=offset, X_val=X, y_val=y)
    with pytest.raises(ValueError, match="offset_val needs an offset of the training rows"):
        SoftmaxRegression().fit(X, y, X_val=X, y_val=y, offset_val=offset)
    with pytest.raises(ValueError, match="offset_val must have the shape"):
        SoftmaxRegression().fit(
            X, y, offset=offset, X_val=X, y_val=y, offset_val=np.zeros((len(y), 5))
        )
    stopped = SoftmaxRegression("sgd", early_stopping=True, random_state=0)
    stopped.fit(X, y, offset=offset)
    assert np.isfinite(stopped.history_["validation_loss"]).all()


@pytest.mark.uncertified
def test_rows_and_classes_without_weight(problem):
    X, y, offset = problem
    s = (y != 0).astype(float)
    if offset.shape[1] == 2:
        s[:5] = 1
    kept = s > 0
    model = SoftmaxRegression().fit(X, y, s, offset=offset)
    other = SoftmaxRegression().fit(X[kept], y[kept], offset=offset[kept][:, np.unique(y[kept])])
    P = model.predict_proba(X, offset=offset)[:, np.unique(y[kept])]
    expected = other.predict_proba(X, offset=offset[:, np.unique(y[kept])])
    np.testing.assert_allclose(P, expected, atol=1e-12)


@pytest.mark.uncertified
def test_names_of_columns(problem):
    X, y, offset = problem
    labels = np.array(["c", "a", "b"][: offset.shape[1]])
    model = SoftmaxRegression().fit(X, labels[y], offset=pd.DataFrame(offset, columns=labels))
    order = np.argsort(labels)
    by_position = SoftmaxRegression().fit(X, labels[y], offset=offset[:, order])
    np.testing.assert_array_equal(model.coef_, by_position.coef_)
    with pytest.raises(ValueError, match=r"columns named .* must be the classes"):
        model.predict(X, offset=pd.DataFrame(offset))


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        (np.zeros((80, 2)), r"shape \(n_samples, n_classes\), .* 3 classes .* got \(80, 2\)"),
        (np.zeros(80), "shape"),
        (np.zeros((79, 3)), "inconsistent"),
        (np.full((80, 3), np.nan), "offset contains NaN"),
        (np.full((80, 3), -np.inf), "offset contains infinity"),
        (np.ma.masked_less(np.zeros((80, 3)), 1), "offset is a masked array"),
        (np.full((80, 3), "a"), "offset|could not convert"),
    ],
)
def test_what_is_no_offset(offset, message, state_of):
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    before = state_of(model)
    for method in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=message):
            method(X, y, offset=offset)
    with pytest.raises(ValueError, match=message):
        model.predict(X, offset=offset)
    assert state_of(model) == before


@pytest.mark.uncertified
def test_it_may_not_be_left_out_afterwards(problem):
    X, y, offset = problem
    model = pickle.loads(pickle.dumps(SoftmaxRegression().fit(X, y, offset=offset)))
    needs = "fitted with an offset, and needs offset here"
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(ValueError, match=needs):
            getattr(model, name)(X)
    for method in (model.score, lambda X, y: summary(model, X, y)):
        with pytest.raises(ValueError, match=needs):
            method(X, y)
    assert model.fit(X, y).predict(X, offset=offset).shape == y.shape  # priors that have changed


def test_onnx_refuses(problem):
    skl2onnx = pytest.importorskip("skl2onnx")
    import sk_softmax.onnx

    X, y, offset = problem
    sk_softmax.onnx.register()
    model = SoftmaxRegression().partial_fit(X, y, np.unique(y), offset=offset)
    with pytest.raises(ValueError, match="fitted with an offset, which is no input of the graph"):
        skl2onnx.to_onnx(model, X[:1])


@pytest.mark.uncertified
def test_routing_through_pipelines_and_searches(problem):
    X, y, offset = problem
    with sklearn.config_context(enable_metadata_routing=True):
        model = SoftmaxRegression().set_fit_request(offset=True).set_score_request(offset=True)
        model.set_predict_request(offset=True).set_predict_proba_request(offset=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y, offset=offset)
        scaled = StandardScaler().fit_transform(X)
        direct = SoftmaxRegression().fit(scaled, y, offset=offset)
        P = direct.predict_proba(scaled, offset=offset)
        np.testing.assert_allclose(pipeline.predict_proba(X, offset=offset), P)
        search = GridSearchCV(model, {"C": [0.1, 1.0]}, cv=2)
        search.fit(X, y, offset=offset)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        scores = cross_val_score(model, X, y, params={"offset": offset}, cv=2)
        assert (scores > cross_val_score(SoftmaxRegression(), X, y, cv=2)).all()
        forgetful = SoftmaxRegression().set_fit_request(offset=True)
        with pytest.raises(ValueError, match="offset"):
            cross_val_score(forgetful, X, y, params={"offset": offset}, error_score="raise")
