"""What a fit tells while it runs: its record, its lines, scikit-learn's callbacks."""

import pickle

import numpy as np
import pytest
from reference import make_problem
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])


def estimator(solver, **parameters):
    return SoftmaxRegression(solver, **{"max_iter": 6, "random_state": 0, **parameters})


# The record


@solvers
@pytest.mark.parametrize("weighted", [False, True])
def test_the_accuracy_is_that_of_the_model(solver, weighted):
    X, y = make_problem(0, n=300)
    s = np.random.default_rng(0).uniform(0.1, 3, size=300) if weighted else None
    # An epoch's accuracy is that before its steps; the last ones of a cosine are tiny.
    parameters = {"schedule": "cosine", "batch_size": 300} if solver == "sgd" else {}
    model = estimator(solver, max_iter=200, tol=None, **parameters).fit(X, y, s)
    assert model.history_["accuracy"][-1] == pytest.approx(model.score(X, y, s), rel=1e-9)
    assert np.all((model.history_["accuracy"] >= 0) & (model.history_["accuracy"] <= 1))


def test_an_epoch_that_starts_without_a_favourite_gets_nothing_right():
    X, y = make_problem(0, n=90)
    y = np.arange(90) % 3  # equal priors: all logits are equal before the first step
    model = SoftmaxRegression("sgd", batch_size=90, learning_rate=0.1, max_iter=2).fit(X, y)
    assert model.history_["accuracy"][0] == 0
    assert model.history_["accuracy"][1] > 0


def test_groups_of_batches_make_up_the_epochs():
    X, y = make_problem(0, n=120)
    s = np.random.default_rng(1).uniform(0.1, 3, size=120)
    model = estimator("sgd", batch_size=10, record_batches=4, learning_rate=0.05).fit(X, y, s)
    within, history = model.batch_history_, model.history_
    assert set(within) == set(history)
    assert {len(column) for column in within.values()} == {3 * 6}
    np.testing.assert_allclose(within["n_iter"], np.arange(1, 19) / 3)
    np.testing.assert_allclose(within["loss"].reshape(6, 3).mean(axis=1), history["loss"])
    every = estimator("sgd", batch_size=10, record_batches=1, learning_rate=0.05).fit(X, y, s)
    np.testing.assert_array_equal(every.coef_, model.coef_)
    np.testing.assert_allclose(
        every.batch_history_["loss"].reshape(18, 4).mean(axis=1), within["loss"]
    )


def test_the_last_batches_of_an_epoch_are_a_group_too():
    X, y = make_problem(0, n=120)
    model = estimator("sgd", batch_size=10, record_batches=5, learning_rate=0.05).fit(X, y)
    groups = model.batch_history_["n_iter"].reshape(6, 3) - np.arange(6)[:, np.newaxis]
    np.testing.assert_allclose(groups, [[5 / 12, 10 / 12, 1]] * 6)
    weighted = model.batch_history_["loss"].reshape(6, 3) @ [5, 5, 2] / 12
    np.testing.assert_allclose(weighted, model.history_["loss"])


def test_a_record_of_batches_includes_rows_held_out_and_leaves_early_stopping_alone():
    X, y = make_problem(0, n=400, p=60)
    parameters = {"C": 1e4, "max_iter": None, "early_stopping": True, "n_iter_no_change": 3}
    held_out = {"X_val": X[200:], "y_val": y[200:]}
    plain = estimator("sgd", **parameters).fit(X[:200], y[:200], **held_out)
    recorded = estimator("sgd", record_batches=1, **parameters).fit(X[:200], y[:200], **held_out)
    assert plain.stop_reason_ == recorded.stop_reason_ == "early_stopping"
    np.testing.assert_array_equal(plain.coef_, recorded.coef_)
    within = recorded.batch_history_
    last = within["n_iter"] == np.round(within["n_iter"])
    np.testing.assert_array_equal(
        within["validation_loss"][last], recorded.history_["validation_loss"]
    )
    assert len(within["validation_loss"]) > 5 * recorded.n_iter_[0]


@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
def test_batches_are_recorded_only_on_request_and_by_sgd():
    X, y = make_problem(0)
    model = estimator("sgd", record_batches=1).fit(X, y)
    assert hasattr(model, "batch_history_")
    assert not hasattr(model.set_params(solver="lbfgs").fit(X, y), "batch_history_")
    assert not hasattr(estimator("sgd").fit(X, y), "batch_history_")


@solvers
def test_the_record_survives_pickling_and_a_search(solver):
    X, y = make_problem(0)
    search = GridSearchCV(estimator(solver), {"C": [0.1, 1.0]}, cv=2).fit(X, y)
    best = search.best_estimator_
    copied = pickle.loads(pickle.dumps(best))
    for name, column in best.history_.items():
        assert len(column) == best.n_iter_[0]
        np.testing.assert_array_equal(copied.history_[name], column)


