import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_softmax import (
    CoefficientDisplay,
    PredictionDisplay,
    SoftmaxRegression,
    TrainingDisplay,
)

pytest.importorskip("matplotlib")
from matplotlib import use
from matplotlib.colors import same_color

use("agg")
import matplotlib.pyplot as plt

BLUE, VERMILION = "#0072B2", "#D55E00"


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def digits():
    """A model of digits, with rows held out, and these rows."""
    X, y = load_digits(return_X_y=True)
    y = np.array([f"digit {k}" for k in range(10)])[y]
    model = SoftmaxRegression(C=0.01, tol=1e-3)
    model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])
    return model, X[1000:], y[1000:]


@pytest.fixture(scope="module")
def sgd():
    X, y = load_digits(return_X_y=True)
    model = SoftmaxRegression("sgd", max_iter=3, tol=None, random_state=0)
    return model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])


def labels_of(lines):
    return [line.get_label() for line in lines]


def texts(items):
    return [item.get_text() for item in items]


class TestTraining:
    def test_lines_are_the_history(self, digits):
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

    def test_panels_by_default(self, digits):
        model, *_ = digits
        display = TrainingDisplay.from_estimator(model)
        assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "accuracy"]
        assert display.ax_ is display.axes_[0]

    def test_without_accuracies_there_is_one_panel(self, digits):
        history = {key: digits[0].history_[key] for key in ("n_iter", "loss", "gap", "time")}
        display = TrainingDisplay(histories=history).plot()
        assert [ax.get_ylabel() for ax in display.axes_] == ["loss"]
        assert display.ax_.get_legend() is None

    def test_seconds(self, sgd):
        display = TrainingDisplay.from_estimator(sgd, x="time")
        np.testing.assert_array_equal(display.lines_[0].get_xdata(), sgd.history_["time"])
        assert display.ax_.get_xlabel() == "seconds"

    def test_several_models(self, digits, sgd):
        display = TrainingDisplay.from_estimator([digits[0], sgd], metrics="loss")
        rows = ["training", "held out"]
        expected = [f"{name}, {part}" for name in ("lbfgs", "sgd") for part in rows]
        assert labels_of(display.lines_) == expected
        (legend,) = display.figure_.legends
        assert texts(legend.get_texts()) == ["lbfgs", "sgd", *rows]
        colours = [line.get_color() for line in display.lines_]
        assert colours == [BLUE, BLUE, VERMILION, VERMILION]
        assert display.ax_.get_xlabel() == "epoch or iteration"

    def test_names(self, sgd):
        twice = [sgd, sgd]
        display = TrainingDisplay.from_estimator(twice, metrics="loss")
        assert labels_of(display.lines_)[::2] == ["model 1, training", "model 2, training"]
        display = TrainingDisplay.from_estimator(twice, names=["a", "b"], metrics="loss")
        assert labels_of(display.lines_)[::2] == ["a, training", "b, training"]
        with pytest.raises(ValueError, match="names has 1 entries for 2 models"):
            TrainingDisplay.from_estimator(twice, names=["a"])

    def test_one_axes_for_all_metrics(self, sgd):
        figure, ax = plt.subplots()
        display = TrainingDisplay.from_estimator(sgd, ax=ax)
        assert display.ax_ is ax
        assert display.figure_ is figure
        expected = ["loss", "accuracy", "training", "held out"]
        assert texts(ax.get_legend().get_texts()) == expected
        assert {"loss, training", "accuracy, held out"} <= set(labels_of(display.lines_))

    def test_axes_for_each_metric(self, sgd):
        _, axes = plt.subplots(2)
        display = TrainingDisplay.from_estimator(sgd, metrics=["loss", "learning_rate"], ax=axes)
        assert list(display.axes_) == list(axes)
        assert axes[1].get_ylabel() == "learning rate"
        with pytest.raises(ValueError, match="ax must be None or 3 Axes, got 2"):
            TrainingDisplay.from_estimator(sgd, metrics=["loss", "accuracy", "time"], ax=axes)

    def test_batches(self):
        X, y = load_iris(return_X_y=True)
        model = SoftmaxRegression(
            "sgd", batch_size=8, max_iter=4, tol=None, record_batches=3, random_state=0
        ).fit(X, y)
        display = TrainingDisplay.from_estimator(model, per="batch", metrics="loss")
        (line,) = display.lines_
        np.testing.assert_array_equal(line.get_xdata(), model.batch_history_["n_iter"])
        np.testing.assert_array_equal(line.get_ydata(), model.batch_history_["loss"])
        assert display.ax_.get_xlabel() == "epoch"

    def test_no_record(self):
        X, y = load_iris(return_X_y=True)
        streamed = SoftmaxRegression().partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="needs history_"):
            TrainingDisplay.from_estimator(streamed)
        with pytest.raises(ValueError, match="needs batch_history_"):
            TrainingDisplay.from_estimator(SoftmaxRegression().fit(X, y), per="batch")
        with pytest.raises(ValueError, match="history_, which this LogisticRegression has not"):
            TrainingDisplay.from_estimator(LogisticRegression(max_iter=1000).fit(X, y))
        with pytest.raises(NotFittedError):
            TrainingDisplay.from_estimator(SoftmaxRegression())

    def test_wrong_arguments(self, sgd):
        with pytest.raises(ValueError, match="metrics: no record has 'gap'; there are"):
            TrainingDisplay.from_estimator(sgd, metrics="gap")
        with pytest.raises(ValueError, match="metrics: no record has 'loss'; there are"):
            TrainingDisplay(histories=[]).plot()
        with pytest.raises(ValueError, match='x must be "n_iter" or "time"'):
            TrainingDisplay.from_estimator(sgd, x="epochs")
        with pytest.raises(ValueError, match='per must be "epoch" or "batch"'):
            TrainingDisplay.from_estimator(sgd, per="step")

    def test_gap_is_on_a_logarithmic_axis(self, digits):
        assert TrainingDisplay.from_estimator(digits[0], metrics="gap").ax_.get_yscale() == "log"

    def test_style(self, sgd):
        display = TrainingDisplay.from_estimator(sgd, line_kw={"linewidth": 5})
        assert all(line.get_linewidth() == 5 for line in display.lines_)

    def test_inside_pipelines_and_searches(self):
        X, y = load_iris(return_X_y=True)
        pipeline = make_pipeline(StandardScaler(), SoftmaxRegression())
        search = GridSearchCV(pipeline, {"softmaxregression__C": [0.1, 1.0]}).fit(X, y)
        history = search.best_estimator_[-1].history_
        for fitted in (search, search.best_estimator_, make_pipeline(search).fit(X, y)):
            line = TrainingDisplay.from_estimator(fitted, metrics="loss").lines_[0]
            np.testing.assert_array_equal(line.get_ydata(), history["loss"])


