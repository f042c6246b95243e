"""Seconds until each solver is near the minimum, against the number of rows.

    python benchmarks/crossover.py

The distance is e = (f - f*) / (f_0 - f*), with f_0 that of zero weights and the classes'
frequencies, and f* that of L-BFGS-B at a tolerance of 1e-10. L-BFGS-B climbs a ladder of `tol`,
SGD one of `max_iter`; for each e the quickest fit that reaches it counts. The rungs take turns,
``--repeats`` times; medians.
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
from problems import correlated

from sk_softmax import SoftmaxRegression

LADDER = {
    "lbfgs": [{"tol": tol} for tol in (0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)],
    "sgd": [{"max_iter": n, "tol": None} for n in (1, 2, 3, 5, 10, 20, 40, 100)],
}
DISTANCES = (0.1, 0.01, 0.001)


def distances(X, y, models):
    """e of each model, and the objective's value at the start and at the minimum."""
    best = SoftmaxRegression("lbfgs", tol=1e-10).fit(X, y)
    frequencies = np.bincount(y) / len(y)
    start = -float(frequencies @ np.log(frequencies))
    return [(model.loss_ - best.loss_) / (start - best.loss_) for model in models]


def measure(X, y, repeats):
    """For each solver ``{e: seconds}``, with infinity where no rung gets there."""
    rungs = [(solver, rung) for solver, ladder in LADDER.items() for rung in ladder]
    seconds = np.empty((repeats, len(rungs)))
    for repeat in range(repeats):
        models = []
        for i, (solver, rung) in enumerate(rungs):
            model = SoftmaxRegression(solver, random_state=0, **rung)
            start = time.perf_counter()
            models.append(model.fit(X, y))
            seconds[repeat, i] = time.perf_counter() - start
    medians = np.median(seconds, axis=0)
    reached = np.array(distances(X, y, models))
    return {
        solver: {
            e: min(
                (t for t, d, (s, _) in zip(medians, reached, rungs, strict=True)
                 if s == solver and d <= e),
                default=np.inf,
            )
            for e in DISTANCES
        }
        for solver in LADDER
    }  # fmt: skip


def table(facts, rows):
    """Markdown."""
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    cells = [f"e = {e:g}: lbfgs, sgd, ratio" for e in DISTANCES]
    lines += ["| rows | " + " | ".join(cells) + " |", "|---|" + "---|" * len(DISTANCES)]
    for n, times in rows.items():
        cells = []
        for e in DISTANCES:
            lbfgs, sgd = times["lbfgs"][e], times["sgd"][e]
            there = f"{sgd:.3g} s, {sgd / lbfgs:.2g}" if np.isfinite(sgd) else "-, -"
            cells.append(f"{lbfgs:.3g} s, {there}")
        lines.append(f"| {n} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6, 4 * 10**6]
    )
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--classes", type=int, default=5)
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
        "features": options.features,
        "classes": options.classes,
    }
    rows = {}
    for n in options.rows:
        X, y = correlated(n, options.features, options.classes)()
        rows[n] = measure(X.astype(np.float32), y, options.repeats)
        print(n, rows[n], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    report = {"environment": facts, "seconds": rows}
    (options.output / "crossover.json").write_text(json.dumps(report, indent=1) + "\n")
    (options.output / "crossover.md").write_text(table(facts, rows))
    print(table(facts, rows))


if __name__ == "__main__":
    main()
