"""Fits on a cluster of two processes, and what becomes of them when it fails."""

import gc
import os
import platform
import resource
import signal
import time

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster, wait
from reference import make_problem
from scipy import sparse

from sk_softmax import SoftmaxRegression
from sk_softmax._allocator import freed_memory_is_kept
from sk_softmax._cluster import Cluster, assigned, grouped
from sk_softmax.dask import DaskSoftmaxRegression

N, P = 400, 5
TIGHT = {"tol": 1e-12}


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def data():
    X, y = make_problem(3, n=N, p=P)
    return X, y, np.random.default_rng(0).uniform(0.2, 3, size=N)


def cut(array, size=50):
    return da.from_array(array, chunks=(size, *array.shape[1:]))


def assert_same(model, reference):
    """Coefficients to 1e-9, as many evaluations up to two."""
    assert model.loss_ == pytest.approx(reference.loss_, rel=1e-12)
    scale = np.abs(reference.coef_).max()
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=1e-9 * scale)
    n_evaluations = [m.history_["n_evaluations"][-1] for m in (model, reference)]
    assert abs(np.subtract(*n_evaluations)) <= 2


def test_workers_keep_what_they_have_up_to_their_share_of_threads():
    homes = [["a"]] * 6 + [["b"]] * 2 + [["gone"], []]
    kept = assigned([10.0] * 10, homes, {"a": 1, "b": 1})
    assert kept["a"] == [0, 1, 2, 3, 4]
    assert kept["b"] == [5, 6, 7, 8, 9]
    kept = assigned([10.0] * 8, [["a"]] * 8, {"a": 1, "b": 3})
    assert [len(kept[address]) for address in "ab"] == [2, 6]
    assert assigned([10.0], [["b"]], {"a": 1, "b": 1}) == {"b": [0]}


def test_small_partitions_are_joined():
    groups = grouped([0, 2, 3, 5, 6], [4, 0, 4, 4, 0, 99, 1], joined_bytes=10)
    assert groups == [[0, 2], [3], [5], [6]]


@pytest.mark.parametrize("layout", ["dense", "csr"])
def test_a_fit_is_that_of_the_array(client, data, layout):
    X, y, s = data
    dX = cut(X) if layout == "dense" else cut(X).map_blocks(sparse.csr_matrix)
    held_out = {"X_val": cut(X[:90]), "y_val": cut(y[:90])}
    model = DaskSoftmaxRegression(**TIGHT).fit(dX, cut(y), cut(s), **held_out)
    here = X if layout == "dense" else sparse.csr_array(X)
    reference = SoftmaxRegression(**TIGHT).fit(here, y, s, X_val=X[:90], y_val=y[:90])
    assert_same(model, reference)
    assert model.history_["validation_loss"][-1] == pytest.approx(
        reference.history_["validation_loss"][-1]
    )
    np.testing.assert_array_equal(model.predict(dX).compute(), reference.predict(here))
    assert model.score(dX, cut(y), cut(s)) == pytest.approx(reference.score(here, y, s))


def test_one_task_for_each_worker_and_evaluation(client, data, monkeypatch):
    X, y, _ = data
    asked = []
    original = Cluster.map

    def counting(self, function, *values, **options):
        asked.append((getattr(function, "__name__", ""), len(values[0])))
        return original(self, function, *values, **options)

    monkeypatch.setattr(Cluster, "map", counting)
    DaskSoftmaxRegression().fit(cut(X), cut(y))
    answers = [number for name, number in asked if name == "_answer"]
    assert set(answers) == {2}
    assert len(answers) > 10


def test_questions_that_are_large_are_handed_from_worker_to_worker(client):
    """As with 80,000 coefficients: to two workers their bytes are more than a million."""
    X, y = make_problem(0, n=100, p=8000, n_classes=10)
    model = DaskSoftmaxRegression(C=1e-4).fit(cut(X), cut(y))
    assert model.loss_ == pytest.approx(SoftmaxRegression(C=1e-4).fit(X, y).loss_, rel=1e-4)


@pytest.fixture
def fit_on(client, monkeypatch):
    """Fit on a `Cluster` of other options."""

    def fit(X, y, **options):
        place = Cluster(client, **options)
        monkeypatch.setattr(DaskSoftmaxRegression, "_place", lambda self: place)
        return DaskSoftmaxRegression(**TIGHT).fit(cut(X), cut(y))

    return fit


