import gc
import multiprocessing
import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from reference import make_problem
from sklearn.model_selection import GridSearchCV
from threadpoolctl import ThreadpoolController, threadpool_limits

from sk_softmax import SoftmaxRegression
from sk_softmax._objective import Objective
from sk_softmax._threads import RowThreads


def blas_threads():
    """Number of threads of each BLAS."""
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return [library.num_threads for library in libraries]


@pytest.fixture(autouse=True)
def two_blas_threads():
    """A limit above one, so that holding BLAS at one is seen, on any machine."""
    with threadpool_limits(2, user_api="blas"):
        if set(blas_threads()) != {2}:
            pytest.skip("no BLAS whose threads can be set")
        yield
        assert set(blas_threads()) == {2}, "the limit was not restored"


def test_blas_is_held_at_one_thread_inside():
    with RowThreads():
        assert set(blas_threads()) == {1}
    assert set(blas_threads()) == {2}


def test_a_context_can_be_entered_again():
    threads = RowThreads()
    for _ in range(2):
        with threads:
            threads.n_threads = 2
            assert threads.map(abs, [-1, -2]) == [1, 2]
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {2}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_limit_is_restored_after_an_exception(error):
    def fail(item):
        raise error

    def work():
        with RowThreads() as threads:
            threads.n_threads = 2
            threads.map(fail, [1, 2, 3])

    with pytest.raises(error):
        work()
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("first_out", [0, 1])
def test_the_last_of_two_contexts_restores_the_limit(first_out):
    contexts = [RowThreads(), RowThreads()]
    for context in contexts:
        context.__enter__()
    try:
        contexts[first_out].__exit__(None, None, None)
        assert set(blas_threads()) == {1}
    finally:
        contexts[1 - first_out].__exit__(None, None, None)
    assert set(blas_threads()) == {2}


