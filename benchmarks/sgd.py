"""Seconds per epoch of mini-batch SGD on Fashion-MNIST, and time to near the minimum.

Run it in an environment with sk_softmax installed, and name the interpreter of one that has
PyTorch::

    SK_SOFTMAX_DATA=FOLDER python benchmarks/sgd.py --torch /path/to/torch-venv/bin/python

Each contender runs in a process of its own, all of them in turns, ``--repeats`` times; the
medians count. PyTorch's loop is the better of one gather for each epoch with batches as slices,
and one gather for each batch, and of one thread and two. All contenders shuffle, in float32, at
the same learning rate and penalty. SGDClassifier steps after each row and knows no batches.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

BATCHES = (1, 8, 32, 256, 1024)
RATE = 0.1
EPOCHS = {1: 1, 8: 1, 32: 3, 256: 5, 1024: 5}
MINIMUM = 0.34989280574  # of Fashion-MNIST / 255 at C = 1
WHOLE_EPOCHS, WHOLE_BATCHES = 5, (32, 256)
LENGTHS = (3, 10, 30, 40, 60, 100)


def load():
    """Pixels in 0 .. 1 as float32, and labels."""
    with np.load(Path(os.environ["SK_SOFTMAX_DATA"]) / "fashion_mnist.npz") as data:
        X = (data["X_train"].reshape(60_000, -1) / 255).astype(np.float32)
        return X, data["y_train"].astype(np.int64)


def ours(X, y, batch_size, epochs):
    """Seconds per epoch from the second on, by `history_`."""
    from sk_softmax import SoftmaxRegression

    model = SoftmaxRegression(
        "sgd", learning_rate=RATE, batch_size=batch_size, max_iter=epochs + 1, tol=None
    ).fit(X, y)
    return float(np.median(np.diff(model.history_["time"])))


def mlp(X, y, batch_size, epochs):
    """MLPClassifier without hidden layers, two lengths compared."""
    from sklearn.neural_network import MLPClassifier

    def fit(n):
        start = time.perf_counter()
        MLPClassifier(
            (), solver="sgd", momentum=0, learning_rate_init=RATE, alpha=1 / len(y),
            batch_size=batch_size, max_iter=n, n_iter_no_change=n + 1,
        ).fit(X, y)  # fmt: skip
        return time.perf_counter() - start

    return (fit(1 + epochs) - fit(1)) / epochs


def sgd_classifier(X, y, batch_size, epochs):
    """One binary model for each class, a step after each row."""
    from sklearn.linear_model import SGDClassifier

    start = time.perf_counter()
    SGDClassifier(loss="log_loss", alpha=1 / len(y), max_iter=1, tol=None).fit(X, y)
    return time.perf_counter() - start


def torch_loop(X, y, batch_size, epochs):
    """The best of two ways to shuffle and of one thread and two."""
    import torch

    X, y = torch.from_numpy(X), torch.from_numpy(y)
    n = min(len(y), 4000 * batch_size)  # an epoch of single rows takes too long
    seconds = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for gather_once in (True, False):
            W = torch.zeros(10, X.shape[1], requires_grad=True)
            b = torch.zeros(10, requires_grad=True)
            step = torch.optim.SGD(
                [{"params": [W], "weight_decay": 1 / len(y)}, {"params": [b]}], lr=RATE
            )
            for epoch in range(epochs + 1):
                if epoch == 1:  # the first warms up, as it does for us
                    start = time.perf_counter()
                order = torch.randperm(len(y))[:n]
                if gather_once:
                    X_epoch, y_epoch = X[order], y[order]
                for i in range(0, n, batch_size):
                    if gather_once:
                        X_batch, y_batch = X_epoch[i : i + batch_size], y_epoch[i : i + batch_size]
                    else:
                        rows = order[i : i + batch_size]
                        X_batch, y_batch = X[rows], y[rows]
                    step.zero_grad(set_to_none=True)
                    logits = torch.nn.functional.linear(X_batch, W, b)
                    torch.nn.functional.cross_entropy(logits, y_batch).backward()
                    step.step()
            seconds.append((time.perf_counter() - start) / epochs * len(y) / n)
    return min(seconds)


def whole_fits(X, y, batch_size, epochs):
    """Seconds of fits of `epochs` epochs with set-up and end: ours and MLPClassifier's."""
    from sklearn.neural_network import MLPClassifier

    from sk_softmax import SoftmaxRegression

    models = {
        "SoftmaxRegression": SoftmaxRegression(
            "sgd", learning_rate=RATE, batch_size=batch_size, max_iter=epochs, tol=None
        ),
        "MLPClassifier": MLPClassifier(
            (), solver="sgd", momentum=0, learning_rate_init=RATE, alpha=1 / len(y),
            batch_size=batch_size, max_iter=epochs, n_iter_no_change=epochs + 1,
        ),
    }  # fmt: skip
    seconds = {}
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(X, y)
        seconds[name] = time.perf_counter() - start
    return seconds


