"""How near SGD gets to the minimum by default, on raw data, in 30 and in 100 epochs.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/raw_sgd.py

e = (f - f*) / (f_0 - f*), with f_0 that of zero weights and the classes' frequencies, and f* the
least value that anyone reaches, L-BFGS-B at a tolerance of 1e-9, of images 1e-6. Tables are fitted
with five seeds, of which the median and the worst count, images with one. Beside them stand the
evaluations of the objective after which L-BFGS-B is as near; an epoch of SGD reads the data once
too. The random tables are of eight kinds, from Gaussian to heavy-tailed and one-hot columns, with
200 to 20000 rows, 2 to 26 classes of any frequency, columns in units of 1e-4 to 1e4, and offsets.
"""

import argparse
import json
import os
import warnings
from pathlib import Path

import numpy as np
from problems import DATA_VARIABLE, PROBLEMS
from report import in_words
from run import environment

from sk_softmax import SoftmaxRegression

EPOCHS = {30: 1e-2, 100: 1e-3}  # and what is to be left after them
N_RANDOM = 60


def labels(Z, K, spread, offset, rng):
    """Labels of a softmax model in standardised columns; codes without gaps."""
    deviation = Z.std(axis=0)
    W = rng.standard_normal((Z.shape[1], K)) * spread / np.sqrt(Z.shape[1])
    logits = (Z - Z.mean(axis=0)) / np.where(deviation > 0, deviation, 1) @ W
    logits += rng.standard_normal(K) * offset + rng.gumbel(size=logits.shape)
    return np.unique(logits.argmax(axis=1), return_inverse=True)[1]


