"""Row threads, and BLAS pools held at one thread while they run.

NumPy and SciPy each bring a BLAS with a pool of its own. A pool that has just finished a
product keeps its cores spinning for a while, so two pools used in turn wait for each other:
on a table of 2000 x 64 that alone costs a factor of twenty. While a fit runs, every BLAS is
therefore held at one thread, and the cores go to threads that share the parts of the rows.
"""

import functools
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from joblib import effective_n_jobs
from threadpoolctl import ThreadpoolController

# Multiplications, of a millisecond or two, below which threads that wait for each other's Python
# cost more than they save.
_THREADED_WORK = 2**26


@functools.cache
def _blas():
    """Controller of the loaded BLAS libraries; finding them costs milliseconds."""
    return ThreadpoolController().select(user_api="blas")


def _set_limits(limits):
    """Set the number of threads of each BLAS, whichever thread asks, now and the next time.

    From 3.8 on threadpoolctl heeds the first thread that set a limit of OpenBLAS, and ignores the
    others without a word. The limit is that of the process all the same; `_BlasHold` keeps its
    threads in order.
    """
    for library, limit in zip(_blas().lib_controllers, limits, strict=True):
        share_control = getattr(library, "clear_controlling_thread", lambda force: None)
        share_control(force=True)
        library.set_num_threads(limit)
        share_control(force=True)


class _BlasHold:
    """Holds every BLAS of the process at one thread as long as anyone asks for it.

    The limit is global to the process while fits may run in several Python threads: it is
    set by the first to enter and lifted by the last to leave. The cores that BLAS could use
    before are shared out between the fits at work.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._holders = 0
        self._limits = []  # those before, of each BLAS
        self._n_cores = 1

    def __enter__(self):
        with self._lock:
            if self._holders == 0:
                self._limits = [library.num_threads for library in _blas().lib_controllers]
                self._n_cores = min(self._limits) if self._limits else effective_n_jobs(-1)
                if max(self._limits, default=1) > 1:
                    _set_limits([1] * len(self._limits))
            self._holders += 1
            return max(1, self._n_cores // self._holders)

    def __exit__(self, *exc_info):
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and max(self._limits, default=1) > 1:
                _set_limits(self._limits)


_blas_hold = _BlasHold()


class RowThreads:
    """Context in which `map` spreads work over threads and BLAS calls are single-threaded.

    `n_jobs=None` takes as many threads as BLAS was allowed, so that a fit inside a worker
    process that joblib limits to one thread keeps to it; a number, by joblib's rules, can
    only lower that. `n_cores`, if given, takes the place of what BLAS was allowed.
    """

    def __init__(self, n_jobs=None, n_cores=None):
        self.n_jobs, self._n_cores = n_jobs, n_cores
        self._pool = None
        self._busy = False

    def __enter__(self):
        wanted = float("inf") if self.n_jobs is None else effective_n_jobs(self.n_jobs)
        share = _blas_hold.__enter__()
        self.n_threads = min(wanted, self._n_cores or share)
        return self

    def __exit__(self, *exc_info):
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        _blas_hold.__exit__(*exc_info)

    @property
    def are_started(self):
        """Whether there are threads beside the calling one."""
        return self._pool is not None

    def map(self, function, items, work=np.inf):
        """``[function(item) for item in items]``, the results in order.

        The calling thread works, too, and whoever is free takes the next item, so that a thread
        that wakes up late keeps nobody waiting. `work` is the number of multiplications in all;
        few are not worth a thread. Called from within such a function it uses no further threads:
        they would wait for those that wait for them.
        """
        if self.n_threads == 1 or len(items) == 1 or work < _THREADED_WORK or self._busy:
            return [function(item) for item in items]
        if not self.are_started:
            self._pool = ThreadPoolExecutor(
                self.n_threads - 1, thread_name_prefix="sk_softmax", initializer=_ignore_overflow
            )
        results, places = [None] * len(items), deque(range(len(items)))

        def take():
            while True:
                try:
                    i = places.popleft()
                except IndexError:
                    return
                results[i] = function(items[i])

        self._busy = True
        helpers = [self._pool.submit(take) for _ in range(min(self.n_threads, len(items)) - 1)]
        try:
            take()
        finally:
            places.clear()
            started = [helper for helper in helpers if not helper.cancel()]
            wait(started)
            self._busy = False
        for helper in started:
            helper.result()
        return results


def _ignore_overflow():
    """In a thread of its own, where no errstate of the caller's holds: solvers check results."""
    np.seterr(over="ignore", invalid="ignore")
