"""Rows that come in parts."""

import pickle

import numpy as np
import pytest
from reference import make_problem, mean_gradient, model_objective
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._solvers._metric import Preconditioning

PLAIN = {"learning_rate": 0.05, "batch_size": 16, "random_state": 0}


def stream(model, X, y, size=50, **parameters):
    for start in range(0, len(y), size):
        rows = slice(start, start + size)
        model.partial_fit(X[rows], y[rows], **parameters)
    return model


def as_theta(model):
    return np.column_stack([model.coef_, model.intercept_])


@pytest.mark.parametrize(
    "parameters",
    [{}, {"momentum": 0.9, "nesterov": True}, {"average": True}, {"schedule": "inverse_scaling"}],
    ids=str,
)
def test_k_calls_are_k_epochs(parameters):
    """To the last bit, without a penalty: with one, k calls have seen k times the data."""
    X, y = make_problem(0)
    parameters = {**PLAIN, "C": np.inf, **parameters}
    fitted = SoftmaxRegression("sgd", max_iter=4, tol=None, **parameters).fit(X, y)
    model = SoftmaxRegression(max_iter=4, **parameters)
    for call in range(4):
        model.partial_fit(X, y, classes=[0, 1, 2] if call == 0 else None)
    np.testing.assert_array_equal(model.coef_, fitted.coef_)
    np.testing.assert_array_equal(model.intercept_, fitted.intercept_)
    assert model.n_iter_[0] == 4
    assert model.stop_reason_ == "partial_fit"


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_penalty_is_that_of_all_rows_so_far(n_classes):
    """One full batch is one step of gradient descent, with lam = 1 / (C weight so far)."""
    X, y = make_problem(1, n_classes=n_classes)
    s = np.random.default_rng(1).uniform(0.5, 2, size=len(y))
    rate, C = 0.1, 0.02
    model = SoftmaxRegression(C=C, learning_rate=rate, batch_size=1000)
    model.partial_fit(X, y, classes=np.arange(n_classes), sample_weight=s)
    before = as_theta(model)
    model.partial_fit(X[:30], y[:30], sample_weight=s[:30])
    total = s.sum() + s[:30].sum()
    if n_classes == 2:  # the sigmoid's row is the difference of two
        before, C = before * [[-0.5], [0.5]], C / 2
    gradient = mean_gradient(before, X[:30], y[:30], s[:30], 1 / (C * total))
    after = before - rate * gradient
    if n_classes == 2:
        after = after[1:] - after[:1]
    np.testing.assert_allclose(as_theta(model), after, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "load", [load_wine, load_breast_cancer, load_digits], ids=["wine", "breast cancer", "digits"]
)
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_a_stream_of_raw_features_needs_no_scaler(load, layout):
    """Thirty passes come within a fifth of what is gained from the start to the minimum."""
    X, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = layout(X[order]), y[order]
    classes = np.unique(y)
    model = SoftmaxRegression(random_state=0, C=1.0)
    for _ in range(30):
        stream(model, X, y, classes=classes)
    best = SoftmaxRegression("lbfgs").fit(X, y)
    gained = {
        name: np.log(np.maximum(fitted.predict_proba(X)[np.arange(len(y)), y], 1e-12)).mean()
        for name, fitted in (("stream", model), ("best", best))
    }
    start = -np.log(len(classes))
    assert gained["stream"] - start > 0.8 * (gained["best"] - start)


def test_columns_in_other_units_make_no_difference_to_an_unpenalised_stream():
    X, y = make_problem(2, n=300)
    unit = np.array([1e4, 1.0, 1e-4, 10.0])
    models = [
        stream(SoftmaxRegression(C=np.inf, random_state=0), X * u, y, classes=[0, 1, 2])
        for u in (1.0, unit)
    ]
    np.testing.assert_allclose(
        models[1].predict_proba(X * unit), models[0].predict_proba(X), atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:All rows of this call")
def test_a_class_may_come_late_or_never():
    X, y = make_problem(3, n=120)
    order = np.argsort(y, kind="stable")  # class by class
    model = SoftmaxRegression(random_state=0)
    model.partial_fit(X[order[:20]], np.zeros(20, dtype=int), classes=[0, 1, 2, 3])
    assert np.all(np.isfinite(model.predict_log_proba(X)))
    stream(model, X[order], y[order], size=30)
    P = model.predict_proba(X)
    assert P.shape == (120, 4)
    assert P[:, 3].mean() < 0.1


def test_it_goes_on_from_a_pickle():
    X, y = make_problem(4)
    whole = SoftmaxRegression(random_state=0, momentum=0.5, average=True)
    whole.partial_fit(X, y, classes=[0, 1, 2])
    data = pickle.dumps(whole)
    assert b"sk_softmax._" not in data
    copy = pickle.loads(data)
    for model in (whole, copy):
        model.partial_fit(X, y)
    np.testing.assert_array_equal(copy.coef_, whole.coef_)


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=["global", "own"])
def test_what_others_draw_from_the_generator_does_not_change_a_stream(random_state):
    X, y = make_problem(0, n=60)
    model = SoftmaxRegression("sgd", batch_size=8, random_state=random_state)
    model.partial_fit(X, y, classes=np.unique(y))
    twin = pickle.loads(pickle.dumps(model))
    (np.random if random_state is None else random_state).random_sample(7)
    np.testing.assert_array_equal(model.partial_fit(X, y).coef_, twin.partial_fit(X, y).coef_)


