"""What all kinds of rows have in common, against dense formulas. A new kind is a line in KINDS."""

import pickle
from functools import partial

import numpy as np
import pytest
from reference import make_problem, softmax_rows
from scipy import sparse

from sk_softmax._curvature import Curvature
from sk_softmax._device_array import DeviceArray
from sk_softmax._kernels import (
    class_curvature,
    dual_entropy,
    dual_entropy_at,
    hessian_product,
    logit_range,
    loss_and_accuracy,
    margins,
    pair_curvature,
    pair_curvature_at,
    pooled_curvature,
    residuals,
    still_margins,
)
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._preconditioner import whole
from sk_softmax._rows import (
    ColumnStatistics,
    ConcatenatedRows,
    DenseRows,
    DistributedRows,
    SparseRows,
    Targets,
    as_rows,
    largest,
    row_weights,
)
from sk_softmax._shares import RowsMaker, Share
from sk_softmax._solvers._moments import _sums_of_all

N, P, K = 300, 6, 3


def data():
    """Small integers, so that any kind can hold them; weights; one column constant."""
    rng = np.random.default_rng(0)
    X, y = make_problem(0, n=N, p=P)
    X = np.clip(np.round(10 * X), 0, 100)
    X[:, 2] = 7
    return X, y, rng.uniform(0.2, 3, size=N)


def mapped(X, path):
    """A memory map of X."""
    np.save(path / "X.npy", X)
    return np.load(path / "X.npy", mmap_mode="r")


def concatenated(first, second):
    """Two thirds of the rows in one kind, the others in another."""

    def make(X, targets, s, threads, path):
        s, cut = s / s.sum(), 2 * N // 3
        return ConcatenatedRows(
            [
                kind(layout(X[part]), targets[part], s[part], threads)
                for (kind, layout), part in ((first, slice(0, cut)), (second, slice(cut, N)))
            ]
        )

    return make


class Elsewhere:
    """Shares that are elsewhere: they, what they are asked and what they answer are pickled."""

    def __init__(self, shares):
        self._shares = list(map(pickled, shares))

    def __len__(self):
        return len(self._shares)

    def map(self, question):
        return [pickled(pickled(question)(share)) for share in self._shares]


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


