"""Long and large runs, each with the figures that it prints.

    python tools/soak.py              # all but the last, about ten minutes on two cores
    python tools/soak.py threads      # one

threads   eight threads fit and predict for two minutes; every number is as if alone
searches  grid searches in two processes and in two threads: the numbers of one job, and its time
memory    1,000 fits of each solver; the memory of the process afterwards
stream    10 million rows of 20 features through partial_fit, in chunks
large     200,000 x 500 dense by "lbfgs"; its memory beside the documented bound
mapped    a file of 19 GB as one memory map, by each solver; their memory beside the bound
"""

import resource
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from sk_softmax import SoftmaxRegression

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from memory import allowed, extra_memory
from reference import make_problem


def resident():
    """Mebibytes of the process now."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize() / 2**20


def threads(seconds=120):
    problems = [make_problem(seed, n=300, p=8) for seed in range(8)]

    def work(seed):
        X, y = problems[seed]
        model = SoftmaxRegression(("lbfgs", "sgd")[seed % 2], tol=None, max_iter=15, random_state=0)
        return model.fit(X, y).predict_proba(X)

    expected = [work(seed) for seed in range(8)]
    deadline, counts, wrong = time.monotonic() + seconds, [0] * 8, []

    def run(seed):
        while time.monotonic() < deadline:
            if not np.array_equal(work(seed), expected[seed]):
                wrong.append(seed)
            counts[seed] += 1

    workers = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(f"threads: {sum(counts)} fits in eight threads, {len(wrong)} of them different")
    assert not wrong


def searches(repeats=3):
    X, y = make_problem(0, n=5000, p=50)
    times, scores = {}, {}
    for _ in range(repeats + 1):  # the first starts processes and does not count
        for backend, n_jobs in (("loky", 1), ("loky", 2), ("threading", 2)):
            search = GridSearchCV(SoftmaxRegression(), {"C": np.logspace(-3, 4, 12)}, n_jobs=n_jobs)
            start = time.perf_counter()
            with parallel_config(backend=backend):
                found = search.fit(X, y).cv_results_["mean_test_score"]
            times.setdefault((backend, n_jobs), []).append(time.perf_counter() - start)
            scores.setdefault((backend, n_jobs), found)
    alone, *together = (float(np.median(seconds[1:])) for seconds in times.values())
    ratios = [f"{seconds / alone:.2f}" for seconds in together]
    print(f"searches: {alone:.2f} s in one job; {ratios[0]} of it in two processes, ", end="")
    print(f"{ratios[1]} in two threads")
    assert all(np.array_equal(found, scores["loky", 1]) for found in scores.values())
    assert max(together) < 1.1 * alone


def memory(fits=1000):
    X, y = make_problem(0)
    for solver in ("lbfgs", "sgd"):
        sizes = []
        for i in range(fits):
            model = SoftmaxRegression(solver, tol=None, max_iter=10).fit(X, y)
            model.predict_proba(X)
            if i in (fits // 10, fits - 1):
                sizes.append(resident())
        early, late = (f"{size:.1f} MiB" for size in sizes)
        print(f"memory: {solver}, {early} after {fits // 10} fits, {late} after {fits}")
        assert sizes[1] - sizes[0] < 5


def stream(rows=10_000_000, chunk=100_000):
    rng = np.random.default_rng(0)
    W, start = rng.standard_normal((20, 3)), time.perf_counter()
    model, before = SoftmaxRegression(random_state=0), resident()
    for _ in range(rows // chunk):
        X = rng.standard_normal((chunk, 20))
        y = (X @ W + rng.gumbel(size=(chunk, 3))).argmax(axis=1)
        model.partial_fit(X, y, classes=[0, 1, 2])
    truth = W - W.mean(axis=1, keepdims=True)
    error = np.abs(model.coef_ - truth.T).max()
    print(
        f"stream: {rows:,} rows in {time.perf_counter() - start:.0f} s, generating them included; "
        f"{resident() - before:.0f} MiB more than before; coefficients off by {error:.3f}"
    )
    assert error < 0.05


def large():
    X, y = make_problem(0, n=200_000, p=500)
    start = time.perf_counter()
    extra, bound = extra_memory(X, y, "lbfgs"), allowed(X, 3)
    print(
        f"large: {X.nbytes / 2**20:.0f} MiB of X, {extra / 2**20:.0f} MiB beyond them, "
        f"{bound / 2**20:.0f} allowed; {time.perf_counter() - start:.0f} s"
    )
    assert extra < bound


def mapped(blocks=240):
    rows, p = 100_000, 784
    rng = np.random.default_rng(0)
    block = (rng.integers(256, size=(rows, 1)) // rng.integers(1, 256, size=p)).astype(np.uint8)
    block[:, :2] = rng.integers(256, size=(rows, 2))
    y = np.tile(block[:, 0] // 86 + (block[:, 1] > 200), blocks)
    with tempfile.TemporaryFile() as file:
        for _ in range(blocks):
            block.tofile(file)
        file.flush()
        X = np.memmap(file, dtype=np.uint8, mode="r", shape=(blocks * rows, p))
        for solver in ("lbfgs", "sgd"):
            start = time.perf_counter()
            extra = extra_memory(X, y, solver, max_iter=1, tol=None)
            print(
                f"mapped: {solver}, {X.nbytes / 1e9:.0f} GB of X, {extra / 1e9:.1f} GB beyond, "
                f"{allowed(X, 4) / 1e9:.1f} allowed; {time.perf_counter() - start:.0f} s"
            )
            assert extra < allowed(X, 4)


if __name__ == "__main__":
    for name in sys.argv[1:] or ["threads", "searches", "memory", "stream", "large"]:
        globals()[name]()