def test_rows_that_exceed_memory_are_asked_part_by_part(fit_on, data):
    X, y, _ = data
    model = fit_on(X, y, memory_share=0, joined_bytes=100 * P * 8)
    assert_same(model, SoftmaxRegression(**TIGHT).fit(X, y))


def page_faults_of_temporary_arrays():
    """How many pages are mapped anew for ten arrays of a megabyte, one after the other."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(2**17)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def page_faults_while_memory_is_kept():
    with freed_memory_is_kept():
        page_faults_of_temporary_arrays()
        return page_faults_of_temporary_arrays()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what other allocators do differs")
def test_workers_keep_the_memory_of_temporary_arrays(client):
    """2**20 bytes are 256 pages."""
    given_back = client.submit(page_faults_of_temporary_arrays, pure=False).result()
    kept = client.submit(page_faults_while_memory_is_kept, pure=False).result()
    assert kept < 300 < 2000 < given_back


@pytest.fixture
def no_garbage_collector(client):
    """None during a test, and nothing of tests before it that waits for one."""
    for _ in range(100):
        gc.collect()
        if not any(client.has_what().values()):
            break
        time.sleep(0.05)
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("memory_share", [0, 1], ids=["part by part", "in memory"])
def test_nothing_is_left_on_the_workers(client, data, memory_share, fit_on, no_garbage_collector):
    X, y, _ = data
    fit_on(X, y, memory_share=memory_share)
    for _ in range(100):
        if not any(client.has_what().values()):
            break
        time.sleep(0.02)
    assert not any(client.has_what().values())


def test_the_partition_with_nan_is_named(client, data, state_of):
    X, y, _ = data
    model = DaskSoftmaxRegression().fit(cut(X), cut(y))
    before = state_of(model)
    X = X.copy()
    X[330, 2] = np.nan
    with pytest.raises(ValueError, match=r"Partition 6 of X and y: .*NaN"):
        model.fit(cut(X), cut(y))
    assert state_of(model) == before


def test_an_asynchronous_client_is_refused(client, data):
    X, y, _ = data

    class Asynchronous:
        asynchronous = True

    with pytest.raises(ValueError, match="client is asynchronous"):
        DaskSoftmaxRegression(client=Asynchronous()).fit(cut(X), cut(y))


class DyingCluster(Cluster):
    """One of whose workers is killed as a fit asks for the k-th time: one that is asked."""

    def __init__(self, client, k):
        super().__init__(client)
        self._left = k

    def map(self, function, *values, **options):
        self._left -= 1
        if self._left == 0:
            wait(values[-1])
            (victim,) = self._client.who_has(values[-1][-1:]).popitem()[1]
            os.kill(self._client.run(os.getpid)[victim], signal.SIGKILL)
        return super().map(function, *values, **options)


@pytest.mark.parametrize("k", [1, 10])
def test_a_worker_that_dies_is_done_without(client, data, monkeypatch, k):
    """At first while partitions are checked, and then in the middle of the fit."""
    X, y, _ = data
    client.wait_for_workers(2, timeout=30)
    monkeypatch.setattr(DaskSoftmaxRegression, "_place", lambda self: DyingCluster(client, k))
    model = DaskSoftmaxRegression(**TIGHT).fit(cut(X), cut(y))
    assert_same(model, SoftmaxRegression(**TIGHT).fit(X, y))


def test_rows_that_died_with_a_worker_are_an_error(client, data, monkeypatch, state_of):
    X, y, _ = data
    client.wait_for_workers(2, timeout=30)
    model = DaskSoftmaxRegression().fit(cut(X), cut(y))
    before = state_of(model)
    futures = client.scatter([X[:200], X[200:]])  # which nobody can make again
    parts = [da.from_delayed(future, (200, P), dtype=float) for future in futures]
    monkeypatch.setattr(DaskSoftmaxRegression, "_place", lambda self: DyingCluster(client, 10))
    with pytest.raises(RuntimeError, match="The cluster lost rows of the fit"):
        model.fit(da.concatenate(parts), cut(y, 200))
    assert state_of(model) == before