def ill_scaled(seed, n, p, K):
    """Columns with scales from 1e-4 to 1e4, half of which have correlations of 0.99."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, p))
    Z[:, : p // 2] = np.sqrt(0.99) * rng.standard_normal((n, 1)) + 0.1 * Z[:, : p // 2]
    return Z * rng.permutation(np.logspace(-4, 4, p)), labels(Z, K, 2, 0, rng)


def one_hot(n, p, rng):
    """Columns of categories with 2 to 7 levels, the rare ones included."""
    levels = rng.integers(2, 8, size=max(1, p // 5))
    codes = [rng.choice(m, size=n, p=rng.dirichlet(np.full(m, 0.5))) for m in levels]
    return np.hstack([np.eye(m)[c] for m, c in zip(levels, codes, strict=True)])


KINDS = {
    "Gaussian": lambda n, p, rng: rng.standard_normal((n, p)),
    "correlated": lambda n, p, rng: (
        rng.standard_normal((n, p // 4 + 2)) @ rng.standard_normal((p // 4 + 2, p))
        + 0.1 * rng.standard_normal((n, p))
    ),
    "log-normal": lambda n, p, rng: np.exp(1.5 * rng.standard_normal((n, p))),
    "Student's t": lambda n, p, rng: rng.standard_t(2.5, size=(n, p)),
    "counts": lambda n, p, rng: rng.poisson(np.exp(rng.standard_normal(p)), size=(n, p)),
    "one-hot": one_hot,
    "mostly zero": lambda n, p, rng: (
        rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.05)
    ),
    "mixed": lambda n, p, rng: np.where(
        np.arange(p) % 3 == 0,
        rng.random((n, p)) < 0.3,
        np.where(np.arange(p) % 3 == 1, np.exp(rng.standard_normal((n, p))), rng.random((n, p))),
    ),
}  # fmt: skip


SHAPES = (200, 1000, 5000, 20_000), (5, 15, 40, 100), (2, 3, 5, 10, 26)


def random_table(seed):
    """Its kind, X and y."""
    rng = np.random.default_rng(seed)
    n, p, K = (int(rng.choice(choices)) for choices in SHAPES)
    kind = rng.choice(list(KINDS))
    Z = np.asarray(KINDS[kind](n, p, rng), dtype=float)
    y = labels(Z, K, rng.choice([0.6, 2, 4]), rng.choice([0, 1.5]), rng)
    X = Z * 10 ** rng.uniform(-4, 4, size=Z.shape[1])
    if rng.random() < 0.5:
        X = X + rng.standard_normal(X.shape[1]) * X.std(axis=0) * rng.choice([1, 30])
    return kind, X, y


def measure(name, X, y, seeds, tol=1e-9):
    """e after each number of epochs, by seed; evaluations of L-BFGS-B to the same bars."""
    frequencies = np.bincount(y) / len(y)
    f_0 = -float(frequencies @ np.log(frequencies))
    history = SoftmaxRegression("lbfgs", tol=tol, max_iter=20_000).fit(X, y).history_

    def loss_after(epochs, seed):
        model = SoftmaxRegression("sgd", max_iter=epochs, tol=None, random_state=seed)
        return model.fit(X, y).loss_

    losses = {epochs: [loss_after(epochs, seed) for seed in range(seeds)] for epochs in EPOCHS}
    f_min = min(history["loss"].min(), *(min(values) for values in losses.values()))
    left = {epochs: [(f - f_min) / (f_0 - f_min) for f in fs] for epochs, fs in losses.items()}
    distances = (history["loss"] - f_min) / (f_0 - f_min)
    evaluations = {
        bar: int(history["n_evaluations"][np.argmax(distances <= bar)])
        if distances.min() <= bar
        else None
        for bar in EPOCHS.values()
    }
    print(name, {epochs: float(np.median(es)) for epochs, es in left.items()}, flush=True)
    return {
        "data": name,
        "shape": [*X.shape, len(frequencies)],
        "left": left,
        "evaluations": evaluations,
    }


def named_data():
    """Names, data, seeds and tolerance: raw tables and images, and badly scaled columns."""
    for problem in PROBLEMS:
        if problem.name.endswith(" raw"):
            yield problem.name, *problem.load(), 5, 1e-9
    for n, p, K in [(800, 30, 3), (3000, 12, 4), (20_000, 50, 10)]:
        yield f"ill-scaled {n} x {p} x {K}", *ill_scaled(0, n, p, K), 5, 1e-9
    for problem in PROBLEMS:
        if problem.group == "raw images":
            X, y = problem.load()
            yield problem.name, X.astype(np.uint8), y, 1, 1e-6


def table(report):
    """Markdown."""
    facts = in_words(report["environment"])
    lines = [facts, "", "What is left of the way to the minimum: median, worst", ""]
    lines += ["| data | 30 epochs | 100 epochs | L-BFGS-B: evaluations to 1e-2, 1e-3 |"]
    lines += ["|---|---|---|---|"]
    for row in report["results"]:
        cells = [f"{np.median(es):.1e}, {max(es):.1e}" for es in row["left"].values()]
        counts = ", ".join(map(str, row["evaluations"].values()))
        lines.append(f"| {row['data']} | {cells[0]} | {cells[1]} | {counts} |")
    lines += [
        "",
        f"Of {len(report['random'])} random tables those with more left than 1e-2, 1e-3",
        "",
    ]
    lines += ["| | rows x columns x classes | 30 epochs | 100 epochs |", "|---|---|---|---|"]
    for row in report["random"]:
        es = {epochs: values[0] for epochs, values in row["left"].items()}
        if any(es[epochs] > bar for epochs, bar in EPOCHS.items()):
            shape = " x ".join(map(str, row["shape"]))
            lines.append(f"| {row['data']} | {shape} | {es[30]:.1e} | {es[100]:.1e} |")
    for epochs, bar in EPOCHS.items():
        es = [row["left"][epochs][0] for row in report["random"]]
        n_near = sum(e <= bar for e in es)
        lines += ["", f"{epochs} epochs: at most {bar:g} left for {n_near} of {len(es)}"]
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--random", type=int, default=N_RANDOM, help="number of random tables")
    options = parser.parse_args()
    if not os.environ.get(DATA_VARIABLE):
        parser.error(f"set {DATA_VARIABLE} to the folder with the images")
    results = [measure(name, X, y, seeds, tol) for name, X, y, seeds, tol in named_data()]
    random = [measure(kind, X, y, 1) for kind, X, y in map(random_table, range(options.random))]
    report = {"environment": environment(), "results": results, "random": random}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "raw_sgd.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.output / "raw_sgd.md").write_text(table(report))
    print(table(report))


if __name__ == "__main__":
    main()
