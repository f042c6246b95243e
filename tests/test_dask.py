"""Fits of Dask collections in this process: any container, label and weight, and bad ones."""

import copy
import pickle
from itertools import pairwise

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from reference import make_problem
from scipy import sparse
from sklearn.base import clone

from sk_softmax import SoftmaxRegression
from sk_softmax.dask import DaskSoftmaxRegression

N, P = 90, 4
CUTS = (40, 0, 20, 30)  # one partition is empty
TIGHT = {"tol": 1e-12}


@pytest.fixture(scope="module")
def data():
    X, y = make_problem(3, n=N, p=P)
    return X, y, np.random.default_rng(0).uniform(0.2, 3, size=N)


def cut(array, cuts=CUTS):
    """A dask array of an array, or of CSR chunks."""
    return da.from_array(array, chunks=(cuts, *array.shape[1:]))


def csr_chunks(X):
    return cut(X).map_blocks(sparse.csr_matrix)


def unknown_chunks(X):
    return dd.from_pandas(pd.DataFrame(X), npartitions=3).values


def frame(X, cuts=CUTS):
    """A data frame in partitions, whose divisions are not known."""
    edges = np.cumsum([0, *cuts])
    parts = [dask.delayed(X.iloc[start:stop]) for start, stop in pairwise(edges)]
    # Tasks of Dask ask the same index in several threads whether its labels are unique. Older
    # releases of pandas may answer no while the first asks (pandas-dev/pandas#21150), so that it
    # is asked here.
    assert X.columns.is_unique
    return dd.from_delayed(parts, meta=X.iloc[:0])


def named(X):
    return pd.DataFrame(X, columns=list("abcd"))


def assert_same(model, reference):
    """The same minimum, and the same attributes."""
    np.testing.assert_array_equal(model.classes_, reference.classes_)
    assert model.loss_ == pytest.approx(reference.loss_, rel=1e-11)
    for name in ("coef_", "intercept_"):
        expected = getattr(reference, name)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(getattr(model, name), expected, rtol=0, atol=1e-6 * scale)
        assert getattr(model, name).dtype == expected.dtype
    assert (model.solver_, model.converged_) == ("lbfgs", reference.converged_)
    ours, theirs = set(vars(model)), set(vars(reference))
    assert ours - {"client"} == theirs


