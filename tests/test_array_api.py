"""Arrays of other libraries, by scikit-learn's switch."""

import functools
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_softmax import (
    SoftmaxRegression,
    SoftmaxRegressionCV,
    coefficient_frame,
    neg_soft_log_loss,
    soft_accuracy,
    softmax_path,
    summary,
)
from sk_softmax._device_array import Place, is_foreign, to_numpy

METHODS = ("decision_function", "predict", "predict_proba", "predict_log_proba")
switched_on = functools.partial(sklearn.config_context, array_api_dispatch=True)
pytestmark = pytest.mark.usefixtures("told")
LIBRARIES = {
    "array_api_strict": ("array_api_strict", None),
    "array_api_strict, another device": ("array_api_strict", "device1"),
    "torch": ("torch", None),
}


@pytest.fixture
def told(monkeypatch):
    """What scikit-learn wants to see in the environment before it turns the switch."""
    pytest.importorskip("scipy", "1.14", reason="scikit-learn's switch needs it")
    pytest.importorskip("array_api_compat")
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@pytest.fixture(params=LIBRARIES)
def there(request):
    """Function from an ndarray to an array of another library, perhaps on another device."""
    library, device = LIBRARIES[request.param]
    xp = pytest.importorskip(library)

    def move(values):
        array = xp.asarray(values)
        return array.to_device(type(array.device)(device)) if device else array

    return move


@pytest.fixture
def elsewhere():
    """The same, on the device that is not the CPU."""
    xp = pytest.importorskip("array_api_strict")
    return functools.partial(xp.asarray, device=xp.Device("device1"))


@pytest.fixture(params=["three classes", "two classes"])
def data(request):
    X, y = load_wine(return_X_y=True)
    some = y < (3 if request.param == "three classes" else 2)
    return X[some], y[some]


def agree(found, expected, rtol=1e-10):
    """Whether an array of any library holds what one of NumPy does, in the same precision."""
    found = to_numpy(found)
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


def agree_all(model, reference, X, X_there):
    """Whether models, and what they predict, are the same and where X is."""
    place = Place(X_there)
    for name in ("coef_", "intercept_", "n_iter_"):
        assert Place(getattr(model, name)) == place
    agree(model.coef_, reference.coef_)
    agree(model.intercept_, reference.intercept_)
    assert model.loss_ == pytest.approx(reference.loss_, rel=1e-10)
    with switched_on():
        for name in METHODS:
            found = getattr(model, name)(X_there)
            assert Place(found) == place
            agree(found, getattr(reference, name)(X))


@pytest.mark.parametrize("labels", ["there", "here"])
def test_a_fit_is_that_of_numpy(there, data, labels):
    X, y = data
    given = there(y) if labels == "there" else y
    reference = SoftmaxRegression(tol=1e-12).fit(X, y)
    with switched_on():
        model = SoftmaxRegression(tol=1e-12).fit(there(X), given)
        assert model.score(there(X), given) == reference.score(X, y)
    assert model.converged_
    agree(model.classes_, reference.classes_)
    if labels == "there":
        assert Place(model.classes_) == Place(given)
    agree_all(model, reference, X, there(X))


def test_labels_may_be_text(there, data):
    X, y = data
    y = np.array(["b", "a", "c"])[y]
    with switched_on():
        model = SoftmaxRegression().fit(there(X), y)
        predicted = model.predict(there(X))
        assert model.score(there(X), y) == SoftmaxRegression().fit(X, y).score(X, y)
    np.testing.assert_array_equal(predicted, SoftmaxRegression().fit(X, y).predict(X))


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": 1e-3, "class_weight": "balanced"},
        {"label_smoothing": 0.1, "fit_intercept": False},
        {"solver": "prox-newton", "l1_ratio": 0.5, "C": 0.1},
        {"C": 10.0, "classes": [0, 1, 2, 3]},
    ],
)
def test_parameters(there, parameters):
    X, y = load_wine(return_X_y=True)
    reference = SoftmaxRegression(tol=1e-12, **parameters).fit(X, y)
    with switched_on():
        model = SoftmaxRegression(tol=1e-12, **parameters).fit(there(X), there(y))
    assert model.solver_ == reference.solver_
    agree_all(model, reference, X, there(X))