CONTENDERS = {
    "SoftmaxRegression": (ours, BATCHES),
    "PyTorch": (torch_loop, BATCHES),
    "MLPClassifier": (mlp, (32, 256, 1024)),
    "SGDClassifier": (sgd_classifier, (1,)),
}


def objective(X, y, W, b):
    """f of Fashion-MNIST at C = 1, in float64."""
    Z = X @ np.asarray(W, dtype=np.float64) + b
    Z -= Z.max(axis=1, keepdims=True)
    losses = np.log(np.exp(Z).sum(axis=1)) - Z[np.arange(len(y)), y]
    return float(losses.mean() + np.square(W).sum() / (2 * len(y)))


def times_to_minimum(name, X, y):
    """``(seconds, epochs, gap)`` of fits of increasing length, until the gap is 1%.

    Of ours by default and with Nesterov's momentum, the better.
    """
    from sklearn.linear_model import SGDClassifier
    from sklearn.neural_network import MLPClassifier

    from sk_softmax import SoftmaxRegression

    makers = {
        "SoftmaxRegression": [
            lambda n: SoftmaxRegression("sgd", max_iter=n, tol=None),
            lambda n: SoftmaxRegression("sgd", max_iter=n, tol=None, momentum=0.9, nesterov=True),
        ],
        "MLPClassifier": [
            lambda n: MLPClassifier(
                (), learning_rate_init=1e-3, alpha=1 / len(y), max_iter=n, n_iter_no_change=n + 1
            )
        ],
        "SGDClassifier": [
            lambda n: SGDClassifier(
                loss="log_loss", alpha=1 / len(y), max_iter=n, tol=None, average=True, n_jobs=2
            )
        ],
    }[name]

    def fit(model):
        start = time.perf_counter()
        model.fit(X, y)
        seconds = time.perf_counter() - start
        if name == "MLPClassifier":
            W, b = model.coefs_[0], model.intercepts_[0]
        else:
            W, b = model.coef_.T, model.intercept_
        return seconds, objective(X, y, W, b) / MINIMUM - 1

    rows = []
    for epochs in LENGTHS:
        seconds, gap = min((fit(make(epochs)) for make in makers), key=lambda fitted: fitted[1])
        rows.append((seconds, epochs, gap))
        if gap < 0.01 or seconds > 60:
            break
    return rows


def torch_to_minimum(X, y):
    """The same for PyTorch: Adam with a cosine schedule, the best of three rates, batch 256."""
    import torch

    tensors, rows = (torch.from_numpy(X), torch.from_numpy(y)), []
    for epochs in LENGTHS:
        best = None
        for rate in (0.003, 0.01, 0.03):
            start = time.perf_counter()
            W = torch.zeros(X.shape[1], 10, requires_grad=True)
            b = torch.zeros(10, requires_grad=True)
            step = torch.optim.Adam(
                [{"params": [W], "weight_decay": 1 / len(y)}, {"params": [b]}], lr=rate
            )
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(step, epochs)
            for _ in range(epochs):
                order = torch.randperm(len(y))
                X_epoch, y_epoch = tensors[0][order], tensors[1][order]
                for i in range(0, len(y), 256):
                    step.zero_grad(set_to_none=True)
                    logits = X_epoch[i : i + 256] @ W + b
                    torch.nn.functional.cross_entropy(logits, y_epoch[i : i + 256]).backward()
                    step.step()
                schedule.step()
            seconds = time.perf_counter() - start
            gap = objective(X, y, W.detach().numpy(), b.detach().numpy()) / MINIMUM - 1
            best = min(best or (seconds, epochs, gap), (seconds, epochs, gap), key=lambda r: r[2])
        rows.append(best)
        if best[2] < 0.01:
            break
    return rows


