import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_softmax import CoefficientDisplay, SoftmaxRegression

plt = pytest.importorskip("matplotlib.pyplot")


def test_images(digits):
    model, *_ = digits
    display = CoefficientDisplay.from_estimator(model, image_shape=(8, 8))
    assert [ax.get_title() for ax in display.axes_] == list(model.classes_)
    for image, row in zip(display.images_, model.coef_, strict=True):
        np.testing.assert_array_equal(image.get_array(), row.reshape(8, 8))
    limits = {image.get_clim() for image in display.images_}
    ((low, high),) = limits
    assert low == -high
    assert high == np.quantile(np.abs(model.coef_), 0.995)


def test_limit(digits):
    display = CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), limit=2.0)
    assert display.images_[0].get_clim() == (-2, 2)


def test_wrong_image_shape(digits):
    message = r"image_shape=\(8, 7\) has 56 pixels, but there are 64 features"
    with pytest.raises(ValueError, match=message):
        CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 7))
    with pytest.raises(ValueError, match='kind="image" needs image_shape'):
        CoefficientDisplay.from_estimator(digits[0], kind="image")


def test_wrong_kind(digits):
    with pytest.raises(ValueError, match='kind must be "image", "heatmap" or "bar"'):
        CoefficientDisplay.from_estimator(digits[0], kind="bars")


def test_heatmap(texts):
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y)
    display = CoefficientDisplay.from_estimator(model)
    (image,) = display.images_
    np.testing.assert_array_equal(image.get_array(), model[-1].coef_.T)
    low, high = image.get_clim()
    assert (low, high) == (-np.abs(model[-1].coef_).max(), np.abs(model[-1].coef_).max())
    assert texts(display.ax_.get_yticklabels()) == list(X.columns)
    assert texts(display.ax_.get_xticklabels()) == ["0", "1", "2"]


def test_the_largest_of_many_features(digits, texts):
    model, *_ = digits
    display = CoefficientDisplay.from_estimator(model, n_features=3)
    largest = np.argsort(-np.abs(model.coef_).max(axis=0))[:3]
    np.testing.assert_array_equal(display.images_[0].get_array(), model.coef_[:, largest].T)
    assert texts(display.ax_.get_yticklabels()) == [f"x{j}" for j in largest]


def test_bars_of_common_features(texts):
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


def test_bars_of_the_words_of_each_class(texts):
    lines = ["red apple", "red cherry", "green lime", "green pear", "blue sky", "blue sea"]
    labels = np.repeat(["r", "g", "b"], 2)
    model = make_pipeline(TfidfVectorizer(), SoftmaxRegression()).fit(lines, labels)
    display = CoefficientDisplay.from_estimator(model, kind="bar", n_features=2)
    first = [texts(ax.get_yticklabels())[0] for ax in display.axes_]
    assert first == ["blue", "green", "red"]


@pytest.mark.parametrize("kind", ["heatmap", "bar"])
def test_two_classes(kind, texts):
    X, _ = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(X[50:], np.repeat(["versicolor", "virginica"], 50))
    display = CoefficientDisplay.from_estimator(model, kind=kind)
    title = "virginica against versicolor"
    if kind == "bar":
        assert display.ax_.get_title() == title
    else:
        assert texts(display.ax_.get_xticklabels()) == [title]
        assert display.images_[0].get_array().shape == (4, 1)


def test_names_given(digits, texts):
    model, *_ = digits
    names = [f"pixel {j}" for j in range(64)]
    display = CoefficientDisplay.from_estimator(model, feature_names=names, n_features=64)
    assert texts(display.ax_.get_yticklabels()) == names
    with pytest.raises(ValueError, match="feature_names has 2 names for 64 features"):
        CoefficientDisplay.from_estimator(model, feature_names=["a", "b"])


def test_names_of_steps_that_give_none(texts):
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(FunctionTransformer(), SoftmaxRegression()).fit(X, y)
    display = CoefficientDisplay.from_estimator(model)
    assert texts(display.ax_.get_yticklabels()) == ["x0", "x1", "x2", "x3"]


def test_given_axes(digits):
    _, axes = plt.subplots(2, 5)
    display = CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), ax=axes)
    assert list(display.axes_) == list(axes.flat)
    _, ax = plt.subplots()
    assert CoefficientDisplay.from_estimator(digits[0], ax=ax).ax_ is ax
    with pytest.raises(ValueError, match="ax must be None or 10 Axes, got 1"):
        CoefficientDisplay.from_estimator(digits[0], image_shape=(8, 8), ax=ax)


def test_sparse_coefficients():
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(X, y)
    dense = model.coef_.copy()
    display = CoefficientDisplay.from_estimator(model.sparsify())
    np.testing.assert_array_equal(display.images_[0].get_array(), dense.T)


def test_zero_coefficients():
    display = CoefficientDisplay(coef=np.zeros((3, 4)), classes=["a", "b", "c"])
    assert display.plot().images_[0].get_clim() == (-1, 1)
    assert display.plot(kind="bar").ax_.get_xlim() == (-1.05, 1.05)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("kind", ["heatmap", "bar"])
def test_coefficients_times_standard_deviations(container, kind):
    """As of a model of standardised columns without a penalty, whatever the units."""
    X, y = load_iris(return_X_y=True)
    model = SoftmaxRegression().fit(container(X), y)
    display = CoefficientDisplay.from_estimator(model, X=container(X), kind=kind)
    expected = model.coef_ * X.std(axis=0)
    if kind == "heatmap":
        np.testing.assert_allclose(display.images_[0].get_array(), expected.T)
        label = display.figure_.axes[-1].get_ylabel()
    else:
        widths = [[bar.get_width() for bar in bars] for bars in display.bars_]
        np.testing.assert_allclose(widths, expected)
        label = display.ax_.get_xlabel()
    assert label == "coefficient × standard deviation (logit)"  # noqa: RUF001


def test_standard_deviations_are_those_that_the_model_saw():
    X, y = load_wine(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y)
    display = CoefficientDisplay.from_estimator(model, X=X)
    np.testing.assert_allclose(display.images_[0].get_array(), model[-1].coef_.T)
    with pytest.raises(ValueError, match="a number for each of the 13 features"):
        CoefficientDisplay.from_estimator(model[-1], X=X.iloc[:, :4])


def test_it_says_what_is_left_out(digits):
    model, *_ = digits
    display = CoefficientDisplay.from_estimator(model)
    assert display.ax_.get_xlabel() == "20 of 64 features"
    assert display.figure_.axes[-1].get_ylabel() == "coefficient (logit per unit)"
    assert CoefficientDisplay.from_estimator(model, n_features=64).ax_.get_xlabel() == ""
    bars = CoefficientDisplay.from_estimator(model, kind="bar", n_features=5)
    assert bars.ax_.get_xlabel().endswith("\n5 of 64 features")
