import numpy as np
import pytest
from sklearn.datasets import load_digits

from sk_softmax import SoftmaxRegression


@pytest.fixture(autouse=True)
def _no_windows_no_leaks():
    """Draw into memory, and forget the figures."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture(scope="session")
def digits():
    """A model of digits, with rows held out, and these rows."""
    X, y = load_digits(return_X_y=True)
    y = np.array([f"digit {k}" for k in range(10)])[y]
    model = SoftmaxRegression(C=0.01, tol=1e-3)
    model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])
    return model, X[1000:], y[1000:]


@pytest.fixture
def texts():
    """What text objects of matplotlib say."""
    return lambda items: [item.get_text() for item in items]