@solvers
def test_verbose_prints_a_line_for_each_iteration(solver, capsys):
    X, y = make_problem(0)
    model = estimator(solver, verbose=1).fit(X, y, X_val=X, y_val=y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_[0]
    unit = "epoch" if solver == "sgd" else "iteration"
    for number, line in enumerate(lines, start=1):
        assert line.startswith(f"[SoftmaxRegression] {unit} {number}: loss ")
        for name in ("accuracy", "validation_loss", "validation_accuracy", "time"):
            assert f"{name} " in line


# scikit-learn's callbacks


class Log:
    """A callback that notes what it is told, and asks to stop after some iterations."""

    def __init__(self, stop_after=None, fail_at=None):
        self.stop_after, self.fail_at = stop_after, fail_at
        self.events, self.models, self.metadata = [], [], []

    def _note(self, event):
        self.events.append(event)
        if event == self.fail_at or len(self.events) == self.fail_at:
            raise RuntimeError(f"at {event}")

    def setup(self, estimator, context):
        self._note("setup")

    def teardown(self, estimator, context):
        self._note("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self._note(f"begin {context.task_name}")
        assert len(X) == len(y)

    def on_fit_task_end(self, estimator, context, *, metadata, fitted_estimator):
        self._note(f"end {context.task_name}")
        self.models.append(fitted_estimator)
        self.metadata.append(metadata)
        return self.stop_after is not None and self.events.count("end iteration") >= self.stop_after


@pytest.fixture
def callback():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9")


@solvers
def test_callbacks_see_a_task_for_each_iteration(callback, solver):
    X, y = make_problem(0)
    log, s = Log(), np.full(len(y), 2.0)
    model = estimator(solver).set_callbacks(log).fit(X, y, s)
    n_iter = model.n_iter_[0]
    iterations = ["begin iteration", "end iteration"] * n_iter
    assert log.events == ["setup", "begin fit", *iterations, "end fit", "teardown"]
    assert all(metadata["sample_weight"] is s for metadata in log.metadata)
    # What they are given predicts, and the last two are the model.
    assert log.models[0].score(X, y) <= 1
    for last in log.models[-2:]:
        np.testing.assert_array_equal(last.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(model.coef_, estimator(solver).fit(X, y, s).coef_)


@pytest.mark.filterwarnings("ignore:The solver 'lbfgs' does not use")
@solvers
def test_a_callback_can_stop_a_fit(callback, solver):
    X, y = make_problem(0)
    model = estimator(solver).set_callbacks(Log(stop_after=3)).fit(X, y)
    assert model.n_iter_[0] == 3
    assert model.stop_reason_ == "callback"
    assert not model.converged_
    short = estimator(solver, max_iter=3, schedule="constant").fit(X, y)
    if solver == "lbfgs":  # the schedule of SGD depends on max_iter
        np.testing.assert_array_equal(model.coef_, short.coef_)


@solvers
@pytest.mark.parametrize("fail_at", ["setup", "begin fit", "begin iteration", 7, "end fit"])
@pytest.mark.parametrize("refit", [False, True])
def test_a_callback_that_fails_leaves_the_model_as_it_was(
    callback, state_of, solver, fail_at, refit
):
    X, y = make_problem(0)
    log = Log(fail_at=fail_at)
    model = estimator(solver)
    if refit:
        model.fit(X[::-1], y)
    before = state_of(model)
    with pytest.raises(RuntimeError, match="at "):
        model.set_callbacks(log).fit(X, y)
    assert log.events[-1] == "teardown"
    model.set_callbacks()
    assert state_of(model) == before


def test_partial_fit_is_one_task(callback):
    X, y = make_problem(0)
    log = Log()
    model = estimator("sgd").set_callbacks(log).partial_fit(X, y, classes=[0, 1, 2])
    assert log.events == [
        "setup",
        "begin partial_fit",
        "end partial_fit",
        "teardown",
    ]
    np.testing.assert_array_equal(log.models[0].coef_, model.coef_)


@solvers
def test_scores_can_be_monitored_and_progress_shown(callback, solver):
    pytest.importorskip("rich")
    X, y = load_iris(return_X_y=True)
    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    model = estimator(solver).set_callbacks(monitor, callback.ProgressBar()).fit(X, y)
    rows = monitor.get_logs().data
    scores = [row["neg_log_loss"] for row in rows if row["task_name"] == "iteration"]
    assert len(scores) == model.n_iter_[0]
    assert scores[-1] > scores[0]


def test_callbacks_inside_a_pipeline_and_a_search(callback):
    X, y = load_iris(return_X_y=True)
    log = Log()
    pipeline = make_pipeline(StandardScaler(), estimator("sgd").set_callbacks(log))
    GridSearchCV(pipeline, {"softmaxregression__C": [0.1, 1.0]}, cv=2).fit(X, y)
    assert clone(pipeline)[-1]._skl_callbacks == [log]
    assert log.events.count("setup") == log.events.count("teardown") == 5


def test_a_model_with_callbacks_can_be_pickled(callback):
    X, y = make_problem(0)
    model = estimator("lbfgs").set_callbacks(Log()).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@solvers
def test_an_iteration_begins_where_the_last_one_ended(callback, solver):
    X, y = make_problem(0)

    class Models(Log):
        def on_fit_task_begin(self, estimator, context, *, fitted_estimator):
            self._note(f"begin {context.task_name}")
            if context.task_name == "iteration":
                self.models.append(fitted_estimator)

    log = Models()
    start = estimator(solver, max_iter=0).fit(X, y)
    estimator(solver).set_callbacks(log).fit(X, y)
    P = [model.predict_proba(X) for model in log.models]  # begin, end, begin, end, ..., end of fit
    np.testing.assert_array_equal(P[0], start.predict_proba(X))
    for end, begin in zip(P[1:-1:2], P[2:-1:2], strict=False):
        np.testing.assert_array_equal(end, begin)
    assert (P[0] != P[1]).any()
