import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import PredictionDisplay, SoftmaxRegression

plt = pytest.importorskip("matplotlib.pyplot")

BLUE, VERMILION = "#0072B2", "#D55E00"


def test_captions(digits):
    model, X, y = digits
    display = PredictionDisplay.from_estimator(model, X, y, image_shape=(8, 8), n_images=4)
    P = model.predict_proba(X)
    np.testing.assert_array_equal(display.indices_, range(4))
    np.testing.assert_array_equal(display.y_pred, model.predict(X))
    for i, (panel, image) in enumerate(zip(display.axes_, display.images_, strict=True)):
        np.testing.assert_array_equal(image.get_array(), X[i].reshape(8, 8))
        expected = f"true: {y[i]}\npred.: {model.predict(X[i : i + 1])[0]} {100 * P[i].max():.0f}%"
        assert panel.get_title() == expected


def test_mistakes_first(digits):
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
    assert colours == [VERMILION] * n_wrong + [BLUE] * 2


def test_table(texts):
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = SoftmaxRegression().fit(X, y)
    display = PredictionDisplay.from_estimator(model, X, y, n_images=6, mistakes_first=True)
    (image,) = display.images_
    np.testing.assert_array_equal(image.get_array(), model.predict_proba(X.iloc[display.indices_]))
    assert texts(display.ax_.get_yticklabels()) == [str(i) for i in display.indices_]
    frames = [patch.get_x() + 0.48 for patch in display.ax_.patches]
    np.testing.assert_allclose(frames, y.iloc[display.indices_])


def test_rows_of_a_table_go_by_the_index_and_mistakes_by_colour(texts):
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]}, index=["Ann", "Bo", "Cy", "Di"])
    y = np.array([0, 0, 1, 0])
    P = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    display = PredictionDisplay.from_predictions(y, P, X=X)
    labels = display.ax_.get_yticklabels()
    assert texts(labels) == ["Di", "Cy", "Bo", "Ann"]
    assert [label.get_color() for label in labels] == [VERMILION, BLUE, BLUE, BLUE]


def test_from_predictions(digits):
    model, X, y = digits
    P = model.predict_proba(X)
    display = PredictionDisplay.from_predictions(y, P)
    np.testing.assert_array_equal(display.y_pred, model.predict(X))
    with pytest.raises(ValueError, match="10 columns for 2 classes; pass classes"):
        PredictionDisplay.from_predictions(np.repeat(["digit 0", "digit 1"], 2), P[:4])
    display = PredictionDisplay.from_predictions(
        y[:4], P[:4], classes=model.classes_, mistakes_first=False
    )
    np.testing.assert_array_equal(display.indices_, range(4))


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, pd.DataFrame])
def test_containers(digits, container):
    model, X, y = digits
    P = model.predict_proba(X)
    display = PredictionDisplay.from_predictions(y, P, X=container(X), image_shape=(8, 8))
    np.testing.assert_array_equal(display.images_[3].get_array(), X[3].reshape(8, 8))


def test_pixels_are_those_before_the_scaler(digits):
    _, X, y = digits
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(tol=1e-3)).fit(X, y)
    display = PredictionDisplay.from_estimator(pipeline, X, y, image_shape=(8, 8))
    np.testing.assert_array_equal(display.images_[0].get_array(), X[0].reshape(8, 8))


def test_wrong_arguments(digits):
    model, X, y = digits
    with pytest.raises(ValueError, match=r"image_shape=\(28, 28\) has 784 pixels"):
        PredictionDisplay.from_estimator(model, X, y, image_shape=(28, 28))
    with pytest.raises(ValueError, match=r"a label for each of the 797 rows, got .* \(5,\)"):
        PredictionDisplay.from_estimator(model, X, y[:5])
    with pytest.raises(ValueError, match="image_shape needs X"):
        PredictionDisplay.from_predictions(y, model.predict_proba(X), image_shape=(8, 8))


def test_given_axes(digits):
    model, X, y = digits
    _, axes = plt.subplots(1, 2)
    display = PredictionDisplay.from_estimator(model, X, y, n_images=2, image_shape=(8, 8), ax=axes)
    assert list(display.axes_) == list(axes)
    _, ax = plt.subplots()
    assert PredictionDisplay.from_estimator(model, X, y, ax=ax).ax_ is ax


def test_tables_begin_with_mistakes(digits):
    model, X, y = digits
    display = PredictionDisplay.from_estimator(model, X, y)
    P, n_wrong = model.predict_proba(X), np.sum(model.predict(X) != y)
    true = P[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    expected = np.lexsort([true, model.predict(X) == y])[:10]
    np.testing.assert_array_equal(display.indices_, expected)
    assert display.ax_.get_title() == f"10 of {len(y)} rows; wrong predictions: {n_wrong}"
    in_order = PredictionDisplay.from_estimator(model, X, y, mistakes_first=False)
    np.testing.assert_array_equal(in_order.indices_, range(10))
