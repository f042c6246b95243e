"""Time and memory of one evaluation of loss and gradient: ours and scikit-learn's.

    python benchmarks/evaluation.py                       # 60000 x 784, 10 classes
    python benchmarks/evaluation.py --shape 20000 64 1000

On random dense data, whose values do not matter to either. All are timed in turns, each after
an evaluation that warms its threads up; scikit-learn at every combination of one or all threads
for its loss and for BLAS, of which the best counts. The extra memory is the most that NumPy
held during an evaluation, gradient included, beyond the data.
"""

import argparse
import itertools
import json
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from report import in_words
from run import environment
from sklearn._loss import HalfMultinomialLoss
from sklearn.linear_model._linear_loss import LinearModelLoss
from threadpoolctl import threadpool_limits

from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._rows import Targets, as_rows
from sk_softmax._threads import RowThreads


def main():
    """Measure, check that all agree, print and write JSON and Markdown."""
    options = parse_arguments()
    n, p, K = options.shape
    rng = np.random.default_rng(0)
    X = {np.float64: rng.random((n, p))}
    X[np.float32] = X[np.float64].astype(np.float32)
    y = rng.integers(K, size=n)
    theta = rng.standard_normal((K, p + 1)) / np.sqrt(p)
    lam = 1 / n
    entries = [*ours(X, y, theta, lam), *scikit_learn(X, y, theta, lam)]
    check_agreement(entries)
    times = [[] for _ in entries]
    for _ in range(options.repeats):
        for (_, context, evaluate), spent in zip(entries, times, strict=True):
            with context():
                evaluate()
                start = time.perf_counter()
                evaluate()
                spent.append(time.perf_counter() - start)
    rows = [
        {**facts, "seconds": float(np.median(spent)), "times": spent, "extra_bytes": peak(*run)}
        for (facts, *run), spent in zip(entries, times, strict=True)
    ]
    facts = {**environment(), "repeats": options.repeats}
    report = {"environment": facts, "shape": options.shape, "rows": rows}
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / options.name
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1))
    stem.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--shape", nargs=3, type=int, default=[60_000, 784, 10])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--name", default="evaluation")
    return parser.parse_args()


def ours(X, y, theta, lam):
    """Entries (facts, context, evaluate) of our objective, by precision of data and of blocks."""
    K = len(theta)
    for data, blocks in [
        (np.float64, np.float64),
        (np.float64, np.float32),
        (np.float32, np.float64),
        (np.float32, np.float32),
    ]:
        threads = RowThreads()
        with threads:
            rows = as_rows(X[data], Targets(y, K), np.ones(len(y)), threads).astype(blocks)
            objective = Objective(rows, Penalty(lam), True, threads)
        facts = {
            "who": "sk_softmax",
            "data": np.dtype(data).name,
            "detail": f"{np.dtype(blocks).name} blocks",
        }
        yield facts, lambda t=threads: t, lambda o=objective: o.value_and_gradient(theta.ravel())


def scikit_learn(X, y, theta, lam):
    """Entries of scikit-learn's loss object, called as LogisticRegression does."""
    loss = LinearModelLoss(base_loss=HalfMultinomialLoss(n_classes=len(theta)), fit_intercept=True)
    n_all = environment()["cores"]
    for dtype, n_threads, blas in itertools.product(X, {1, n_all}, {1, n_all}):
        arguments = np.asfortranarray(theta, dtype=dtype), X[dtype], y.astype(dtype)
        facts = {
            "who": "scikit-learn",
            "data": np.dtype(dtype).name,
            "detail": f"{n_threads} loss threads, {blas} BLAS threads",
        }

        def evaluate(arguments=arguments, n_threads=n_threads):
            return loss.loss_gradient(*arguments, l2_reg_strength=lam, n_threads=n_threads)

        @contextmanager
        def context(blas=blas):
            with threadpool_limits(blas, user_api="blas"):
                yield

        yield facts, context, evaluate


def check_agreement(entries):
    """All compute the same function, up to the precision of float32."""
    values, gradients = [], []
    for _, context, evaluate in entries:
        with context():
            value, gradient = evaluate()
        values.append(value)
        gradients.append(np.ravel(gradient))
    np.testing.assert_allclose(values, values[0], rtol=1e-5)
    for gradient in gradients:
        error = np.linalg.norm(gradient - gradients[0])
        assert error < 1e-3 * np.linalg.norm(gradients[0])


def peak(context, evaluate):
    """Bytes that an evaluation holds at most, as NumPy reports them."""
    with context():
        tracemalloc.start()
        evaluate()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


def markdown(report):
    """Table of ours and of the best of scikit-learn's settings."""
    n, p, K = report["shape"]
    facts = in_words(report["environment"])
    lines = [
        f"{facts}\n",
        f"One evaluation of loss and gradient, {n} x {p}, {K} classes; medians of "
        f"{report['environment']['repeats']}:\n",
        "| | data | how | time | extra memory |",
        "|---|---|---|---|---|",
    ]
    best = {}
    for row in report["rows"]:
        key = row["data"], row["detail"] if row["who"] == "sk_softmax" else "best"
        if key not in best or row["seconds"] < best[key]["seconds"]:
            best[key] = row
    lines += [
        f"| {row['who']} | {row['data']} | {row['detail']} | {1e3 * row['seconds']:.1f} ms | "
        f"{row['extra_bytes'] / 2**20:.1f} MiB |"
        for row in sorted(best.values(), key=lambda row: (row["data"], row["seconds"]))
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
