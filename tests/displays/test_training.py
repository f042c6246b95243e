import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, TrainingDisplay

plt = pytest.importorskip("matplotlib.pyplot")

BLUE, VERMILION = "#0072B2", "#D55E00"


@pytest.fixture(scope="module")
def sgd():
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression("sgd", max_iter=3, tol=None, random_state=0)
    return model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])


def labels_of(lines):
    return [line.get_label() for line in lines]


def test_lines_are_the_history(digits):
    model, *_ = digits
    display = TrainingDisplay.from_estimator(model, metrics="loss")
    training, held_out = display.lines_
    np.testing.assert_array_equal(training.get_xdata(), model.history_["n_iter"])
    np.testing.assert_array_equal(training.get_ydata(), model.history_["loss"])
    np.testing.assert_array_equal(held_out.get_ydata(), model.history_["validation_loss"])
    assert labels_of(display.lines_) == ["training", "held out"]
    assert training.get_linestyle() == "-"
    assert held_out.get_linestyle() == "--"
    assert display.ax_.get_xlabel() == "iteration"
    assert display.figure_ is display.ax_.figure


def test_panels_by_default(digits):
    model, *_ = digits
    display = TrainingDisplay.from_estimator(model)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "accuracy"]
    assert display.ax_ is display.axes_[0]


def test_without_accuracies_there_is_one_panel(digits):
    history = {key: digits[0].history_[key] for key in ("n_iter", "loss", "gap", "time")}
    display = TrainingDisplay(histories=history).plot()
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss"]
    assert display.ax_.get_legend() is None


def test_seconds(sgd):
    display = TrainingDisplay.from_estimator(sgd, x="time")
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), sgd.history_["time"])
    assert display.ax_.get_xlabel() == "seconds"


def test_several_models(digits, sgd, texts):
    display = TrainingDisplay.from_estimator([digits[0], sgd], metrics="loss")
    rows = ["training", "held out"]
    expected = [f"{name}, {part}" for name in ("lbfgs", "sgd") for part in rows]
    assert labels_of(display.lines_) == expected
    (legend,) = display.figure_.legends
    assert texts(legend.get_texts()) == ["lbfgs", "sgd", *rows]
    colours = [line.get_color() for line in display.lines_]
    assert colours == [BLUE, BLUE, VERMILION, VERMILION]
    assert display.ax_.get_xlabel() == "epoch or iteration"


def test_names(sgd):
    twice = [sgd, sgd]
    display = TrainingDisplay.from_estimator(twice, metrics="loss")
    assert labels_of(display.lines_)[::2] == ["model 1, training", "model 2, training"]
    display = TrainingDisplay.from_estimator(twice, names=["a", "b"], metrics="loss")
    assert labels_of(display.lines_)[::2] == ["a, training", "b, training"]
    with pytest.raises(ValueError, match="names has 1 entries for 2 models"):
        TrainingDisplay.from_estimator(twice, names=["a"])


def test_one_axes_for_all_metrics(sgd, texts):
    figure, ax = plt.subplots()
    display = TrainingDisplay.from_estimator(sgd, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    expected = ["loss", "accuracy", "training", "held out"]
    assert texts(ax.get_legend().get_texts()) == expected
    assert {"loss, training", "accuracy, held out"} <= set(labels_of(display.lines_))


def test_axes_for_each_metric(sgd):
    _, axes = plt.subplots(2)
    display = TrainingDisplay.from_estimator(sgd, metrics=["loss", "learning_rate"], ax=axes)
    assert list(display.axes_) == list(axes)
    assert axes[1].get_ylabel() == "learning rate"
    with pytest.raises(ValueError, match="ax must be None or 3 Axes, got 2"):
        TrainingDisplay.from_estimator(sgd, metrics=["loss", "accuracy", "time"], ax=axes)


def test_batches():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression(
        "sgd", batch_size=8, max_iter=4, tol=None, record_batches=3, random_state=0
    ).fit(X, y)
    display = TrainingDisplay.from_estimator(model, per="batch", metrics="loss")
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_xdata(), model.batch_history_["n_iter"])
    np.testing.assert_array_equal(line.get_ydata(), model.batch_history_["loss"])
    assert display.ax_.get_xlabel() == "epoch"


def test_no_record():
    X, y = load_iris(return_X_y=True)
    streamed = SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="needs history_"):
        TrainingDisplay.from_estimator(streamed)
    with pytest.raises(ValueError, match="needs batch_history_"):
        TrainingDisplay.from_estimator(SoftmaxRegression().fit(X, y), per="batch")
    with pytest.raises(ValueError, match="SoftmaxRegression, but got LogisticRegression"):
        TrainingDisplay.from_estimator(LogisticRegression(max_iter=1000).fit(X, y))
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(SoftmaxRegression())


def test_wrong_arguments(sgd):
    with pytest.raises(ValueError, match="metrics: no record has 'gap'; there are"):
        TrainingDisplay.from_estimator(sgd, metrics="gap")
    with pytest.raises(ValueError, match="metrics: no record has 'loss'; there are"):
        TrainingDisplay(histories=[]).plot()
    with pytest.raises(ValueError, match='x must be "n_iter" or "time"'):
        TrainingDisplay.from_estimator(sgd, x="epochs")
    with pytest.raises(ValueError, match='per must be "epoch" or "batch"'):
        TrainingDisplay.from_estimator(sgd, per="step")


def test_gap_is_on_a_logarithmic_axis(digits):
    assert TrainingDisplay.from_estimator(digits[0], metrics="gap").ax_.get_yscale() == "log"


def test_style(sgd):
    display = TrainingDisplay.from_estimator(sgd, line_kw={"linewidth": 5})
    assert all(line.get_linewidth() == 5 for line in display.lines_)


def test_inside_pipelines_and_searches():
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression())
    search = GridSearchCV(pipeline, {"softmaxregression__C": [0.1, 1.0]}).fit(X, y)
    history = search.best_estimator_[-1].history_
    for fitted in (search, search.best_estimator_, make_pipeline(search).fit(X, y)):
        line = TrainingDisplay.from_estimator(fitted, metrics="loss").lines_[0]
        np.testing.assert_array_equal(line.get_ydata(), history["loss"])


def test_scales(sgd, texts):
    display = TrainingDisplay.from_estimator(sgd, xscale="log", yscale="log")
    assert [panel.get_xscale() for panel in display.axes_] == ["log", "log"]
    assert {"1", "2"} <= set(texts(display.ax_.get_xticklabels()))
    assert [panel.get_yscale() for panel in display.axes_] == ["log", "linear"]  # accuracy
    for wrong in ({"xscale": "symlog"}, {"yscale": "x"}):
        with pytest.raises(ValueError, match="xscale and yscale must be"):
            TrainingDisplay.from_estimator(sgd, **wrong)


def test_losses_above_the_minimum(sgd):
    losses = sgd.history_["loss"]
    minimum = np.sort(losses)[1]
    display = TrainingDisplay.from_estimator(sgd, metrics="loss", minimum=minimum)
    (line,) = display.lines_  # none of rows held out, whose losses have another minimum
    expected = np.where(losses > minimum, losses - minimum, np.nan)
    np.testing.assert_array_equal(line.get_ydata(), expected)
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_ylabel() == "loss above the minimum"
    display = TrainingDisplay.from_estimator(sgd, minimum=0.0, yscale="linear")
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), losses)
