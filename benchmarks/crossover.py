"""Seconds until each solver is near the minimum, against the number of rows.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/crossover.py

The distance is e = (f - f*) / (f_0 - f*), with f_0 that of zero weights and the classes'
frequencies, and f* that of L-BFGS-B at a tolerance of 1e-6. L-BFGS-B climbs a ladder of `tol`,
SGD one of `max_iter`; for each e the quickest rung that reaches it is fitted ``--repeats`` times,
both solvers in turns, and the medians count. The data are tables of 50 columns and 5 classes, and
copies of the images of MNIST that are shifted by up to two pixels.
"""

import argparse
import json
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
from problems import correlated, images

from sk_softmax import SoftmaxRegression

LADDERS = {
    "lbfgs": [{"tol": tol} for tol in (0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4)],
    "sgd": [{"max_iter": n, "tol": None} for n in (1, 2, 3, 5, 10, 20, 40, 100)],
}
DISTANCES = (0.1, 0.03, 0.01, 0.003)
TABLE_ROWS = (1000, 10_000, 100_000, 1_000_000)
COPIES = (1, 4)


def shifted(copies, seed=0):
    """So many copies of MNIST as bytes, each shifted by up to two pixels, in random order."""

    def load():
        X, y = images("mnist", 1, np.float32)()
        pixels, rng = X.astype(np.uint8).reshape(-1, 28, 28), np.random.default_rng(seed)
        shifts = rng.integers(-2, 3, size=(copies, 2))
        order = rng.permutation(copies * len(y))
        X = np.concatenate([np.roll(pixels, shift, axis=(1, 2)) for shift in shifts])
        return X.reshape(len(order), -1)[order], np.tile(y, copies)[order]

    return load


def fit(X, y, solver, rung):
    """Seconds and the loss reached."""
    start = time.perf_counter()
    model = SoftmaxRegression(solver, random_state=0, **rung).fit(X, y)
    return time.perf_counter() - start, model.loss_


def climb(X, y, solver, f_0, f_min):
    """``[(rung, seconds, e)]`` of one fit each, up to the first that reaches the least e."""
    steps = []
    for rung in LADDERS[solver]:
        seconds, loss = fit(X, y, solver, rung)
        steps.append((rung, seconds, (loss - f_min) / (f_0 - f_min)))
        if steps[-1][2] <= DISTANCES[-1]:
            break
    return steps


def measure(X, y, repeats):
    """For each e and each solver the rung that is quickest, and its median seconds or None."""
    frequencies = np.bincount(y) / len(y)
    f_0 = -float(frequencies @ np.log(frequencies))
    _, f_min = fit(X, y, "lbfgs", {"tol": 1e-6})
    chosen = {}
    for solver in LADDERS:
        steps = climb(X, y, solver, f_0, f_min)
        for e in DISTANCES:
            reached = [(seconds, i) for i, (_, seconds, d) in enumerate(steps) if d <= e]
            chosen[e, solver] = steps[min(reached)[1]][0] if reached else None
    rungs = {(s, json.dumps(rung)) for (_, s), rung in chosen.items() if rung}
    times = {key: [] for key in sorted(rungs)}
    for _ in range(repeats):
        for solver, rung in times:
            times[solver, rung].append(fit(X, y, solver, json.loads(rung))[0])
    medians = {key: float(np.median(seconds)) for key, seconds in times.items()}
    return [
        {"e": e, "solver": s, "setting": rung, "seconds": medians.get((s, json.dumps(rung)))}
        for (e, s), rung in chosen.items()
    ]


def table(facts, results):
    """Markdown: seconds of both solvers, and their ratio."""
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines += ["Seconds of L-BFGS-B, of SGD, and the second over the first", ""]
    lines += ["| data | products | " + " | ".join(f"e = {e:g}" for e in DISTANCES) + " |"]
    lines += ["|---|---|" + "---|" * len(DISTANCES)]
    for result in results:
        seconds = {(row["e"], row["solver"]): row["seconds"] for row in result["rows"]}
        cells = []
        for e in DISTANCES:
            ours, other = (seconds[e, solver] for solver in LADDERS)
            there = f"{other:.3g}, **{other / ours:.2g}**" if ours and other else "-"
            cells.append(f"{ours:.3g}, {there}" if ours else "-")
        name, products = result["data"], f"{result['products']:.1e}"
        lines.append("| " + " | ".join([name, products, *cells]) + " |")
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown after each data set."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    facts = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "repeats": options.repeats,
    }
    data = {f"table, {n} x 50, 5 classes": correlated(n, 50, 5) for n in TABLE_ROWS}
    data |= {f"images, {60_000 * c} x 784, 10 classes": shifted(c) for c in COPIES}
    options.output.mkdir(parents=True, exist_ok=True)
    results = []
    for name, load in data.items():
        X, y = load()
        X = np.ascontiguousarray(X) if X.dtype == np.uint8 else X.astype(np.float32, order="C")
        rows = measure(X, y, options.repeats)
        products = X.size * len(np.unique(y))
        results.append({"data": name, "products": products, "rows": rows})
        report = {"environment": facts, "results": results}
        (options.output / "crossover.json").write_text(json.dumps(report, indent=1) + "\n")
        (options.output / "crossover.md").write_text(table(facts, results))
    print(table(facts, results))


if __name__ == "__main__":
    main()