def test_stream_first_and_polish_after():
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression("lbfgs", warm_start=True, random_state=0)
    stream(model, X, y, size=200, classes=np.arange(10))
    assert model.solver_ == "sgd"
    model.fit(X, y)
    cold = SoftmaxRegression("lbfgs").fit(X, y)
    assert model.solver_ == "lbfgs"
    assert model.loss_ == pytest.approx(cold.loss_, rel=1e-5)


def test_a_stream_goes_on_from_the_minimum_and_stays_near_it():
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression("lbfgs", random_state=0).fit(X, y)
    at_minimum = model_objective(model, X, y)
    order = np.random.default_rng(0).permutation(len(y))
    model.partial_fit(X[order], y[order])
    assert model_objective(model, X, y) < 1.5 * at_minimum


def test_a_stream_has_no_bound_on_its_distance_to_the_minimum():
    """That of the fit before was of other coefficients."""
    X, y = make_problem(0)
    model = SoftmaxRegression("lbfgs").fit(X, y)
    assert model.gap_ < 1e-3
    model.partial_fit(X[:50], y[:50])
    assert not hasattr(model, "gap_")
    assert not hasattr(model, "gap_method_")


@pytest.mark.parametrize("parameters", [{}, {"learning_rate": 0.05}], ids=str)
def test_rows_may_come_one_by_one(parameters):
    X, y = make_problem(0)
    model = stream(SoftmaxRegression(**parameters), X, y, size=1, classes=[0, 1, 2])
    assert model.n_iter_[0] == len(y)
    assert model.score(X, y) > 0.6


@pytest.mark.parametrize(
    ("learning_rate", "same"), [("auto", "inverse_scaling"), (0.05, "constant")]
)
def test_the_automatic_schedule_of_a_stream_is_the_documented_one(learning_rate, same):
    X, y = make_problem(0)
    coef = {}
    for schedule in ("auto", "constant", "inverse_scaling", "cosine"):
        model = SoftmaxRegression(schedule=schedule, learning_rate=learning_rate, random_state=0)
        coef[schedule] = stream(model, X, y, size=20, classes=[0, 1, 2]).coef_
    np.testing.assert_array_equal(coef["auto"], coef.pop(same))
    assert not any(np.array_equal(coef["auto"], coef[other]) for other in coef if other != "auto")


@pytest.mark.parametrize("factor", [100.0, 1e4])
def test_an_automatic_rate_at_which_a_stream_diverges_is_halved(monkeypatch, factor):
    """Rows that will not come again are not to be lost."""
    original = Preconditioning.step_size
    monkeypatch.setattr(Preconditioning, "step_size", lambda *args: factor * original(*args))
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, [0, 1, 2])
    assert np.isfinite(model.coef_).all()
    assert model.n_iter_[0] == 1


@pytest.mark.parametrize(("learning_rate", "low_enough"), [(1.1, 0.55), (10.0, 0.02)])
def test_a_given_rate_at_which_a_stream_diverges_is_not_halved(learning_rate, low_enough):
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(learning_rate=learning_rate, random_state=1)
    with pytest.raises(ValueError, match="lower learning_rate"):
        model.partial_fit(X, y, [0, 1, 2])
    model.set_params(learning_rate=low_enough).partial_fit(X, y, [0, 1, 2])
    assert np.isfinite(model.coef_).all()


def test_the_learning_rate_may_change_between_calls_from_a_number_to_automatic_and_back():
    X, y = make_problem(0)
    model = SoftmaxRegression(random_state=0)
    for learning_rate in (0.05, "auto", "auto", 0.05, "auto"):
        model.set_params(learning_rate=learning_rate).partial_fit(X, y, [0, 1, 2])
    assert model.n_iter_[0] == 5
    assert model.score(X, y) > 0.7


