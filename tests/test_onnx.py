"""The ONNX graph gives what the estimator gives."""

import subprocess
import sys

import numpy as np
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sk_softmax.onnx
from sk_softmax import SoftmaxRegression


@pytest.fixture
def run():
    """Function that converts a model and returns what the graph makes of X."""
    skl2onnx = pytest.importorskip("skl2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    sk_softmax.onnx.register()

    def run(model, X, **options):
        part = model[-1] if hasattr(model, "steps") else model
        graph = skl2onnx.to_onnx(model, X[:1], options={id(part): {"zipmap": False, **options}})
        session = onnxruntime.InferenceSession(
            graph.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"X": X})

    return run


def data(n_classes, dtype=np.float64):
    X, y = make_problem(0, n=200)
    X, y = X[y < n_classes], y[y < n_classes]
    return (3 * X).astype(dtype), y


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 1e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("labels", ["integers", "strings", "booleans"])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_labels_and_probabilities(run, n_classes, fit_intercept, dtype, atol, labels, in_pipeline):
    if labels == "booleans" and n_classes > 2:
        pytest.skip("booleans are two classes")
    X, y = data(n_classes, dtype)
    of_code = {
        "integers": np.array([7, -1, 3]),
        "strings": np.array(["no", "maybe", "ça va"]),
        "booleans": np.array([False, True]),
    }
    y = of_code[labels][y]
    model = SoftmaxRegression(C=10.0, fit_intercept=fit_intercept)
    if in_pipeline:
        model = make_pipeline(StandardScaler(), model)
    model.fit(X, y)
    predicted, P = run(model, X)
    assert P.dtype == dtype
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=atol)
    assert P.min() < 0.05  # steep enough to tell the sigmoid of z from that of 2 z
    np.testing.assert_array_equal(predicted, model.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_that_are_zero(run, n_classes):
    X, y = data(n_classes)
    model = SoftmaxRegression(C=0.01, l1_ratio=1).fit(X, y)
    assert 0 < np.count_nonzero(model.coef_) < model.coef_.size
    predicted, P = run(model, X)
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(predicted, model.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_raw_scores_are_the_decision_function(run, n_classes):
    X, y = data(n_classes)
    model = SoftmaxRegression().fit(X, y)
    predicted, scores = run(model, X, raw_scores=True)
    expected = model.decision_function(X)
    if n_classes == 2:
        expected = np.column_stack([-expected, expected])
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_labels_can_be_indices(run):
    X, y = data(3)
    model = SoftmaxRegression().fit(X, np.array(["a", "b", "c"])[y])
    predicted, _ = run(model, X, nocl=True)
    np.testing.assert_array_equal(model.classes_[predicted], model.predict(X))


@pytest.mark.parametrize("dtype", [np.int64, bool])
def test_other_input_is_computed_in_float32(run, dtype):
    X, y = data(3)
    X = (X > 0).astype(dtype)
    model = SoftmaxRegression().fit(X, y)
    predicted, P = run(model, X)
    assert P.dtype == np.float32
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_a_class_without_weight_has_probability_zero(run):
    X, y = data(3)
    model = SoftmaxRegression(class_weight={1: 0.0}).fit(X, y)
    predicted, P = run(model, X)
    assert np.all(P[:, 1] == 0)
    np.testing.assert_allclose(P, model.predict_proba(X), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(predicted, model.predict(X))
    _, scores = run(model, X, raw_scores=True)
    np.testing.assert_allclose(scores, model.decision_function(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("options", [{}, {"raw_scores": True}])
def test_sparse_coefficients(run, n_classes, options):
    X, y = data(n_classes)
    model = SoftmaxRegression().fit(X, y)
    expected = run(model, X, **options)
    for found, dense in zip(run(model.sparsify(), X, **options), expected, strict=True):
        np.testing.assert_array_equal(found, dense)
    assert sparse.issparse(model.coef_)
    in_pipeline = make_pipeline(StandardScaler(), SoftmaxRegression()).fit(X, y)
    in_pipeline[-1].sparsify()
    np.testing.assert_allclose(
        run(in_pipeline, X)[1], in_pipeline.predict_proba(X), rtol=0, atol=1e-12
    )


def test_far_from_the_boundary(run):
    X, y = data(2)
    model = SoftmaxRegression().fit(X, y)
    _, P = run(model, 1e6 * X)
    np.testing.assert_allclose(P, model.predict_proba(1e6 * X), rtol=0, atol=1e-12)
    assert np.all(np.isfinite(P))


def test_without_skl2onnx_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['skl2onnx'] = None\n"
        "import sk_softmax.onnx\n"
        "try: sk_softmax.onnx.register()\n"
        "except ImportError as error: assert 'skl2onnx>=1.17' in str(error)\n"
        "else: raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
