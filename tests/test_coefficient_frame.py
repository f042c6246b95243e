import numpy as np
import pandas as pd
import pytest
from reference import make_problem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, coefficient_frame


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_names_of_terms_and_classes(n_classes, is_sparse):
    X, y = make_problem(0, n_classes=n_classes)
    X, labels = pd.DataFrame(X, columns=list("abcd")), np.array(["u", "v", "w"])[y]
    model = SoftmaxRegression().fit(X, labels)
    frame = coefficient_frame(model.sparsify() if is_sparse else model)
    model.densify()
    assert list(frame.index) == ["intercept", *"abcd"]
    assert list(frame.columns) == (["v"] if n_classes == 2 else ["u", "v", "w"])
    np.testing.assert_array_equal(frame.loc["intercept"], model.intercept_)
    np.testing.assert_array_equal(frame.loc[list("abcd")], model.coef_.T)


def test_polars_and_no_intercept():
    pl = pytest.importorskip("polars")
    X, y = make_problem(0)
    model = SoftmaxRegression(fit_intercept=False).fit(X, y)
    frame = coefficient_frame(model, library="polars")
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == ["term", "0", "1", "2"]
    assert frame["term"].to_list() == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(frame["1"], model.coef_[1])
    with pytest.raises(ValueError, match='"pandas" or "polars", got \'arrow\''):
        coefficient_frame(model, library="arrow")


def test_pipelines_and_other_linear_classifiers():
    X, y = make_problem(0)
    X = pd.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    frame = coefficient_frame(model)
    assert list(frame.index) == ["intercept", *"abcd"]
    np.testing.assert_array_equal(frame[2][1:], model[-1].coef_[2])
