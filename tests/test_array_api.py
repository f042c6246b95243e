"""Arrays of other libraries: the tests of array_api.py, and what needs no switch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._device_array import is_foreign

SUITE = Path(__file__).with_name("array_api.py")


def test_in_a_process_where_scipy_takes_arrays():
    pytest.importorskip("scipy", "1.14", reason="scikit-learn's switch needs it")
    pytest.importorskip("array_api_strict")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SUITE)]
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]


def test_arrays_of_torch_become_numpys_without_the_switch():
    """As in scikit-learn."""
    torch = pytest.importorskip("torch")
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression().fit(torch.asarray(X), torch.asarray(y))
    assert type(model.coef_) is np.ndarray
    np.testing.assert_array_equal(model.coef_, SoftmaxRegression().fit(X, y).coef_)


def test_a_missing_package_is_named(monkeypatch):
    class Tensor:
        def __dlpack__(self):
            """Has one."""

    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match=r"sk-softmax\[array-api\]"):
        is_foreign(Tensor())