CONTAINERS = {
    "dense": (cut, cut),
    "columns cut": (lambda X: cut(X).rechunk((None, 2)), cut),
    "y cut otherwise": (cut, lambda y: da.from_array(y, chunks=50)),
    "csr": (csr_chunks, cut),
    "unknown chunks": (unknown_chunks, unknown_chunks),
    "frame": (lambda X: frame(named(X)), lambda y: frame(pd.DataFrame({"y": y}))["y"]),
    "frame, y an array": (lambda X: frame(named(X)), cut),
    "float32": (lambda X: cut(X.astype(np.float32)), cut),
    "int8": (lambda X: cut(np.round(20 * X).astype(np.int8)), cut),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers(data, container):
    X, y, s = data
    of_X, of_y = CONTAINERS[container]
    y_in = y
    if container == "unknown chunks":
        y_in = y[:, np.newaxis]  # which is raveled below
    dX, dy = of_X(X), of_y(y_in)
    if container == "unknown chunks":
        dy = dy[:, 0]
        model = DaskSoftmaxRegression(**TIGHT).fit(dX, dy)
        s = None
    else:
        model = DaskSoftmaxRegression(**TIGHT).fit(dX, dy, cut(s))
    same = dX.compute()
    reference = SoftmaxRegression(**TIGHT).fit(same, y, s)
    assert_same(model, reference)
    if container == "frame":
        assert list(model.feature_names_in_) == list("abcd")
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        lazy, expected = getattr(model, method)(dX), getattr(model.to_local(), method)(same)
        assert isinstance(lazy, da.Array)
        found = lazy.compute()
        assert (lazy.dtype, lazy.ndim) == (expected.dtype, expected.ndim)
        assert lazy._meta.dtype == found.dtype
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(getattr(model, method)(same), expected)
        assert lazy.shape[1:] == expected.shape[1:]
    if container != "unknown chunks":
        assert model.score(dX, dy, cut(s)) == pytest.approx(model.to_local().score(same, y, s))
    assert model.score(same, y) == pytest.approx(model.score(dX, dy))


LABELS = {
    "str": np.array(["b", "a", "long name"]),
    "object": np.array(["b", "a", "c"], dtype=object),
    "float": np.array([2.0, -1.0, 7.0]),
    "bool": np.array([True, False, True]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels(data, kind):
    X, y, _ = data
    labels = LABELS[kind][y]
    model = DaskSoftmaxRegression(**TIGHT).fit(cut(X), cut(labels))
    assert_same(model, SoftmaxRegression(**TIGHT).fit(X, labels))
    assert model.predict(cut(X)).dtype == model.classes_.dtype
    np.testing.assert_array_equal(model.predict(cut(X)).compute(), model.predict(X))


@pytest.mark.parametrize("dtype", ["category", "string", "Int64"])
def test_labels_of_a_frame(data, dtype):
    X, y, _ = data
    labels = y if dtype == "Int64" else np.array(["x", "y", "z"])[y]
    table = named(X).assign(label=pd.Series(labels, dtype=dtype))
    df = dd.from_pandas(table, npartitions=3)
    model = DaskSoftmaxRegression(**TIGHT).fit(df[list("abcd")], df["label"])
    assert_same(model, SoftmaxRegression(**TIGHT).fit(named(X), table["label"]))


def test_a_class_in_one_partition_only(data):
    X, y, s = data
    order = np.argsort(y, kind="stable")
    X, y, s = X[order], y[order], s[order]
    model = DaskSoftmaxRegression(**TIGHT).fit(cut(X), cut(y), cut(s))
    assert_same(model, SoftmaxRegression(**TIGHT).fit(X, y, s))


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 0, 1: 2, 2: 0.5}])
@pytest.mark.parametrize("soft", [False, True])
def test_weights_of_classes_and_soft_targets(data, class_weight, soft):
    X, y, s = data
    s = s * (np.arange(N) % 5 > 0)  # some rows have none
    parameters = {"class_weight": class_weight, "label_smoothing": 0.1, **TIGHT}
    if soft:
        Q = np.random.default_rng(1).dirichlet(np.ones(3), size=N)
        Q[:45] = np.eye(3)[y[:45]]  # whole partitions of labels
        Q[50:] = Q[50:] * [0, 1, 1] / (1 - Q[50:, :1])
        table = pd.DataFrame(Q, columns=[2, 0, 1])
        model = DaskSoftmaxRegression(**parameters).fit(cut(X), frame(table), cut(s))
        reference = SoftmaxRegression(**parameters).fit(X, table, s)
    else:
        model = DaskSoftmaxRegression(**parameters).fit(cut(X), cut(y), cut(s))
        reference = SoftmaxRegression(**parameters).fit(X, y, s)
    assert_same(model, reference)


def test_rows_held_out(data):
    X, y, s = data
    rest, held = slice(0, 60), slice(60, N)
    dask_rows = {"X_val": cut(X[held], (10, 20)), "y_val": cut(y[held], (10, 20))}
    dask_rows["sample_weight_val"] = cut(s[held], (10, 20))
    rows = {"X_val": X[held], "y_val": y[held], "sample_weight_val": s[held]}
    train = [cut(A[rest], (60,)) for A in (X, y)]
    reference = SoftmaxRegression(**TIGHT).fit(X[rest], y[rest], **rows)
    for held_out in (rows, dask_rows):
        model = DaskSoftmaxRegression(**TIGHT).fit(*train, **held_out)
        assert_same(model, reference)
        for name in ("validation_loss", "validation_accuracy"):
            assert model.history_[name][-1] == pytest.approx(reference.history_[name][-1])


def test_early_stopping_holds_out_a_fraction_of_each_class_of_each_partition(data):
    X, y, _ = data
    counted = []

    class Counting(DaskSoftmaxRegression):
        def _hold_out(self, data):
            counted.extend(super()._hold_out(data))
            return counted[-2:]

    parameters = {"early_stopping": True, "validation_fraction": 0.25, "random_state": 0}
    models = [Counting(**parameters).fit(cut(X), cut(y)) for _ in range(2)]
    np.testing.assert_array_equal(models[0].coef_, models[1].coef_)
    train, held = counted[0].facts, counted[1].facts
    for size, part, other in zip(CUTS, train, held, strict=True):
        assert part.n_samples + other.n_samples == size
        assert other.n_samples == pytest.approx(size / 4, abs=1)
    assert counted[0].total_weight + counted[1].total_weight == N
    assert "validation_loss" in models[0].history_
    with pytest.raises(ValueError, match=r"validation_fraction=0\.01 leaves no rows"):
        Counting(early_stopping=True, validation_fraction=0.01).fit(cut(X), cut(y))


