import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import IntervalDisplay, SoftmaxRegression, summary

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    X = X[["malic_acid", "ash", "alcalinity_of_ash"]]
    y = np.array(["barolo", "grignolino", "barbera"])[y]
    return SoftmaxRegression(C=np.inf).fit(X, y), X, y


def drawn(container):
    """Estimates and ends of the intervals of one class."""
    points, _, (bars,) = container
    ends = np.array([[low[0], high[0]] for low, high in bars.get_segments()])
    return points.get_xdata(), ends


def test_it_draws_the_summary(wine, texts):
    model, X, y = wine
    table = summary(model, X, y)
    display = IntervalDisplay.from_estimator(model, X, y, level=0.8)
    assert texts(display.ax_.get_yticklabels()) == list(X.columns)
    assert texts(display.ax_.get_legend().get_texts()) == ["barolo", "grignolino"]
    assert display.ax_.get_xlabel() == "coefficient, against class barbera"
    assert display.figure_ is display.ax_.figure
    for k, container in enumerate(display.containers_):
        estimates, ends = drawn(container)
        np.testing.assert_allclose(estimates, table.coef[k, 1:])
        np.testing.assert_allclose(ends, table.conf_int(0.8)[k, 1:])


def test_odds_ratios(wine):
    model, X, y = wine
    table = summary(model, X, y, symmetric=True)
    display = IntervalDisplay.from_summary(table, odds_ratio=True)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_xlabel() == "odds ratio, against the mean of all"
    assert len(display.containers_) == 3
    for k, container in enumerate(display.containers_):
        estimates, ends = drawn(container)
        np.testing.assert_allclose(estimates, table.odds_ratio[k, 1:])
        np.testing.assert_allclose(ends, np.exp(table.conf_int()[k, 1:]))


def test_terms_and_arguments(wine, texts):
    model, X, y = wine
    table = summary(model, X, y, reference="grignolino")
    _, ax = plt.subplots()
    display = IntervalDisplay.from_summary(
        table, terms=["ash", "intercept"], ax=ax, line_kw={"color": "red"}
    )
    assert display.ax_ is ax
    assert texts(ax.get_yticklabels()) == ["ash", "intercept"]
    assert display.containers_[0][0].get_color() == "red"
    np.testing.assert_allclose(drawn(display.containers_[1])[0], table.coef[1, [2, 0]])
    for terms in (["asch"], []):
        with pytest.raises(ValueError, match="terms must be some of"):
            IntervalDisplay.from_summary(table, terms=terms)


def test_pipelines_and_options_of_summary(wine, texts):
    _, X, y = wine
    pipeline = make_pipeline(StandardScaler(), SoftmaxRegression(C=np.inf)).fit(X, y)
    options = {"covariance": "sandwich", "reference": "barolo"}
    display = IntervalDisplay.from_estimator(pipeline, X, y, **options)
    table = summary(pipeline, X, y, **options)
    np.testing.assert_allclose(drawn(display.containers_[0])[1], table.conf_int()[0, 1:])
    assert texts(display.ax_.get_yticklabels()) == list(X.columns)


def test_two_classes_and_plain_data(texts):
    display = IntervalDisplay(
        coef=[[1.0, -2.0]], intervals=[[[0.0, 2.0], [-3.0, -1.0]]], labels=[1], names=["u", "v"]
    ).plot()
    assert texts(display.ax_.get_yticklabels()) == ["u", "v"]
    # The first term is at the top.
    low, high = display.ax_.get_ylim()
    assert low > high
