"""Odd and bad input. Numbers in comments are the lines of the list of promises."""

import pickle
import tracemalloc

import numpy as np
import pytest
import sklearn
from reference import kkt_residual, make_problem
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sk_softmax import SoftmaxRegression

solvers = pytest.mark.parametrize("solver", ["lbfgs", "sgd"])


def estimator(solver, **parameters):
    """Deterministic, and exact to rounding for the same rows in the same order."""
    if solver == "lbfgs":
        return SoftmaxRegression("lbfgs", tol=1e-22, max_iter=20_000, random_state=0, **parameters)
    return SoftmaxRegression("sgd", tol=None, max_iter=5, random_state=0, **parameters)


def refuses(solver, X, y, error, match, **fit_parameters):
    model = SoftmaxRegression(solver)
    with pytest.raises(error, match=match):
        model.fit(X, y, **fit_parameters)
    assert not hasattr(model, "coef_")


def assert_same_model(model, expected, atol=1e-9):
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=atol)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=0, atol=atol)


# 16


@solvers
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_values_that_are_not_finite(solver, bad, layout):
    X, y = make_problem(0)
    X[3, 1] = bad
    refuses(solver, layout(X), y, ValueError, "X contains")


@solvers
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_labels_and_weights_that_are_not_finite(solver, bad):
    X, y = make_problem(0)
    refuses(solver, X, np.where(y == 0, bad, y), ValueError, "y contains")
    weight = np.where(y == 0, bad, 1.0)
    refuses(solver, X, y, ValueError, "sample_weight contains", sample_weight=weight)


# 23


@solvers
def test_one_class(solver):
    X, y = make_problem(0)
    refuses(solver, X, np.zeros_like(y), ValueError, "at least 2 classes .* contain one class")


@solvers
def test_no_rows(solver):
    X, y = make_problem(0)
    refuses(solver, X[:0], y[:0], ValueError, "0 sample")


@solvers
def test_no_columns(solver):
    X, y = make_problem(0)
    refuses(solver, X[:, :0], y, ValueError, "0 feature")


@solvers
def test_one_row(solver):
    X, y = make_problem(0)
    refuses(solver, X[:1], y[:1], ValueError, "at least 2 classes|1 sample")


@solvers
def test_one_dimension(solver):
    X, y = make_problem(0)
    refuses(solver, X[:, 0], y, ValueError, "Expected 2D array, got 1D")


@solvers
def test_three_dimensions(solver):
    X, y = make_problem(0)
    refuses(solver, X[:, :, np.newaxis], y, ValueError, "dim 3")


@solvers
def test_lengths_that_differ(solver):
    X, y = make_problem(0)
    refuses(solver, X, y[:-1], ValueError, "inconsistent numbers of samples")
    refuses(solver, X, y, ValueError, "sample_weight", sample_weight=np.ones(len(y) - 1))


def test_predicting_with_another_number_of_columns():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="expecting 4 features"):
            method(X[:, :3])


# 24


@solvers
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_one_row_per_class(solver, n_classes):
    X = np.random.default_rng(0).standard_normal((n_classes, 4))
    model = estimator(solver).fit(X, np.arange(n_classes))
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert np.isfinite(model.predict_log_proba(X)).all()
    if solver == "lbfgs":
        assert kkt_residual(model, X, np.arange(n_classes)) < 1e-20


# 25


@solvers
def test_read_only_memory_maps(solver, tmp_path):
    X, y = make_problem(0)
    arrays = {"X": X, "y": y, "s": np.linspace(0.5, 2, len(y))}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays}
    model = estimator(solver).fit(mapped["X"], mapped["y"], sample_weight=mapped["s"])
    expected = estimator(solver).fit(X, y, sample_weight=arrays["s"])
    assert_same_model(model, expected, atol=0)
    np.testing.assert_array_equal(model.predict_proba(mapped["X"]), expected.predict_proba(X))