@pytest.mark.uncertified  # the certificate knows of no offsets
@pytest.mark.parametrize("targets", ["labels", "probabilities"])
def test_weights_offsets_and_rows_held_out(there, targets):
    """Zero weights drop rows, also there; arrays beside X may be in either library."""
    X, y = load_wine(return_X_y=True)
    rng = np.random.default_rng(0)
    y = y if targets == "labels" else rng.dirichlet(np.ones(3), size=len(X))
    s, offset = rng.integers(3, size=len(X)).astype(float), rng.standard_normal((len(X), 3))
    train, held_out = slice(0, None, 2), slice(1, None, 2)

    def fitted(move, move_weights):
        arrays = {
            f"{name}{suffix}": mover(np.ascontiguousarray(array[rows]))
            for name, array, mover in (
                ("X", X, move),
                ("y", y, move),
                ("sample_weight", s, move_weights),
                ("offset", offset, move_weights),
            )
            for suffix, rows in (("", train), ("_val", held_out))
        }
        return SoftmaxRegression(tol=1e-12).fit(**arrays)

    reference = fitted(np.asarray, np.asarray)
    for move_weights in (there, np.asarray):
        with switched_on():
            model = fitted(there, move_weights)
            scores = model.decision_function(there(X), offset=move_weights(offset))
        agree(model.coef_, reference.coef_)
        agree(scores, reference.decision_function(X, offset=offset))
        for name in ("validation_loss", "validation_accuracy"):
            assert model.history_[name][-1] == pytest.approx(reference.history_[name][-1])


def test_early_stopping_holds_rows_out_there(there):
    X, y = load_wine(return_X_y=True)
    parameters = {"early_stopping": True, "random_state": 0}
    reference = SoftmaxRegression(**parameters).fit(X, y)
    with switched_on():
        model = SoftmaxRegression(**parameters).fit(there(X), there(y))
    assert model.stop_reason_ == reference.stop_reason_
    agree(model.coef_, reference.coef_)
    found, expected = (fit.history_["validation_loss"] for fit in (model, reference))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_warm_start_begins_where_the_model_is(there):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression(warm_start=True, tol=1e-10).fit(there(X), there(y))
        model.set_params(max_iter=0, tol=None).fit(there(X), there(y))
    reference = SoftmaxRegression(tol=1e-10).fit(X, y)
    agree(model.coef_, reference.coef_, 1e-8)
    assert Place(model.coef_) == Place(there(X))