def test_warm_start_and_streams_go_on(data):
    X, y, _ = data
    model = DaskSoftmaxRegression(warm_start=True, random_state=0, **TIGHT).fit(cut(X), cut(y))
    n_iter = model.n_iter_[0]
    model.fit(cut(X), cut(y))
    assert model.n_iter_[0] < n_iter / 2
    reference = SoftmaxRegression(random_state=0, **TIGHT).fit(X, y)
    for estimator in (model, reference):
        estimator.partial_fit(X[:20], y[:20])
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-6)


def test_separable_classes_are_found(data):
    X, _, _ = data
    with pytest.warns(UserWarning, match="separate"):
        DaskSoftmaxRegression(C=np.inf).fit(cut(X), cut((X[:, 0] > 0).astype(int)))


def test_copies_and_pickles(data):
    X, y, _ = data
    client = object()
    model = DaskSoftmaxRegression(C=2.0).fit(cut(X), cut(y)).set_params(client=client)
    assert copy.copy(model).client is client
    twin = clone(model)
    assert twin.client is client
    assert twin.C == 2
    assert not hasattr(twin, "coef_")
    assert model.client is client
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.client is None
        np.testing.assert_array_equal(again.predict(cut(X)).compute(), model.predict(X))
    local = model.to_local()
    assert type(local) is SoftmaxRegression
    assert local.get_params() == {
        name: value for name, value in model.get_params().items() if name != "client"
    }
    np.testing.assert_array_equal(local.coef_, model.coef_)
    assert "client" not in vars(local)


def test_parameters_are_those_of_the_local_one():
    ours = DaskSoftmaxRegression("lbfgs", C=3).get_params()
    assert ours.pop("client") is None
    assert ours == SoftmaxRegression("lbfgs", C=3).get_params()
    with pytest.raises(TypeError, match="alpha"):
        DaskSoftmaxRegression(alpha=1)


def test_arrays_are_fitted_as_by_the_local_one(data):
    X, y, _ = data
    model, reference = (
        DaskSoftmaxRegression("sgd", random_state=0),
        SoftmaxRegression("sgd", random_state=0),
    )
    np.testing.assert_array_equal(model.fit(X, y).coef_, reference.fit(X, y).coef_)


def test_where_rows_are_is_said(data, capsys):
    X, y, _ = data
    DaskSoftmaxRegression(verbose=1).fit(cut(X), cut(y))
    assert "no client: rows are kept in this process" in capsys.readouterr().out


def spoiled(X, value):
    X = X.copy()
    X[70, 1] = value
    return X