def distributed(*layouts):
    """Two shares, with a third of the rows in each of two parts, and the others in one."""

    def make(X, targets, s, threads, path):
        cuts = [slice(0, N // 3), slice(N // 3, 2 * N // 3), slice(2 * N // 3, N)]
        makers = [
            RowsMaker(layout(X[cut]), targets[cut], s[cut], s.sum())
            for layout, cut in zip(layouts, cuts, strict=True)
        ]
        return DistributedRows(Elsewhere([Share(makers[:2]), Share(makers[2:], n_cores=2)]))

    return make


def of(layout):
    """Rows in memory, from an array."""

    def make(X, targets, s, threads, path):
        return as_rows(layout(X, path), targets, s, threads)

    return make


def on_device(library, device=None):
    """Rows of an array of another library, as if it were on a device if it is not."""

    def make(X, targets, s, threads, path):
        pytest.importorskip("array_api_compat")
        array = pytest.importorskip(library).asarray(X)
        if device:
            pytest.importorskip("numpy", "2.0", reason="array_api_strict needs it to move arrays")
            array = array.to_device(type(array.device)(device))
        return as_rows(DeviceArray(array), targets, s, threads)

    return make


DENSE, SPARSE = (DenseRows, np.ascontiguousarray), (SparseRows, sparse.csr_array)
KINDS = {
    "C": of(lambda X, path: np.ascontiguousarray(X)),
    "Fortran": of(lambda X, path: np.asfortranarray(X)),
    "every other row": of(lambda X, path: np.repeat(X, 2, axis=0)[::2]),
    "bytes": of(lambda X, path: X.astype(np.uint8)),
    "memory map": of(mapped),
    "csr": of(lambda X, path: sparse.csr_array(X)),
    "csr_matrix, int64": of(lambda X, path: with_long_indices(X)),
    "two arrays": concatenated(DENSE, DENSE),
    "an array and csr": concatenated(DENSE, SPARSE),
    "two csr": concatenated(SPARSE, SPARSE),
    "array_api_strict": on_device("array_api_strict"),
    "array_api_strict, another device": on_device("array_api_strict", "device1"),
    "torch": on_device("torch"),
    "shares of arrays": distributed(*[np.ascontiguousarray] * 3),
    "shares of arrays and csr": distributed(sparse.csr_array, np.asarray, sparse.csr_array),
}


def with_long_indices(X):
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.fixture(params=KINDS)
def make_rows(request, threads, tmp_path):
    """Function from targets, labels if None, to rows of a kind."""

    def make(targets=None):
        X, y, s = data()
        targets = Targets(y, K) if targets is None else targets
        return KINDS[request.param](X, targets, s, threads, tmp_path)

    return make


@pytest.fixture(params=["labels", "smoothed", "probabilities"])
def targets(request):
    _, y, _ = data()
    Q = np.random.default_rng(1).dirichlet(np.ones(K), size=N)
    return {
        "labels": Targets(y, K),
        "smoothed": Targets(y, K, 0.2),
        "probabilities": Targets(Q, K),
    }[request.param]


def model(seed=0, fit_intercept=True):
    rng = np.random.default_rng(seed)
    return 0.02 * rng.standard_normal((K, P)), rng.standard_normal(K) if fit_intercept else None


def probabilities(W, b):
    X, _, _ = data()
    return softmax_rows(X @ W.T + (0 if b is None else b))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sums_of_residuals(make_rows, targets, fit_intercept):
    X, _, s = data()
    W, b = model(fit_intercept=fit_intercept)
    R = (probabilities(W, b) - targets.matrix(np.float64).T) * (s / s.sum())[:, np.newaxis]
    (loss, right, _), G, G1 = make_rows(targets).sums(residuals, (W, b))
    np.testing.assert_allclose(G, R.T @ X, atol=1e-12)
    np.testing.assert_allclose(G1, R.sum(axis=0), atol=1e-14)
    log_P = np.log(probabilities(W, b))
    expected = -(s / s.sum()) @ (targets.matrix(np.float64).T * log_P).sum(axis=1)
    assert loss == pytest.approx(expected, rel=1e-12)
    is_right = log_P.argmax(axis=1) == targets.labels
    assert right == pytest.approx(s @ is_right / s.sum(), rel=1e-12)
    assert make_rows(targets).reduce(loss_and_accuracy, (W, b)) == pytest.approx((loss, right))


def test_without_coefficients_no_row_counts_as_right(make_rows, targets):
    model = np.zeros((K, P)), np.zeros(K)
    (loss, right, _), *_ = make_rows(targets).sums(residuals, model)
    assert loss == pytest.approx(np.log(K), rel=1e-12)
    assert right == 0


def test_sums_of_two_models(make_rows):
    X, _, s = data()
    (W, b), (V, c) = model(0), model(1)
    P, D = probabilities(W, b), X @ V.T + c
    R = P * (D - (P * D).sum(axis=1, keepdims=True)) * (s / s.sum())[:, np.newaxis]
    _, HV, Hc = make_rows().sums(hessian_product, (W, b), (V, c))
    np.testing.assert_allclose(HV, R.T @ X, atol=1e-12)
    np.testing.assert_allclose(Hc, R.sum(axis=0), atol=1e-13)


def test_numbers_that_are_combined(make_rows):
    X, y, _ = data()
    W, b = model()
    Z = X @ W.T + b
    rows = make_rows()
    (found,) = rows.reduce(logit_range, (W, b), combine=largest)
    assert found == pytest.approx(np.ptp(Z, axis=1).max(), rel=1e-13)
    gain, loss = rows.reduce(margins, (W, b), combine=largest)
    gains = Z[np.arange(N), y][:, np.newaxis] - Z
    assert (gain, loss) == pytest.approx((gains.max(), -gains.min()), rel=1e-13)


@pytest.mark.parametrize("kernel", [class_curvature, pooled_curvature])
def test_moments_and_grams_of_all_rows(make_rows, kernel):
    X, _, s = data()
    rows = make_rows()
    statistics = ColumnStatistics.of(rows, True)
    P = probabilities(*model())
    C = P * (1 - P) * (s / s.sum())[:, np.newaxis]
    n_weights = K
    if kernel is pooled_curvature:
        C, n_weights = C.sum(axis=1, keepdims=True), 1
    (weight, _), first, second = rows.moments(kernel, model(), statistics.center, n_weights)
    centred = X - statistics.center
    assert np.sum(weight) == pytest.approx(C.sum(), rel=1e-12)
    np.testing.assert_allclose(first, C.T @ centred, atol=1e-11)
    np.testing.assert_allclose(second, C.T @ centred**2, rtol=1e-11, atol=1e-9)
    means = C.T @ X / C.sum(axis=0)[:, np.newaxis]
    grams = rows.drawn_grams(kernel, model(), means, N, statistics)
    for gram, c, mean in zip(grams, C.T, means, strict=True):
        expected = (X - mean).T @ (c[:, np.newaxis] * (X - mean))
        np.testing.assert_allclose(gram, expected, rtol=1e-9, atol=1e-9)


def test_drawn_grams_are_near_those_of_all(make_rows):
    X, _, s = data()
    rows = make_rows()
    statistics = ColumnStatistics.of(rows, True)
    means = (s @ X / s.sum())[np.newaxis]
    (drawn,) = rows.drawn_grams(row_weights, None, means, 150, statistics)
    (whole,) = rows.drawn_grams(row_weights, None, means, N, statistics)
    varies = np.delete(np.arange(P), 2)
    L = np.linalg.inv(np.linalg.cholesky(whole[np.ix_(varies, varies)]))
    eigenvalues = np.linalg.eigvalsh(L @ drawn[np.ix_(varies, varies)] @ L.T)
    assert 0.5 < eigenvalues.min() < eigenvalues.max() < 1.6
    assert not np.allclose(eigenvalues, 1, atol=1e-6)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_statistics_of_the_columns(make_rows, fit_intercept, dtype):
    X, _, s = data()
    statistics = ColumnStatistics.of(make_rows().astype(dtype), fit_intercept)
    mean = s @ X / s.sum() if fit_intercept else np.zeros(P)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(statistics.mean, mean, rtol=tolerance)
    expected = s @ (X - mean) ** 2 / s.sum()
    np.testing.assert_allclose(statistics.variance, expected, rtol=1e3 * tolerance, atol=1e-12)
    if fit_intercept:
        assert statistics.mean[2] == 7
        assert statistics.variance[2] == 0


def test_some_of_the_columns(make_rows, targets):
    X, _, s = data()
    columns = np.array([4, 0, 2])
    W, b = model()
    rows = make_rows(targets)
    some = rows.select(columns)
    assert (some.n_samples, some.n_features, some.n_classes) == (N, 3, K)
    P_some = softmax_rows(X[:, columns] @ W[:, columns].T + b)
    R = (P_some - targets.matrix(np.float64).T) * (s / s.sum())[:, np.newaxis]
    _, G, _ = some.sums(residuals, (np.ascontiguousarray(W[:, columns]), b))
    np.testing.assert_allclose(G, R.T @ X[:, columns], atol=1e-12)
    assert rows.astype(np.float32).select(columns).dtype == np.float32


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
def test_columns_of_which_values_are_stored(make_objective, layout):
    X = np.array([[0.0, 1.0, 0.0], [2.0, 3.0, 0.0]])
    held = make_objective(layout(X), np.arange(2)).rows.held_columns()
    np.testing.assert_array_equal(held, [True, True, layout is np.asarray])


def test_a_column_is_held_where_no_value_is_stored(make_objective):
    held = make_objective(sparse.csr_array((4, 3)), np.arange(4) % 2).rows.held_columns()
    np.testing.assert_array_equal(held, [True, False, False])


def test_facts(make_rows, targets):
    _, _, s = data()
    rows = make_rows(targets)
    assert (rows.n_samples, rows.n_features, rows.n_classes) == (N, P, K)
    assert rows.dtype == np.float64
    assert rows.smallest_weight == pytest.approx(s.min() / s.sum())
    assert rows.are_one_hot == targets.are_one_hot
    expected = targets.matrix(np.float64) @ s / s.sum()
    np.testing.assert_allclose(rows.class_weight, expected, rtol=1e-12)
    assert rows.work > 0
    assert rows.spare_bytes >= 2**28
    assert rows.coef_dtype == np.float64
    single = rows.astype(np.float32)
    assert single.dtype == np.float32
    assert rows.astype(np.float64).dtype == np.float64
    (loss, *_), *_ = rows.sums(residuals, model())
    (single_loss, *_), *_ = single.sums(residuals, model())
    assert single_loss == pytest.approx(loss, rel=1e-6)
    assert single_loss != loss


def stored_dtypes(rows):
    """Of the values in the blocks."""
    return {block.X.dtype for part in rows.parts for block in part}


def test_workers_keep_no_copy(threads):
    """Their rows may take half of their memory."""
    X, y, s = data()
    rows = RowsMaker(X, Targets(y, K), s, s.sum())(threads).astype(np.float32)
    W, b = model()
    for some, columns in ((rows, np.arange(P)), (rows.select(np.arange(2)), np.arange(2))):
        some.sums(residuals, (np.ascontiguousarray(W[:, columns]), b))
        assert stored_dtypes(some) == {X.dtype}


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray, np.flipud])
def test_one_copy_in_float32_is_as_good_as_blocks(threads, tmp_path, layout):
    """Blocks of a map are converted each time: the same sums to the bit. X stays what it was."""
    rng = np.random.default_rng(0)
    X, y, s = rng.normal(size=(N, P)), rng.integers(0, K, N), np.full(N, 1 / N)
    rows, by_blocks = (
        DenseRows(values, Targets(y, K), s, threads).astype(np.float32)
        for values in (layout(X), mapped(layout(X), tmp_path))
    )
    sums, expected = rows.sums(residuals, model()), by_blocks.sums(residuals, model())
    for one, other in zip((*sums[0], *sums[1:]), (*expected[0], *expected[1:]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert stored_dtypes(rows) == {np.dtype(np.float32)}
    again = rows.astype(np.float64)
    np.testing.assert_array_equal(again.parts[0][0].X, layout(X)[again.parts[0][0].rows])


@pytest.mark.parametrize("lam", [0.0, 0.01])
def test_the_whole_hessian(make_rows, threads, lam):
    """Its factor, leverages and still margins ask rows for nothing else."""
    X, y, _ = data()
    objective = Objective(make_rows(), Penalty(lam), True, threads)
    theta = objective.pack(*(part - part.mean(axis=0) for part in model()))
    T = whole(Curvature(objective), theta)
    V = np.random.default_rng(2).standard_normal(objective.shape)
    V -= V.mean(axis=0)
    V[:, 2] = 0  # the constant column
    HV = objective.hessian_operator(theta)(V.ravel()).reshape(objective.shape)
    back = T.forward(T.backward(HV))
    X1 = np.column_stack([X, np.ones(N)])
    np.testing.assert_allclose(X1 @ back.T, X1 @ V.T, rtol=1e-6, atol=1e-6)
    assert T.largest_leverage() <= T.leverage_bound()
    columns, labels = T.sums.columns_and_labels()
    assert columns.shape == (P + 1, N)
    np.testing.assert_array_equal(labels, y == np.arange(K)[:, np.newaxis])
    G = T.sums.gram_of_still_margins(theta, 1e9)
    assert np.all(np.linalg.eigvalsh(G) > -1e-9)


def test_a_fit_is_that_of_the_array(make_rows, make_solver, make_objective):
    X, y, s = data()
    expected = make_objective(X, y, s, lam=0.01)
    start = expected.null_model()[0]
    reference = make_solver("lbfgs", tol=1e-14).minimize(expected, start, lambda state: False)
    whole = expected.on(make_rows())
    result = make_solver("lbfgs", tol=1e-14).minimize(whole, start, lambda state: False)
    assert result.converged
    assert result.value == pytest.approx(reference.value, rel=1e-12)
    scale = np.abs(reference.theta).max()
    np.testing.assert_allclose(result.theta, reference.theta, rtol=0, atol=1e-6 * scale)


KERNELS = [
    residuals,
    partial(residuals, keeps_probabilities=True),
    loss_and_accuracy,
    hessian_product,
    partial(dual_entropy, share=0.9),
    partial(dual_entropy_at, share=0.9, P=np.full((K, N), 1 / K)),
    logit_range,
    margins,
    class_curvature,
    pooled_curvature,
    partial(pair_curvature, first=np.arange(2), second=np.arange(1, 3)),
    partial(pair_curvature_at, first=np.arange(2), second=np.arange(1, 3)),
    partial(still_margins, first=np.arange(2), second=np.arange(1, 3), size=1.0),
    row_weights,
]


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_can_be_sent_elsewhere_and_change_nothing_but_logits(kernel, threads):
    X, y, s = data()
    (block,) = as_rows(X, Targets(y, K), s, threads).parts[0]
    before = [a.copy() for a in (block.X, block.targets.y, block.weights)]
    is_of_two = getattr(kernel, "func", kernel) in (hessian_product, dual_entropy)
    Z = np.random.default_rng(0).standard_normal((2 * K if is_of_two else K, N))
    Z[K:] *= 0.1  # a step along which probabilities stay positive
    there = pickle.loads(pickle.dumps(kernel))
    one, other = kernel(block, Z.copy()), there(pickle.loads(pickle.dumps(block)), Z.copy())
    assert repr(one) == repr(other)
    for a, b in zip((block.X, block.targets.y, block.weights), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_columns_are_computed_in_the_same_dtype(make_objective, dtype):
    X, y, s = data()
    rows = make_objective(X, y, s).rows.astype(dtype)
    assert rows.with_columns(X[:, :2]).dtype == dtype
    assert rows.take(np.arange(50)).dtype == dtype
    assert rows.by_rows().dtype == dtype


@pytest.mark.parametrize("kind", ["two arrays", "shares of arrays"])
def test_parts_are_worth_what_the_whole_is(kind, threads, tmp_path):
    """Solvers decide alike."""
    X, y, s = data()
    parts, whole = (KINDS[k](X, Targets(y, K), s, threads, tmp_path) for k in (kind, "C"))
    assert parts.work == whole.work
    assert parts.precisions == whole.precisions
    assert parts.spare_bytes >= whole.spare_bytes


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
def test_neither_logits_nor_rows_leave_a_device(library, threads, tmp_path, monkeypatch):
    """Not for an evaluation, a Hessian or a product with it, nor for changes of variables."""
    X, y, s = data()
    there, here = (KINDS[k](X, Targets(y, K), s, threads, tmp_path) for k in (library, "C"))

    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr("sk_softmax._rows._device.writable", refuse)

    def asked(rows):
        objective = Objective(rows, Penalty(0.1), True, threads)
        theta = objective.pack(*model())
        curvature = Curvature(objective)
        value, gradient, accuracy, _ = objective.evaluate(theta)
        moments, blocks = curvature.of_classes(theta)
        pooled, covariance = curvature.pooled(theta)
        return [
            *(value, gradient, accuracy, moments.weight, moments.residual, blocks, covariance),
            *(pooled.weight, curvature.pair_sums.hessian(theta)),
            *(curvature.mean, curvature.variance, curvature.covariance),
            *(objective.hessian_operator(theta)(theta), objective.loss(theta)),
            *(objective.gains_along(theta), objective.logit_range(theta)),
            *(sums for pairs in (True, False) for sums in _sums_of_all(objective, pairs)[:2]),
        ]

    expected = asked(here)
    first_row = there.first_row()
    monkeypatch.setattr(type(there), "first_row", lambda rows: first_row)
    monkeypatch.setattr(DeviceArray, "__array__", refuse)
    for one, other in zip(asked(there), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