def test_more_columns_than_rows(there):
    """Where a rotation pays, on the data and then in memory here."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 500)), rng.integers(3, size=40)
    reference = SoftmaxRegression(tol=1e-12).fit(X, y)
    with switched_on():
        model = SoftmaxRegression(tol=1e-12).fit(there(X), there(y))
    agree_all(model, reference, X, there(X))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_other_types_of_numbers(there, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.integers(200, size=(300, 5)).astype(dtype), rng.integers(3, size=300)
    reference = SoftmaxRegression(tol=1e-12).fit(X, y)
    with switched_on():
        model = SoftmaxRegression(tol=1e-12).fit(there(X), there(y))
        P = model.predict_proba(there(X))
    agree(model.coef_, reference.coef_, 1e-6)
    agree(P, reference.predict_proba(X), 1e-6)


def test_a_model_is_loaded_where_the_library_is_not(elsewhere, tmp_path):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(elsewhere(X), elsewhere(y))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    without = (
        "import pickle, sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('torch', 'array_api_strict', 'array_api_compat'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from sklearn.datasets import load_wine\n"
        f"model = pickle.load(open({str(tmp_path / 'model.pkl')!r}, 'rb'))\n"
        "print(model.score(*load_wine(return_X_y=True)))\n"
    )
    run = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) == SoftmaxRegression().fit(X, y).score(X, y)


def test_pickles_are_in_numpy_and_predict_of_any_library(there):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(there(X), there(y))
    loaded = pickle.loads(pickle.dumps(model))
    assert all(type(getattr(loaded, f"{name}_")) is np.ndarray for name in ("coef", "classes"))
    with switched_on():
        assert Place(loaded.predict(there(X))) == Place(there(X))
    assert Place(model.coef_) == Place(there(X))


def test_without_the_switch_there_is_only_numpy(there):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(there(X), there(y))
    assert type(model.predict(X)) is np.ndarray
    agree(model.decision_function(X), SoftmaxRegression().fit(X, y).decision_function(X))


def test_inference_and_sparse_coefficients_are_of_the_model_in_numpy(there):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(there(X), there(y))
    reference = SoftmaxRegression().fit(X, y)
    found, expected = (summary(fitted, X, y) for fitted in (model, reference))
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-8)
    agree(coefficient_frame(model).to_numpy(), coefficient_frame(reference).to_numpy())
    agree(model.sparsify().predict_proba(X), reference.predict_proba(X))


def test_searches_scores_paths_and_inference_take_arrays_of_other_libraries(there):
    """What they find is in NumPy."""
    X, y = load_wine(return_X_y=True)
    Q, X_there, y_there = np.eye(3)[y], there(X), there(y)
    search = SoftmaxRegressionCV(Cs=[0.1, 10.0], cv=3, tol=1e-12)
    reference = clone(search).fit(X, y)
    model = SoftmaxRegression(tol=1e-12)
    expected = clone(model).fit(X, y)
    with switched_on():
        search.fit(X_there, y_there)
        agree(search.coef_, reference.coef_)
        assert search.score(X_there, y_there) == reference.score(X, y)
        model.fit(X_there, y_there)
        for score in (soft_accuracy, neg_soft_log_loss):
            found = score(model, X_there, there(Q))
            assert found == pytest.approx(score(expected, X, Q), rel=1e-10)
        path = softmax_path(model, X_there, y_there, Cs=[1.0])
        agree(path.coefs[0], expected.coef_)
        found = summary(model, X_there, y_there)
        np.testing.assert_allclose(found.std_error, summary(expected, X, y).std_error, rtol=1e-8)


def test_x_must_be_where_the_model_is(there):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(there(X), there(y))
        message = r"SoftmaxRegression.predict\(\) must use the same namespace"
        with pytest.raises(ValueError, match=message):
            model.predict(X)


def test_sgd_takes_arrays_on_the_cpu_and_refuses_others(elsewhere):
    X, y = load_wine(return_X_y=True)
    here = pytest.importorskip("array_api_strict").asarray
    reference = SoftmaxRegression("sgd", random_state=0, max_iter=5, tol=None).fit(X, y)
    model = SoftmaxRegression("sgd", random_state=0, max_iter=5, tol=None)
    with switched_on():
        model.fit(here(X), here(y))
        agree(model.coef_, reference.coef_)
        before = state_of(model)
        with pytest.raises(ValueError, match=r"on a device.*lbfgs"):
            model.fit(elsewhere(X), elsewhere(y))
        with pytest.raises(ValueError, match=r"partial_fit.*on a device.*lbfgs"):
            model.partial_fit(elsewhere(X), elsewhere(y))
        assert state_of(model) == before
        model.partial_fit(here(X), here(y))
    agree(model.coef_, reference.partial_fit(X, y).coef_)


def state_of(model):
    """All that a model is, comparable."""
    return pickle.dumps(model)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_on_a_device_are_checked(elsewhere, value):
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().fit(elsewhere(X), y)
        with pytest.raises(ValueError, match=r"14 features.*13"):
            model.predict(elsewhere(np.column_stack([X, y])))
        X[3, 4] = value
        for method in (model.predict, lambda X: model.fit(X, y)):
            with pytest.raises(ValueError, match="NaN or infinity"):
                method(elsewhere(X))
        for bad, message in ((X[:0], "row and a column"), (X[0], "2 dimensions")):
            with pytest.raises(ValueError, match=message):
                model.predict(elsewhere(bad))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.fit(elsewhere(np.ones((5, 2))), y)


def test_a_callback_sees_what_a_fit_computes_with(there):
    """The arrays of NumPy, or those on the device."""
    monitor = pytest.importorskip("sklearn.callback").ScoringMonitor(scoring="accuracy")
    X, y = load_wine(return_X_y=True)
    with switched_on():
        model = SoftmaxRegression().set_callbacks(monitor).fit(there(X), there(y))
    assert model.converged_


CHECKS = list(
    parametrize_with_checks([SoftmaxRegression(), SoftmaxRegression("sgd")]).args[1],
)


@pytest.mark.parametrize(
    ("estimator", "check"), [pair for pair in CHECKS if "array_api" in str(pair[1])], ids=str
)
def test_checks_of_scikit_learn(estimator, check):
    if "array_api_strict" in str(check) and not estimator.__sklearn_tags__().array_api_support:
        pytest.skip("is for estimators with support")
    if "cuda" in str(check) and not pytest.importorskip("torch").cuda.is_available():
        pytest.skip("scikit-learn looks whether torch was built for CUDA, not for a GPU")
    check(estimator)


def test_arrays_of_torch_become_numpys_without_the_switch():
    """As in scikit-learn."""
    torch = pytest.importorskip("torch")
    X, y = load_wine(return_X_y=True)
    model = SoftmaxRegression().fit(torch.asarray(X), torch.asarray(y))
    assert type(model.coef_) is np.ndarray
    np.testing.assert_array_equal(model.coef_, SoftmaxRegression().fit(X, y).coef_)


def test_the_program_that_measures_devices_runs(tmp_path):
    pytest.importorskip("torch")
    program = Path(__file__).parent.parent / "benchmarks" / "device.py"
    small = ["--device", "cpu", "--only", "wine", "--limit", "0"]
    command = [sys.executable, str(program), *small, "--output", str(tmp_path / "found.json")]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, capture_output=True, text=True, env=one_thread)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "found.json").read_text())["problems"]
    (problem,) = found.values()
    assert problem["evaluation"] > 0
    assert {"SoftmaxRegression", "LogisticRegression"} <= set(problem["fits"])


def test_a_missing_package_is_named(monkeypatch):
    class Tensor:
        def __dlpack__(self):
            """Has one."""

    monkeypatch.setitem(sys.modules, "array_api_compat", None)
    with pytest.raises(ImportError, match=r"array-api-compat>="):
        is_foreign(Tensor())