class TestCoefficients:
    def test_images(self, digits):
        model, *_ = digits
        display = CoefficientDisplay.from_estimator(model, image_shape=(8, 8))
        assert [ax.get_title() for ax in display.axes_] == list(model.classes_)
        for image, row in zip(display.images_, model.coef_, strict=True):
            np.testing.assert_array_equal(image.get_array(), row.reshape(8, 8))
        limits = {image.get_clim() for image in display.images_}
        ((low, high),) = limits
        assert low == -high
        assert high == np.quantile(np.abs(model.coef_), 0.995)

    def test_limit(self, digits):
        display = CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), limit=2.0)
        assert display.images_[0].get_clim() == (-2, 2)

    def test_wrong_image_shape(self, digits):
        message = r"image_shape=\(8, 7\) has 56 pixels, but there are 64 features"
        with pytest.raises(ValueError, match=message):
            CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 7))
        with pytest.raises(ValueError, match='kind="image" needs image_shape'):
            CoefficientDisplay.from_estimator(digits[0], kind="image")

    def test_wrong_kind(self, digits):
        with pytest.raises(ValueError, match='kind must be "image", "heatmap" or "bar"'):
            CoefficientDisplay.from_estimator(digits[0], kind="bars")

    def test_heatmap(self):
        X, y = load_wine(return_X_y=True, as_frame=True)
        model = make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y)
        display = CoefficientDisplay.from_estimator(model)
        (image,) = display.images_
        np.testing.assert_array_equal(image.get_array(), model[-1].coef_.T)
        low, high = image.get_clim()
        assert (low, high) == (-np.abs(model[-1].coef_).max(), np.abs(model[-1].coef_).max())
        assert texts(display.ax_.get_yticklabels()) == list(X.columns)
        assert texts(display.ax_.get_xticklabels()) == ["0", "1", "2"]

    def test_the_largest_of_many_features(self, digits):
        model, *_ = digits
        display = CoefficientDisplay.from_estimator(model, n_features=3)
        largest = np.argsort(-np.abs(model.coef_).max(axis=0))[:3]
        np.testing.assert_array_equal(display.images_[0].get_array(), model.coef_[:, largest].T)
        assert texts(display.ax_.get_yticklabels()) == [f"x{j}" for j in largest]

    def test_bars_of_common_features(self):
        X, y = load_iris(return_X_y=True, as_frame=True)
        model = SoftmaxRegression().fit(X, y)
        display = CoefficientDisplay.from_estimator(model, kind="bar")
        for bars, row in zip(display.bars_, model.coef_, strict=True):
            np.testing.assert_array_equal([bar.get_width() for bar in bars], row)
        assert texts(display.ax_.get_yticklabels()) == list(X.columns)
        assert len({ax.get_xlim() for ax in display.axes_}) == 1
        positive = {bar.get_facecolor() for bars in display.bars_ for bar in bars
                    if bar.get_width() > 0}  # fmt: skip
        assert len(positive) == 1

    def test_bars_of_the_words_of_each_class(self):
        texts_ = ["red apple", "red cherry", "green lime", "green pear", "blue sky", "blue sea"]
        labels = np.repeat(["r", "g", "b"], 2)
        model = make_pipeline(TfidfVectorizer(), SoftmaxRegression()).fit(texts_, labels)
        display = CoefficientDisplay.from_estimator(model, kind="bar", n_features=2)
        first = [texts(ax.get_yticklabels())[0] for ax in display.axes_]
        assert first == ["blue", "green", "red"]

    @pytest.mark.parametrize("kind", ["heatmap", "bar"])
    def test_two_classes(self, kind):
        X, _ = load_iris(return_X_y=True)
        model = SoftmaxRegression().fit(X[50:], np.repeat(["versicolor", "virginica"], 50))
        display = CoefficientDisplay.from_estimator(model, kind=kind)
        title = "virginica against versicolor"
        if kind == "bar":
            assert display.ax_.get_title() == title
        else:
            assert texts(display.ax_.get_xticklabels()) == [title]
            assert display.images_[0].get_array().shape == (4, 1)

    def test_names_given(self, digits):
        model, *_ = digits
        names = [f"pixel {j}" for j in range(64)]
        display = CoefficientDisplay.from_estimator(model, feature_names=names, n_features=64)
        assert texts(display.ax_.get_yticklabels()) == names
        with pytest.raises(ValueError, match="feature_names has 2 names for 64 features"):
            CoefficientDisplay.from_estimator(model, feature_names=["a", "b"])

    def test_names_of_steps_that_give_none(self):
        X, y = load_iris(return_X_y=True)
        model = make_pipeline(FunctionTransformer(), SoftmaxRegression()).fit(X, y)
        display = CoefficientDisplay.from_estimator(model)
        assert texts(display.ax_.get_yticklabels()) == ["x0", "x1", "x2", "x3"]

    def test_given_axes(self, digits):
        _, axes = plt.subplots(2, 5)
        display = CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), ax=axes)
        assert list(display.axes_) == list(axes.flat)
        _, ax = plt.subplots()
        assert CoefficientDisplay.from_estimator(digits[0], ax=ax).ax_ is ax
        with pytest.raises(ValueError, match="ax must be None or 10 Axes, got 1"):
            CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), ax=ax)

    def test_sparse_coefficients(self):
        X, y = load_iris(return_X_y=True)
        model = SoftmaxRegression().fit(X, y)
        dense = model.coef_.copy()
        display = CoefficientDisplay.from_estimator(model.sparsify())
        np.testing.assert_array_equal(display.images_[0].get_array(), dense.T)

    def test_zero_coefficients(self):
        display = CoefficientDisplay(coef=np.zeros((3, 4)), classes=["a", "b", "c"])
        assert display.plot().images_[0].get_clim() == (-1, 1)
        assert display.plot(kind="bar").ax_.get_xlim() == (-1.05, 1.05)