def worker(name, batch_size):
    """Measure one contender in this process and print the result."""
    warnings.simplefilter("ignore")
    X, y = load()
    if name == "whole fits":
        print(json.dumps(whole_fits(X, y, batch_size, WHOLE_EPOCHS)))
    elif batch_size:
        print(json.dumps(CONTENDERS[name][0](X, y, batch_size, EPOCHS[batch_size])))
    else:
        run = torch_to_minimum(X, y) if name == "PyTorch" else times_to_minimum(name, X, y)
        print(json.dumps(run))


def measure(options):
    """All contenders in turns; medians."""
    interpreters = {"PyTorch": options.torch}

    def run(name, batch_size):
        command = [interpreters.get(name, sys.executable), __file__, "--worker", name]
        command += ["--batch", str(batch_size)]
        return json.loads(
            subprocess.run(command, capture_output=True, check=True, text=True).stdout
        )

    seconds = {}
    for _ in range(options.repeats):
        for name, (_, batches) in CONTENDERS.items():
            for m in batches:
                seconds.setdefault(name, {}).setdefault(m, []).append(run(name, m))
    medians = {n: {m: float(np.median(t)) for m, t in by.items()} for n, by in seconds.items()}
    whole = {}
    for m in WHOLE_BATCHES:
        runs = [run("whole fits", m) for _ in range(options.repeats)]
        whole[m] = {name: float(np.median([r[name] for r in runs])) for name in runs[0]}
    return medians, whole, {name: run(name, 0) for name in CONTENDERS}


def versions(options):
    """Versions of the packages in both environments, NumPy's kernels, and threads."""
    from threadpoolctl import threadpool_info

    kernels = {pool.get("architecture") for pool in threadpool_info() if pool["user_api"] == "blas"}
    code = "import sys, {0}; print({0}.__version__)"
    facts = {"python": sys.version.split()[0], "cores": len(os.sched_getaffinity(0))}
    facts["BLAS kernels"] = ", ".join(sorted(filter(None, kernels)))
    for package, python in (("numpy", sys.executable), ("scipy", sys.executable),
                            ("sklearn", sys.executable), ("torch", options.torch)):  # fmt: skip
        command = [python, "-c", code.format(package)]
        facts[package] = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return facts


def table(facts, medians, whole, minimum):
    """Markdown of the tables."""
    lines = [", ".join(f"{k} {v}" for k, v in facts.items()), "",
             "Milliseconds per epoch of Fashion-MNIST (60000 x 784, float32), medians", "",
             "| | " + " | ".join(f"batch {m}" for m in BATCHES) + " |",
             "|---|" + "---|" * len(BATCHES)]  # fmt: skip
    for name, by in medians.items():
        cells = [f"{1e3 * by[m]:.0f}" if m in by else "-" for m in BATCHES]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += ["", f"Seconds of {WHOLE_EPOCHS} epochs with set-up and end, medians", ""]
    for m, by in whole.items():
        cells = ", ".join(f"{name} {t:.2f}" for name, t in by.items())
        lines.append(f"- batch {m}: {cells}")
    lines += [
        "",
        f"Fits of {', '.join(map(str, LENGTHS))} epochs until (f - f\\*) / f\\* is 1%, "
        "one run each: seconds, gap",
        "",
    ]
    for name, rows in minimum.items():
        cells = [f"{epochs} epochs {s:.1f} s {gap:.2%}" for s, epochs, gap in rows]
        lines.append(f"- {name}: " + "; ".join(cells))
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", default=sys.executable, help="an interpreter with PyTorch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.batch)
        return
    if not os.environ.get("SK_SOFTMAX_DATA"):
        parser.error("set SK_SOFTMAX_DATA to the folder with fashion_mnist.npz")
    facts = {**versions(options), "repeats": options.repeats}
    medians, whole, minimum = measure(options)
    report = {"environment": facts, "seconds_per_epoch": medians, "seconds_of_whole_fits": whole,
              "to_minimum": minimum}  # fmt: skip
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "sgd.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.output / "sgd.md").write_text(table(facts, medians, whole, minimum))
    print(table(facts, medians, whole, minimum))


if __name__ == "__main__":
    main()