def in_a_thread(function):
    """The function's result; raises what it raises."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result(timeout=60)


def test_blas_is_held_in_a_thread_though_another_has_set_a_limit():
    """As that of the fixture; threadpoolctl 3.8 heeds the first thread alone."""

    def held():
        with RowThreads():
            return blas_threads()

    assert set(in_a_thread(held)) == {1}
    assert set(blas_threads()) == {2}


def test_the_last_context_may_be_left_by_another_thread():
    context = RowThreads()
    context.__enter__()
    assert set(blas_threads()) == {1}
    in_a_thread(lambda: context.__exit__(None, None, None))
    assert set(blas_threads()) == {2}


def test_whoever_sets_a_limit_after_a_fit_is_heeded():
    def limited():
        with threadpool_limits(1, user_api="blas"):
            return blas_threads()

    with ThreadPoolExecutor(1) as pool:  # its thread lives on
        pool.submit(RowThreads().__enter__).result(timeout=60).__exit__(None, None, None)
        assert set(pool.submit(limited).result(timeout=60)) == {1}
        assert set(blas_threads()) == {2}
        assert set(limited()) == {1}
        assert set(blas_threads()) == {2}


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize("n_jobs", [None, 1, 2, 8, -1])
def test_never_more_threads_than_the_limit_in_force(limit, n_jobs):
    with threadpool_limits(limit, user_api="blas"), RowThreads(n_jobs) as threads:
        assert 1 <= threads.n_threads <= (1 if n_jobs == 1 else limit)
        if n_jobs is None:
            assert threads.n_threads == limit


def test_nested_contexts_share_the_cores():
    with RowThreads() as outer, RowThreads() as inner:
        assert (outer.n_threads, inner.n_threads) == (2, 1)
    with RowThreads() as alone:
        assert alone.n_threads == 2


def test_map_keeps_the_order_of_the_items():
    second_done = threading.Event()

    def finish_second_first(item):
        if item == 0:
            assert second_done.wait(timeout=60)
        if item == 1:
            second_done.set()
        return 10 * item

    with RowThreads() as threads:
        threads.n_threads = 2
        assert threads.map(finish_second_first, range(5)) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_map_passes_errors_on(n_threads):
    with RowThreads() as threads:
        threads.n_threads = n_threads
        with pytest.raises(ZeroDivisionError):
            threads.map(lambda item: 1 / item, [1, 0, 2])


@pytest.mark.parametrize("caller_fails", [True, False])
def test_map_waits_for_all_and_passes_the_errors_of_either_thread_on(caller_fails):
    """The calling thread works beside its helpers, and no item is left at work behind its back."""
    both_at_work, finished = threading.Barrier(2), []

    def work(item):
        both_at_work.wait(timeout=60)
        is_caller = threading.current_thread() is threading.main_thread()
        if is_caller == caller_fails:
            raise IndexError(item)
        time.sleep(0.05)
        finished.append(item)

    with RowThreads() as threads:
        threads.n_threads = 2
        with pytest.raises(IndexError):
            threads.map(work, [0, 1])
        assert len(finished) == 1
        assert threads.map(abs, [-1, -2, -3]) == [1, 2, 3]


def test_map_does_not_wait_for_threads_that_are_not_needed():
    may_go_on = threading.Event()
    with RowThreads() as threads:
        threads.n_threads = 2
        threads.map(abs, [0, 1])
        sleeping = threads._pool.submit(may_go_on.wait, 60)  # the only helper
        assert threads.map(abs, [-1, -2, -3]) == [1, 2, 3]
        assert not sleeping.done()
        may_go_on.set()


def test_a_fit_holds_blas_and_restores_it(monkeypatch):
    seen = []
    original = Objective.evaluate

    def recording(self, theta):
        seen.extend(blas_threads())
        return original(self, theta)

    monkeypatch.setattr(Objective, "evaluate", recording)
    SoftmaxRegression().fit(*make_problem(0))
    assert set(seen) == {1}
    assert set(blas_threads()) == {2}


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_a_failing_fit_restores_blas(fail_at_call, solver):
    fail_at_call("evaluate", 1, MemoryError)
    with pytest.raises(MemoryError):
        SoftmaxRegression(solver).fit(*make_problem(0))
    assert set(blas_threads()) == {2}


def test_an_n_jobs_that_makes_no_sense_leaves_blas_alone():
    with pytest.raises(ValueError, match="n_jobs"):
        SoftmaxRegression(n_jobs=0).fit(*make_problem(0))
    assert set(blas_threads()) == {2}


def fit_and_predict(solver, seed):
    X, y = make_problem(seed, n=400, p=10)
    model = SoftmaxRegression(solver, tol=None, max_iter=20, random_state=0).fit(X, y)
    return model.predict_proba(X)


@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_eight_fits_in_threads_give_the_numbers_of_one(solver):
    expected = [fit_and_predict(solver, seed) for seed in range(16)]
    with ThreadPoolExecutor(8) as executor:
        together = list(executor.map(lambda seed: fit_and_predict(solver, seed), range(16)))
    for one, other in zip(expected, together, strict=True):
        np.testing.assert_array_equal(one, other)
    assert set(blas_threads()) == {2}


def test_fits_that_fail_beside_fits_that_work_restore_blas():
    X, y = make_problem(0, n=400)
    bad_X = np.where(X > 2, np.nan, X)

    def work(i):
        if i % 2:
            with pytest.raises(ValueError, match="NaN"):
                SoftmaxRegression().fit(bad_X, y)
            return None
        return SoftmaxRegression().fit(X, y).loss_

    with ThreadPoolExecutor(4) as executor:
        losses = [loss for loss in executor.map(work, range(16)) if loss is not None]
    assert len(losses) == 8
    assert len(set(losses)) == 1
    assert set(blas_threads()) == {2}


def test_worker_processes_give_the_same_numbers():
    X, y = make_problem(0, n=400)
    model = SoftmaxRegression("sgd", max_iter=5, tol=None, random_state=0)
    fitted = Parallel(n_jobs=2, backend="loky")(delayed(model.fit)(X, y) for _ in range(2))
    model.fit(X, y)
    for worker in fitted:
        np.testing.assert_array_equal(worker.coef_, model.coef_)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_fork_after_a_fit_gives_the_same_numbers():
    """A child has none of the threads of its parent, and must not wait for them."""
    expected = fit_and_predict("lbfgs", 0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        found = pool.starmap_async(fit_and_predict, [("lbfgs", 0)] * 4).get(timeout=120)
    for P in found:
        np.testing.assert_array_equal(P, expected)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_search_in_parallel_finds_the_same_numbers(backend):
    X, y = make_problem(0, n=200)
    grid = {"C": [0.01, 1.0, 100.0]}
    searches = []
    for n_jobs in (1, 2):
        search = GridSearchCV(SoftmaxRegression(), grid, cv=3, n_jobs=n_jobs)
        with parallel_config(backend=backend):
            searches.append(search.fit(X, y))
    alone, together = searches
    np.testing.assert_array_equal(
        alone.cv_results_["mean_test_score"], together.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(alone.best_estimator_.coef_, together.best_estimator_.coef_)


def test_eight_threads_predict_with_one_model():
    X, y = make_problem(0, n=2000)
    model = SoftmaxRegression().fit(X, y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(8) as executor:
        found = list(executor.map(lambda _: model.predict_proba(X), range(64)))
    for P in found:
        np.testing.assert_array_equal(P, expected)


def test_many_fits_leave_no_memory_behind():
    """The hundredth fit ends with what the tenth did, but for some kilobytes of caches."""
    X, y = make_problem(0)

    def allocated_after(fits):
        for i in range(fits):
            SoftmaxRegression(("lbfgs", "sgd")[i % 2], max_iter=5, tol=None).fit(X, y)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first, last = allocated_after(10), allocated_after(90)
    finally:
        tracemalloc.stop()
    assert last - first < 100_000


def test_a_nested_map_does_not_wait_for_itself(threads):
    threads.n_threads = 2
    items = range(4)
    nested = threads.map(lambda i: threads.map(lambda j: 10 * i + j, items), items)
    assert nested == [[10 * i + j for j in items] for i in items]
