"""dask-ml's wrappers around the estimator of one machine."""

import dask.array as da
import numpy as np
import pytest
from sklearn.datasets import load_digits

from sk_softmax import SoftmaxRegression

wrappers = pytest.importorskip("dask_ml.wrappers")


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return da.from_array(X, chunks=(300, -1)), da.from_array(y, chunks=300)


def test_incremental_is_a_stream_of_the_partitions(digits):
    X, y = digits
    model = wrappers.Incremental(SoftmaxRegression(random_state=0), shuffle_blocks=False)
    model.fit(X, y, classes=np.arange(10))
    stream = SoftmaxRegression(random_state=0)
    for rows, labels in zip(X.partitions, y.partitions, strict=True):
        stream.partial_fit(rows.compute(), labels.compute(), classes=np.arange(10))
    np.testing.assert_array_equal(model.estimator_.coef_, stream.coef_)
    np.testing.assert_array_equal(model.predict(X).compute(), stream.predict(X.compute()))


def test_predictions_of_a_fitted_model(digits):
    X, y = digits
    model = SoftmaxRegression().fit(X.compute(), y.compute())
    P = wrappers.ParallelPostFit(model).predict_proba(X)
    np.testing.assert_allclose(P.compute(), model.predict_proba(X.compute()), rtol=1e-12)