@pytest.mark.filterwarnings("ignore:All rows of this call")
@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
def test_rows_that_the_model_so_far_gets_wrong_are_no_divergence():
    """Every second row has another label now: the loss is large before the first step."""
    X, y = np.tile([[-1.0], [1.0]], (20, 1)), np.tile([0, 1], 20)
    model = SoftmaxRegression("lbfgs", C=1e3, learning_rate=1e-9).fit(X, y)
    changed = np.zeros_like(y)
    assert model_objective(model, 100 * X, changed) / (1e3 * len(y)) > 50
    model.partial_fit(100 * X, changed)
    assert model.stop_reason_ == "partial_fit"


def test_weights_are_repetitions_in_expectation():
    """One full batch of weighted rows is one of repeated rows."""
    X, y = make_problem(5)
    w = np.random.default_rng(5).integers(0, 4, size=len(y))
    options = {"learning_rate": 0.1, "batch_size": 10_000}
    weighted = SoftmaxRegression(**options).partial_fit(X, y, [0, 1, 2], w)
    repeated = SoftmaxRegression(**options).partial_fit(
        np.repeat(X, w, axis=0), np.repeat(y, w), [0, 1, 2]
    )
    by_class = SoftmaxRegression(class_weight={0: 2.0, 1: 1.0, 2: 0.5}, **options)
    by_row = SoftmaxRegression(**options)
    by_class.partial_fit(X, y, [0, 1, 2])
    by_row.partial_fit(X, y, [0, 1, 2], np.array([2.0, 1.0, 0.5])[y])
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-12)


def test_probabilities_stream_too():
    X, y = make_problem(6)
    labels = SoftmaxRegression(**PLAIN).partial_fit(X, y, [0, 1, 2])
    one_hot = SoftmaxRegression(**PLAIN).partial_fit(X, np.eye(3)[y], [0, 1, 2])
    np.testing.assert_allclose(one_hot.coef_, labels.coef_, rtol=1e-10)


BAD_CALLS = {
    "no classes at first": ({"fitted": False}, "classes must be passed on the first call"),
    "one class": ({"fitted": False, "classes": [1]}, "at least 2 classes"),
    "unseen label": ({"y": [0, 7]}, r"not among the classes: \[7\]"),
    "other classes": ({"classes": [0, 1, 3]}, "differ from those of the model so far"),
    "other columns": ({"X": np.ones((2, 5))}, "features"),
    "no rows": ({"X": np.ones((0, 4)), "y": []}, "minimum of 1 is required"),
    "no weight": ({"sample_weight": [0, 0]}, "non-zero number|positive weight"),
    "negative weight": ({"sample_weight": [1, -1]}, "[Nn]egative"),
    "NaN": ({"X": np.full((2, 4), np.nan)}, "NaN"),
    "diverges": (
        {"learning_rate": 1e30, "X": 1e10 * np.eye(64, 4), "y": np.arange(64) % 2},
        "lower learning_rate",
    ),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_what_is_refused_leaves_the_model_as_it_was(case, state_of):
    changes, message = BAD_CALLS[case]
    arguments = {"X": np.eye(2, 4), "y": [0, 1], **changes}
    model = SoftmaxRegression(**{**PLAIN, "learning_rate": arguments.pop("learning_rate", 0.05)})
    if arguments.pop("fitted", True):
        X, y = make_problem(7)
        model.set_params(learning_rate=0.05).partial_fit(X, y, [0, 1, 2])
        model.set_params(learning_rate=changes.get("learning_rate", 0.05))
    before = state_of(model)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(**arguments)
    assert state_of(model) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interrupted_call_leaves_the_model_as_it_was(error, state_of, fail_at_call):
    X, y = make_problem(8)
    model = SoftmaxRegression(random_state=0).partial_fit(X, y, [0, 1, 2])
    before = state_of(model)
    fail_at_call("loss", 1, error)
    with pytest.raises(error):
        model.partial_fit(X, y)
    assert state_of(model) == before


def test_balanced_class_weights_need_all_labels_at_once():
    model = SoftmaxRegression(class_weight="balanced")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        model.partial_fit([[0.0], [1.0]], [0, 1], [0, 1])


@pytest.mark.parametrize(
    "parameters", [{"C": -1.0}, {"schedule": "linear"}, {"learning_rate": np.nan}, {"momentum": 2}]
)
def test_parameters_changed_between_calls_are_checked(parameters, state_of):
    X, y = make_problem(0)
    model = SoftmaxRegression().partial_fit(X, y, [0, 1, 2]).set_params(**parameters)
    before = state_of(model)
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter"):
        model.partial_fit(X, y)
    assert state_of(model) == before