@solvers
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_arrays_of_the_caller_are_never_modified(solver, dtype, class_weight):
    X, y = make_problem(0)
    X, s = X.astype(dtype), np.where(np.arange(len(y)) % 5, 2.0, 0.0)
    before = X.copy(), y.copy(), s.copy()
    model = estimator(solver).set_params(class_weight=class_weight, tol=None)
    model.fit(X, y, sample_weight=s)
    model.predict(X), model.predict_proba(X), model.predict_log_proba(X)
    for array, copy in zip((X, y, s), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@solvers
def test_a_sparse_matrix_of_the_caller_is_never_modified(solver):
    X, y = make_problem(0)
    messy = unsorted_with_duplicates(X)
    before = pickle.dumps((messy.data, messy.indices, messy.indptr))
    model = estimator(solver).fit(messy, y)
    model.predict_proba(messy)
    assert pickle.dumps((messy.data, messy.indices, messy.indptr)) == before


@solvers
def test_the_model_keeps_no_view_of_the_data(solver):
    X, y = make_problem(0)
    labels = np.array(["a", "b", "c"])[y]
    model = estimator(solver).fit(X, labels)
    expected = model.predict(X)
    copy, labels[:] = X.copy(), "z"
    X[:] = 0
    np.testing.assert_array_equal(model.predict(copy), expected)


# 26

DENSE_VARIANTS = {
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "Fortran": np.asfortranarray,
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "transposed view": lambda X: np.ascontiguousarray(X.T).T,
    "big-endian": lambda X: X.astype(">f8"),
    "list": lambda X: X.tolist(),
    "object": lambda X: X.astype(object),
    "longdouble": lambda X: X.astype(np.longdouble),
}


@solvers
@pytest.mark.parametrize("variant", DENSE_VARIANTS)
def test_any_memory_layout(solver, variant):
    X, y = make_problem(0)
    model = estimator(solver).fit(DENSE_VARIANTS[variant](X), y)
    expected = estimator(solver).fit(X, y)
    assert model.coef_.dtype == np.float64
    assert_same_model(model, expected)
    np.testing.assert_allclose(
        expected.predict_proba(DENSE_VARIANTS[variant](X)), expected.predict_proba(X), atol=1e-12
    )


@solvers
@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64", "bool", "float16", ">i4"])
def test_other_numbers_become_float64(solver, dtype):
    X, y = make_problem(0)
    X = np.abs(10 * X).astype(dtype)
    model = estimator(solver).fit(X, y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float64
    assert model.predict_proba(X).dtype == np.float64
    # Batches of small integers, exact in float32, are computed in it.
    small = solver == "sgd" and X.dtype.kind in "iub" and X.itemsize == 1
    same = X.astype(np.float32 if small else np.float64)
    assert_same_model(model, estimator(solver).fit(same, y), atol=0)


@solvers
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_both_precisions_are_preserved(solver, layout, dtype, n_classes):
    X, y = make_problem(0, n_classes=n_classes)
    X = layout(X.astype(dtype))
    model = estimator(solver).set_params(tol=None).fit(X, y)
    assert model.coef_.dtype == model.intercept_.dtype == dtype
    for method in (model.decision_function, model.predict_proba, model.predict_log_proba):
        assert method(X).dtype == dtype


# 27


def unsorted_with_duplicates(X):
    """CSR in which every value is stored as two halves, in random order within its row."""
    rng = np.random.default_rng(0)
    X = sparse.csr_array(X)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    order = np.lexsort([rng.random(2 * X.nnz), np.repeat(rows, 2)])
    messy = sparse.csr_array(
        (np.repeat(X.data / 2, 2)[order], np.repeat(X.indices, 2)[order], 2 * X.indptr),
        shape=X.shape,
    )
    assert not messy.has_sorted_indices
    assert not messy.has_canonical_format
    return messy


def with_int64_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_stored_zeros(X):
    stored = sparse.csr_array(np.where(X == 0, 1, X))
    stored.data[X.ravel() == 0] = 0
    return stored


SPARSE_VARIANTS = {
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
    "coo_matrix": sparse.coo_matrix,
    "lil_array": sparse.lil_array,
    "dok_array": sparse.dok_array,
    "int64 indices": with_int64_indices,
    "unsorted with duplicates": unsorted_with_duplicates,
    "coo with duplicates": lambda X: unsorted_with_duplicates(X).tocoo(),
    "stored zeros": with_stored_zeros,
}


@solvers
@pytest.mark.parametrize("variant", SPARSE_VARIANTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_any_sparse_format_equals_dense(solver, variant, weighted):
    X, y = make_problem(0)
    X = np.where(np.abs(X) < 0.7, 0, X)
    weight = np.where(np.arange(len(y)) % 5, 1.0, 0.0) if weighted else None
    model = estimator(solver).fit(SPARSE_VARIANTS[variant](X), y, sample_weight=weight)
    expected = estimator(solver).fit(X, y, sample_weight=weight)
    assert_same_model(model, expected)
    np.testing.assert_allclose(
        model.predict_proba(SPARSE_VARIANTS[variant](X)), expected.predict_proba(X), atol=1e-9
    )


@solvers
def test_sparse_data_are_never_densified(solver):
    rng = np.random.default_rng(0)
    n, p, per_row = 2000, 10_000, 5
    X = sparse.csr_array(
        (rng.standard_normal(n * per_row), rng.integers(p, size=n * per_row), np.arange(n + 1) * 5),
        shape=(n, p),
    )
    y = rng.integers(3, size=n)
    y[:3] = range(3)
    tracemalloc.start()
    try:
        model = SoftmaxRegression(solver, tol=None, max_iter=2).fit(X, y)
        model.predict_proba(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.2 * n * p * X.dtype.itemsize


@solvers
def test_empty_rows_and_columns_of_a_sparse_matrix(solver):
    X, y = make_problem(0)
    X[5:20] = 0
    X[:, 2] = 0
    model = estimator(solver).fit(sparse.csr_array(X), y)
    assert_same_model(model, estimator(solver).fit(X, y))
    np.testing.assert_allclose(model.coef_[:, 2], 0, atol=1e-12)


# 28


@solvers
def test_objects_that_are_no_numbers(solver):
    X, y = make_problem(0)
    X = X.astype(object)
    X[3, 1] = "tall"
    refuses(solver, X, y, ValueError, "could not convert string to float: 'tall'")


@solvers
def test_complex_numbers(solver):
    X, y = make_problem(0)
    refuses(solver, X + 1j, y, ValueError, "Complex data not supported")
    refuses(solver, X, y + 1j, ValueError, "Complex data not supported")


@solvers
@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_a_mask_is_never_ignored(solver, name):
    X, y = make_problem(0)
    data = {"X": X, "y": y, "sample_weight": np.ones(len(y))}
    data[name] = np.ma.masked_greater(data[name], 0.5)
    match = f"{name} is a masked array"
    weight = data["sample_weight"]
    refuses(solver, data["X"], data["y"], ValueError, match, sample_weight=weight)


def test_a_mask_is_never_ignored_in_predictions():
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(X, y)
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="X is a masked array"):
            method(np.ma.masked_greater(X, 2))


@solvers
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_numpy_matrix(solver):
    X, y = make_problem(0)
    refuses(solver, np.matrix(X), y, TypeError, "np.matrix is not supported")


@solvers
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.skipif(
    np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="longdouble is float64"
)
def test_long_doubles_beyond_the_range_of_double(solver):
    X, y = make_problem(0)
    X = X.astype(np.longdouble) * np.longdouble("1e400")
    refuses(solver, X, y, ValueError, "infinity or a value too large for dtype")


# 29

WORDS = np.array(["ant", "bee", "cat"])
LABELS = {
    "str": WORDS,
    "object": WORDS.astype(object),
    "bool": np.array([False, True]),
    "int8": np.array([-1, 0, 5], dtype=np.int8),
    "int64": np.array([10, 20, 30]),
    "uint16": np.array([1, 2, 60_000], dtype=np.uint16),
    "float64": np.array([-1.0, 0.0, 7.0]),
    "float32": np.array([1.0, 2.0, 3.0], dtype=np.float32),
}


@solvers
@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_type(solver, kind):
    labels = LABELS[kind]
    X, codes = make_problem(0, n_classes=len(labels))
    model = estimator(solver).fit(X, labels[codes])
    assert model.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.predict(X).dtype == labels.dtype
    expected = estimator(solver).fit(X, codes)
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert_same_model(model, expected, atol=0)


def test_labels_are_sorted():
    X, codes = make_problem(0)
    labels = np.array(["cat", "ant", "bee"])
    model = SoftmaxRegression().fit(X, labels[codes])
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert model.score(X, labels[codes]) > 0.6


@pytest.mark.parametrize("container", [list, tuple])
def test_labels_in_plain_containers(container):
    X, codes = make_problem(0)
    model = SoftmaxRegression().fit(X.tolist(), container(WORDS[codes].tolist()))
    assert model.classes_.tolist() == WORDS.tolist()
    assert set(model.predict(X.tolist())) <= set(WORDS)


def test_pandas_integers_with_missing_values_allowed():
    pandas = pytest.importorskip("pandas")
    X, codes = make_problem(0)
    model = SoftmaxRegression().fit(X, pandas.Series(codes, dtype="Int64"))
    assert model.classes_.dtype == np.int64
    assert model.predict(X).dtype == np.int64


def test_pandas_booleans_with_missing_values_allowed():
    pandas = pytest.importorskip("pandas")
    X, codes = make_problem(0, n_classes=2)
    model = SoftmaxRegression().fit(X, pandas.Series(codes == 1, dtype="boolean"))
    assert model.classes_.dtype == bool
    assert model.predict(X).dtype == bool


def test_pandas_labels_that_are_missing():
    pandas = pytest.importorskip("pandas")
    X, codes = make_problem(0)
    labels = pandas.Series(codes, dtype="Int64")
    labels[0] = pandas.NA
    refuses("lbfgs", X, labels, ValueError, "NaN")


@pytest.mark.parametrize("dtype", ["category", "string", "object"])
def test_pandas_words(dtype):
    pandas = pytest.importorskip("pandas")
    X, codes = make_problem(0)
    labels = pandas.Series(WORDS[codes]).astype(dtype)
    model = SoftmaxRegression().fit(X, labels)
    assert model.classes_.tolist() == WORDS.tolist()
    np.testing.assert_array_equal(
        model.predict(X), WORDS[SoftmaxRegression().fit(X, codes).predict(X)]
    )


def test_pandas_categories_of_integers():
    pandas = pytest.importorskip("pandas")
    X, codes = make_problem(0)
    model = SoftmaxRegression().fit(X, pandas.Series(codes, dtype="category"))
    assert model.classes_.dtype == np.int64
    assert model.classes_.tolist() == [0, 1, 2]


def test_polars_labels_and_weights():
    polars = pytest.importorskip("polars")
    X, codes = make_problem(0)
    weight = np.linspace(0.5, 2, len(codes))
    model = SoftmaxRegression().fit(
        X, polars.Series(WORDS[codes]), sample_weight=polars.Series(weight)
    )
    assert model.classes_.tolist() == WORDS.tolist()
    assert_same_model(model, SoftmaxRegression().fit(X, codes, sample_weight=weight), atol=0)


# 30


@solvers
@pytest.mark.parametrize(
    ("labels", "error", "match"),
    [
        (np.array([b"a", b"b", b"c"]), TypeError, "bytes"),
        (np.array([b"a", b"b", b"c"], dtype=object), TypeError, "bytes"),
        (np.array([None, "b", "c"], dtype=object), ValueError, "label type"),
        (np.array([1, "b", "c"], dtype=object), (ValueError, TypeError), "label type|str"),
        (np.array([0.0, 0.5, 1.0]), ValueError, "continuous"),
    ],
    ids=["bytes", "bytes objects", "None", "mixed", "continuous"],
)
def test_labels_that_are_none(solver, labels, error, match):
    X, codes = make_problem(0)
    refuses(solver, X, labels[codes], error, match)


@solvers
@pytest.mark.parametrize("dtype", [int, bool])
def test_one_hot_rows_where_labels_are_meant(solver, dtype):
    X, y = make_problem(0)
    refuses(solver, X, np.eye(3, dtype=dtype)[y], ValueError, "1d array")


@solvers
def test_no_labels(solver):
    X, _ = make_problem(0)
    refuses(solver, X, None, ValueError, "y")


# 32


def polars_frames_have_names(polars):
    """scikit-learn reads names through a protocol that polars 2 dropped, or by itself."""
    by_itself = tuple(map(int, sklearn.__version__.split(".")[:2])) >= (1, 9)
    return by_itself or hasattr(polars.DataFrame, "__dataframe__")


@pytest.fixture(params=["pandas", "polars"])
def frame(request):
    library = pytest.importorskip(request.param)
    X, _ = make_problem(0)
    names = ["height", "width", "depth", "mass"]
    if request.param == "pandas":
        return library.DataFrame(X, columns=names)
    if not polars_frames_have_names(library):
        pytest.skip("this scikit-learn knows no names of this polars")
    return library.DataFrame(X, schema=names)


@solvers
def test_a_frame_is_its_values(solver, frame):
    X, y = make_problem(0)
    model, expected = estimator(solver).fit(frame, y), estimator(solver).fit(X, y)
    assert_same_model(model, expected)
    np.testing.assert_allclose(model.predict_proba(frame), expected.predict_proba(X), atol=1e-9)
    assert model.feature_names_in_.tolist() == ["height", "width", "depth", "mass"]
    assert not hasattr(expected, "feature_names_in_")


def test_columns_in_another_order(frame):
    _, y = make_problem(0)
    model = SoftmaxRegression().fit(frame, y)
    reordered = frame[["width", "height", "depth", "mass"]]
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="same order"):
            method(reordered)


def test_columns_that_are_missing(frame):
    _, y = make_problem(0)
    model = SoftmaxRegression().fit(frame, y)
    with pytest.raises(ValueError, match="now missing:\n- mass"):
        model.predict(frame[["height", "width", "depth"]])


def test_values_for_a_model_of_a_frame(frame):
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


def test_float32_frames_keep_their_precision():
    pandas = pytest.importorskip("pandas")
    X, y = make_problem(0)
    model = SoftmaxRegression().fit(pandas.DataFrame(X.astype(np.float32)), y)
    assert model.coef_.dtype == np.float32


# 33


@solvers
def test_negative_sample_weights(solver):
    X, y = make_problem(0)
    weight = np.ones(len(y))
    weight[7] = -1e-9
    refuses(solver, X, y, ValueError, "Negative values .*sample_weight", sample_weight=weight)


@solvers
def test_sample_weights_that_are_all_zero(solver):
    X, y = make_problem(0)
    refuses(solver, X, y, ValueError, "[Ww]eight", sample_weight=np.zeros(len(y)))


@solvers
@pytest.mark.parametrize("bad", [-1, np.nan, np.inf])
def test_class_weights_that_are_negative_or_not_finite(solver, bad):
    X, y = make_problem(0)
    model = SoftmaxRegression(solver, class_weight={0: 1, 1: bad, 2: 1})
    with pytest.raises(ValueError, match="class_weight must be finite and non-negative"):
        model.fit(X, y)


@solvers
def test_class_weights_that_are_all_zero(solver):
    X, y = make_problem(0)
    model = SoftmaxRegression(solver, class_weight={0: 0, 1: 0, 2: 0})
    with pytest.raises(ValueError, match="contain no class"):
        model.fit(X, y)


def test_class_weights_of_labels_that_do_not_occur():
    X, y = make_problem(0)
    model = SoftmaxRegression(class_weight={"ant": 2.0})
    with pytest.raises(ValueError, match="class_weight"):
        model.fit(X, y)


# 34


def zero_weights_for_class(y, k):
    return {"sample_weight": np.where(y == k, 0.0, np.linspace(0.5, 2, len(y)))}, {}


def zero_class_weight(y, k):
    return {}, {"class_weight": {k: 0.0}}


@solvers
@pytest.mark.parametrize("how", [zero_weights_for_class, zero_class_weight])
@pytest.mark.parametrize("n_classes", [3, 4])
@pytest.mark.parametrize("absent", [0, 1])
def test_a_class_without_weight_is_as_if_absent(solver, how, n_classes, absent):
    X, y = make_problem(0, n_classes=n_classes)
    fit_parameters, parameters = how(y, absent)
    model = estimator(solver, **parameters).fit(X, y, **fit_parameters)
    assert model.classes_.tolist() == list(range(n_classes))
    assert model.coef_.shape == (n_classes, 4)

    rest = y != absent
    if fit_parameters:
        fit_parameters = {"sample_weight": fit_parameters["sample_weight"][rest]}
    expected = estimator(solver).fit(X[rest], y[rest], **fit_parameters)
    P = model.predict_proba(X)
    np.testing.assert_array_equal(P[:, absent], 0)
    others = np.delete(np.arange(n_classes), absent)
    np.testing.assert_allclose(P[:, others], expected.predict_proba(X), atol=1e-10)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
    np.testing.assert_array_equal(model.coef_[absent], 0)
    scores = model.decision_function(X)
    assert scores[:, absent].max() <= scores[:, others].max(axis=1).min() - 1000
    assert np.isfinite(model.predict_log_proba(X)).all()


@solvers
def test_balanced_weights_with_a_class_without_weight(solver):
    X, y = make_problem(0, n_classes=4)
    weight = np.where(y == 2, 0.0, 1.0)
    model = estimator(solver, class_weight="balanced").fit(X, y, sample_weight=weight)
    rest = y != 2
    expected = estimator(solver, class_weight="balanced").fit(X[rest], y[rest])
    P = model.predict_proba(X)
    np.testing.assert_array_equal(P[:, 2], 0)
    np.testing.assert_allclose(P[:, [0, 1, 3]], expected.predict_proba(X), atol=1e-10)


@solvers
@pytest.mark.parametrize("size", [1e-6, 1e6, 1e200])
def test_no_row_is_far_enough_for_a_class_without_weight(solver, size):
    X, y = make_problem(0, n_classes=4)
    model = estimator(solver).fit(X, y, sample_weight=(y != 1).astype(float))
    P = model.predict_proba(size * X)
    np.testing.assert_array_equal(P[:, 1], 0)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    assert np.isfinite(model.decision_function(size * X)).all()
    assert np.isfinite(model.predict_log_proba(size * X)).all()


def one_class_by_weights(y, k):
    return {"sample_weight": (y == k).astype(float)}, {}


def one_class_by_class_weight(y, k):
    return {}, {"class_weight": {other: 0.0 for other in np.unique(y) if other != k}}


@solvers
@pytest.mark.parametrize("how", [one_class_by_weights, one_class_by_class_weight])
@pytest.mark.parametrize("labels", [[3, 7], ["ant", "bee", "cow"], [False, True]])
@pytest.mark.parametrize("only", [0, 1])
@pytest.mark.parametrize(
    "parameters", [{}, {"fit_intercept": False, "C": np.inf}, {"early_stopping": True}]
)
def test_all_weight_on_one_class_is_a_model_that_always_says_so(
    solver, how, labels, only, parameters
):
    X, y = make_problem(0, n_classes=len(labels))
    y = np.array(labels)[y]
    weights, more = how(y, labels[only])
    model = estimator(solver, **parameters, **more)
    with pytest.warns(UserWarning, match=f"on one class, {labels[only]!r}, which the model"):
        model.fit(X, y, **weights)
    assert model.classes_.tolist() == labels
    assert model.converged_
    assert model.loss_ == 0
    assert model.n_iter_.tolist() == [0]
    assert not model.coef_.any()
    for far in (1.0, 1e6, 1e200):
        assert set(model.predict(far * X).tolist()) == {labels[only]}
        P = np.zeros((len(X), len(labels)))
        P[:, only] = 1
        np.testing.assert_array_equal(model.predict_proba(far * X), P)
        assert np.isfinite(model.predict_log_proba(far * X)).all()
    # What it had no rows of is not held against a later fit.
    model.set_params(warm_start=True, class_weight=None).fit(X, y)
    again = estimator(solver, **parameters).fit(X, y)
    if solver == "lbfgs" and "early_stopping" not in parameters:
        np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-5)
    assert model.score(X, y) > 0.9 * again.score(X, y)


@pytest.mark.filterwarnings("ignore:All weight:UserWarning")
def test_a_stream_goes_on_from_a_model_of_one_class():
    X, y = make_problem(0, n_classes=2)
    model = estimator("sgd").fit(X, y, sample_weight=(y == 0).astype(float))
    for _ in range(30):
        model.partial_fit(X, y)
    assert model.score(X, y) > 0.9 * estimator("sgd").fit(X, y).score(X, y)


# 35

BAD_PARAMETERS = {
    "solver": ["newton", None, 1],
    "C": [0, -1, np.nan, "1", None],
    "l1_ratio": [-0.1, 1.1, np.nan, "0.5", None],
    "penalty_factor": ["ones", 2],
    "bounds": [1.0, "positive"],
    "fit_intercept": ["yes", 2],
    "classes": ["a", 2],
    "class_weight": ["uniform", [1, 2, 3]],
    "tol": [-1e-3, np.nan, "small"],
    "max_iter": [-1, 1.5],
    "learning_rate": [0, -0.1, np.inf, np.nan, "fast"],
    "batch_size": [0, 1.5, "all"],
    "schedule": ["linear", None, 1],
    "momentum": [-0.1, 1, np.nan],
    "label_smoothing": [-0.1, 1.0, np.nan, "0.1"],
    "nesterov": ["yes"],
    "average": ["yes", 10],
    "early_stopping": ["yes"],
    "validation_fraction": [0, 1.0, -0.1, "0.1"],
    "n_iter_no_change": [0, 1.5],
    "record_batches": [0, 1.5, "all"],
    "warm_start": ["yes"],
    "random_state": [-1, "seed"],
    "n_jobs": [1.5, "all"],
    "verbose": [-1, "loud"],
}


def test_every_parameter_has_a_value_that_is_refused():
    assert set(BAD_PARAMETERS) == set(SoftmaxRegression().get_params())


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_PARAMETERS.items() for value in values],
)
def test_parameters_out_of_range(name, value):
    X, y = make_problem(0)
    model = SoftmaxRegression().set_params(**{name: value})
    with pytest.raises(ValueError, match=f"The '{name}' parameter of SoftmaxRegression must be"):
        model.fit(X, y)


def test_parameters_at_the_edge_of_their_range():
    X, y = make_problem(0)
    for parameters in (
        {"C": np.inf},
        {"C": 1},
        {"tol": 1},
        {"n_jobs": -1},
        {"verbose": False},
        {"class_weight": {}},
        {"random_state": np.random.RandomState(0)},
        {"fit_intercept": np.bool_(False)},
    ):
        model = SoftmaxRegression().set_params(**parameters).fit(X, y)
        assert model.converged_, parameters


# 36


@solvers
def test_a_single_iteration(solver):
    X, y = make_problem(0)
    model = SoftmaxRegression(solver, max_iter=1, tol=1e-9)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1 .*increase max_iter or tol"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.n_iter_, [1])


def test_balanced_weights_of_a_class_with_next_to_no_weight_that_overflow():
    sample_weight = np.array([1.0, 1.0, 1e-310, 1.0])
    model = SoftmaxRegression(class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight must be finite"):
        model.fit(np.eye(4), [0, 0, 1, 0], sample_weight=sample_weight)