class TestPredictions:
    def test_captions(self, digits):
        model, X, y = digits
        display = PredictionDisplay.from_estimator(model, X, y, image_shape=(8, 8), n_images=4)
        P = model.predict_proba(X)
        np.testing.assert_array_equal(display.indices_, range(4))
        np.testing.assert_array_equal(display.y_pred, model.predict(X))
        for i, (panel, image) in enumerate(zip(display.axes_, display.images_, strict=True)):
            np.testing.assert_array_equal(image.get_array(), X[i].reshape(8, 8))
            expected = (
                f"true: {y[i]}\npred.: {model.predict(X[i : i + 1])[0]} {100 * P[i].max():.0f}%"
            )
            assert panel.get_title() == expected

    def test_mistakes_first(self, digits):
        model, X, y = digits
        wrong = model.predict(X) != y
        n_wrong = wrong.sum()
        display = PredictionDisplay.from_estimator(
            model, X, y, image_shape=(8, 8), mistakes_first=True, n_images=n_wrong + 2
        )
        assert n_wrong > 0
        assert wrong[display.indices_[:n_wrong]].all()
        assert not wrong[display.indices_[n_wrong:]].any()
        p_true = (model.predict_proba(X) * (model.classes_ == y[:, None])).sum(axis=1)
        assert (np.diff(p_true[display.indices_[:n_wrong]]) >= 0).all()
        colours = [panel.title.get_color() for panel in display.axes_]
        assert same_color(colours, [VERMILION] * n_wrong + [BLUE] * 2)

    def test_table(self):
        X, y = load_iris(return_X_y=True, as_frame=True)
        model = SoftmaxRegression().fit(X, y)
        display = PredictionDisplay.from_estimator(model, X, y, n_images=6, mistakes_first=True)
        (image,) = display.images_
        np.testing.assert_array_equal(
            image.get_array(), model.predict_proba(X.iloc[display.indices_])
        )
        assert texts(display.ax_.get_yticklabels()) == [str(i) for i in display.indices_]
        frames = [patch.get_x() + 0.48 for patch in display.ax_.patches]
        np.testing.assert_allclose(frames, y.iloc[display.indices_])

    def test_from_predictions(self, digits):
        model, X, y = digits
        P = model.predict_proba(X)
        display = PredictionDisplay.from_predictions(y, P)
        np.testing.assert_array_equal(display.y_pred, model.predict(X))
        with pytest.raises(ValueError, match="10 columns for 2 classes; pass classes"):
            PredictionDisplay.from_predictions(np.repeat(["digit 0", "digit 1"], 2), P[:4])
        display = PredictionDisplay.from_predictions(y[:4], P[:4], classes=model.classes_)
        np.testing.assert_array_equal(display.indices_, range(4))

    @pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, pd.DataFrame])
    def test_containers(self, digits, container):
        model, X, y = digits
        P = model.predict_proba(X)
        display = PredictionDisplay.from_predictions(y, P, X=container(X), image_shape=(8, 8))
        np.testing.assert_array_equal(display.images_[3].get_array(), X[3].reshape(8, 8))

    def test_pixels_are_those_before_the_scaler(self, digits):
        _, X, y = digits
        pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(tol=1e-3)).fit(X, y)
        display = PredictionDisplay.from_estimator(pipeline, X, y, image_shape=(8, 8))
        np.testing.assert_array_equal(display.images_[0].get_array(), X[0].reshape(8, 8))

    def test_wrong_arguments(self, digits):
        model, X, y = digits
        with pytest.raises(ValueError, match=r"image_shape=\(28, 28\) has 784 pixels"):
            PredictionDisplay.from_estimator(model, X, y, image_shape=(28, 28))
        with pytest.raises(ValueError, match=r"a label for each of the 797 rows, got .* \(5,\)"):
            PredictionDisplay.from_estimator(model, X, y[:5])
        with pytest.raises(ValueError, match="image_shape needs X"):
            PredictionDisplay.from_predictions(y, model.predict_proba(X), image_shape=(8, 8))

    def test_given_axes(self, digits):
        model, X, y = digits
        _, axes = plt.subplots(1, 2)
        display = PredictionDisplay.from_estimator(
            model, X, y, n_images=2, image_shape=(8, 8), ax=axes
        )
        assert list(display.axes_) == list(axes)
        _, ax = plt.subplots()
        assert PredictionDisplay.from_estimator(model, X, y, ax=ax).ax_ is ax


DRAWING = {
    "TrainingDisplay": "histories={}",
    "CoefficientDisplay": "coef=[[1.0]], classes=[0, 1]",
    "PredictionDisplay": "y_true=[0], probabilities=[[1.0, 0.0]], classes=[0, 1]",
}


@pytest.mark.parametrize("name", DRAWING)
def test_without_matplotlib(name):
    """Importing and making displays works, and drawing says what is missing."""
    program = f"""
import sys
sys.modules["matplotlib"] = None
from sk_softmax import {name}
display = {name}({DRAWING[name]})
try:
    display.plot()
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == f'{name}.plot needs matplotlib: pip install "sk-softmax[plot]"\n', run