X, y = make_problem(3, n=N, p=P)
ERRORS = {
    "NaN": (lambda: (cut(spoiled(X, np.nan)), cut(y)), "Partition 3 of X and y: .*NaN"),
    "infinity": (lambda: (cut(spoiled(X, np.inf)), cut(y)), "Partition 3 of X and y: .*infinity"),
    "numpy y": (lambda: (cut(X), y), "y must be a dask collection like X"),
    "fewer rows": (lambda: (cut(X), cut(y[1:], (39, 0, 20, 30))), "X has 90 rows, and y 89"),
    "fewer partitions": (
        lambda: (frame(named(X)), frame(pd.DataFrame({"y": y}), (40, 50))["y"]),
        "X has 4 partitions, and y 2",
    ),
    "other partitions": (
        lambda: (frame(named(X)), frame(pd.DataFrame({"y": y}), (30, 10, 20, 30))["y"]),
        "Partition 0 of X and y: .*inconsistent",
    ),
    "other divisions": (
        lambda: (
            dd.from_pandas(named(X), npartitions=3),
            dd.from_pandas(pd.Series(y, index=np.arange(N) + 7), npartitions=3),
        ),
        "different divisions",
    ),
    "one dimension": (lambda: (cut(X)[:, 0], cut(y)), "2 dimensions"),
    "a series": (
        lambda: (frame(named(X))["a"], cut(y)),
        "X must be a dask array or a dask data frame, got Series",
    ),
    "text and numbers": (
        lambda: (
            cut(X),
            cut(y).map_blocks(
                lambda part: part.astype(str) if len(part) == 20 else part, dtype="O"
            ),
        ),
        "text in some partitions and numbers in others",
    ),
    "one class": (lambda: (cut(X), da.zeros_like(cut(y))), "at least 2 classes"),
    "no rows": (lambda: (cut(X)[:0], cut(y)[:0]), "X has no rows"),
    "continuous": (lambda: (cut(X), cut(X[:, 0])), "Partition 0 .*[Cc]ontinuous|Unknown label"),
    "other columns": (
        lambda: (
            da.concatenate(
                [cut(X)[:40], cut(X)[40:].map_blocks(lambda part: part[:, :2], dtype=float)]
            ),
            cut(y),
        ),
        "Partition 1 of X has 2 columns, and partition 0 4",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_is_wrong(case, state_of):
    make, message = ERRORS[case]
    model = DaskSoftmaxRegression().fit(cut(X), cut(y))
    before = state_of(model)
    with pytest.raises((TypeError, ValueError), match=message):
        model.fit(*make())
    assert state_of(model) == before


def test_errors_about_rows_held_out():
    model, held_out = DaskSoftmaxRegression(), (cut(X[:40], (40,)), cut(y[:40], (40,)))
    with pytest.raises(ValueError, match="must be passed together"):
        model.fit(cut(X), cut(y), X_val=held_out[0])
    with pytest.raises(ValueError, match="y_val has labels that are not among the classes"):
        model.fit(cut(X), cut(y), X_val=held_out[0], y_val=held_out[1] + 1)
    with pytest.raises(ValueError, match="X_val has 3 features"):
        model.fit(cut(X), cut(y), X_val=held_out[0][:, :3], y_val=held_out[1])
    with pytest.raises(ValueError, match="Partition 0 of X_val and y_val"):
        model.fit(cut(X), cut(y), X_val=held_out[0] * np.nan, y_val=held_out[1])
    with pytest.raises(TypeError, match="X_val is a dask collection, and X is not"):
        model.fit(X, y, X_val=held_out[0], y_val=held_out[1])


@pytest.mark.parametrize("parameters", [{"solver": "sgd"}, {"momentum": 0.9}])
def test_sgd_says_what_to_do_instead(parameters):
    with pytest.raises(ValueError, match="partial_fit"):
        DaskSoftmaxRegression(**parameters).fit(cut(X), cut(y))
    with pytest.raises(TypeError, match=r"X.partitions\[i\].compute"):
        DaskSoftmaxRegression(**parameters).partial_fit(cut(X), cut(y))
    with pytest.raises(AttributeError, match="balanced"):
        DaskSoftmaxRegression(class_weight="balanced").partial_fit(X, y)


def test_predictions_check_their_columns():
    model = DaskSoftmaxRegression().fit(frame(named(X)), cut(y))
    with pytest.raises(ValueError, match="X has 3 features, but the model was fitted to 4"):
        model.predict(cut(X)[:, :3])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame(named(X)[list("badc")])).compute()


def test_classes_that_are_fixed(data):
    X, y, _ = data
    for smoothing in (0.0, 0.1):
        parameters = {"classes": [0, 1, 2, 5], "label_smoothing": smoothing, **TIGHT}
        model = DaskSoftmaxRegression(**parameters).fit(cut(X), cut(y))
        assert_same(model, SoftmaxRegression(**parameters).fit(X, y))
    with pytest.raises(ValueError, match="not among the classes"):
        DaskSoftmaxRegression(classes=[0, 1]).fit(cut(X), cut(y))


@pytest.mark.uncertified
def test_offsets_are_of_rows_in_memory(data):
    X, y, s = data
    Z = np.outer(s, [0, 1, 2])
    model = DaskSoftmaxRegression(**TIGHT)
    with pytest.raises(ValueError, match="offset is of rows in memory only"):
        model.fit(cut(X), cut(y), offset=cut(Z))
    model.fit(X, y, offset=Z)
    np.testing.assert_array_equal(
        model.predict_proba(X, offset=Z), model.to_local().predict_proba(X, offset=Z)
    )
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="offset is of rows in memory only"):
            method(cut(X), offset=cut(Z))
