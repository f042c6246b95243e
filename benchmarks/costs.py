"""What evaluations and changes of variables cost, beside what the solvers take them to cost.

    python benchmarks/costs.py

On random data, whose values matter to neither. An evaluation is measured in multiplications of
square matrices, by as many threads and timed in turns with it, and a change of variables in
evaluations, where all that a fit computes once is known. Times are medians of nine. In brackets is
the ratio of the estimate to them.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from report import in_words
from run import environment
from scipy import sparse

from sk_softmax._curvature import Curvature
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._preconditioner import KINDS, PreconditionerCosts
from sk_softmax._rows import Targets, as_rows
from sk_softmax._threads import RowThreads

# n, p, K, and the share of values that are stored.
SHAPES = [
    (150, 4, 3, 1), (500, 30, 2, 1), (1800, 64, 10, 1), (2000, 500, 3, 1), (2000, 2000, 5, 1),
    (5000, 85, 2, 1), (20_000, 30, 10, 1), (20_000, 100, 10, 1), (20_000, 784, 10, 1),
    (50_000, 30, 3, 1), (50_000, 50, 2, 1), (50_000, 300, 2, 1), (3000, 1000, 50, 1),
    (50_000, 1000, 5, 0.02), (50_000, 1000, 20, 0.02), (5000, 100_000, 4, 0.001),
]  # fmt: skip
SIDE = 784  # of the square matrices
REPEATS = 9
LONGEST = 500  # evaluations that a change of variables may be estimated at


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    output = parser.parse_args().output
    report = {"environment": environment(), "rows": [measure(*shape) for shape in SHAPES]}
    output.mkdir(parents=True, exist_ok=True)
    (output / "costs.json").write_text(json.dumps(report, indent=1, allow_nan=False))
    (output / "costs.md").write_text(markdown(report))
    print(markdown(report))


def measure(n, p, K, density):
    """Costs and estimates for a shape."""
    rng = np.random.default_rng(0)
    if density == 1:
        X = rng.standard_normal((n, p))
    else:
        X = sparse.random_array((n, p), density=density, format="csr", rng=rng)
    with RowThreads() as threads:
        rows = as_rows(X, Targets(np.arange(n) % K, K), np.ones(n), threads)
        objective = Objective(rows, Penalty(1 / n), True, threads)
        theta = 1e-3 * rng.standard_normal(np.prod(objective.shape))
        A = rng.standard_normal((SIDE, SIDE))
        each = range(threads.n_threads)
        evaluation, products = in_turns(
            lambda: objective.evaluate(theta), lambda: threads.map(lambda _: A @ A, each)
        )
        costs = PreconditionerCosts(objective)
        kinds = {}
        for kind in KINDS:
            if costs.allows(kind, LONGEST):
                (seconds,) = in_turns(lambda kind=kind: kind.make(Curvature(objective), theta))
                kinds[kind.name] = [seconds / evaluation, costs.cost(kind)]
    work = evaluation / products * len(each) * SIDE**3
    return {"shape": [n, p, K], "density": density, "work": [work, objective.work], **kinds}


def in_turns(*functions):
    """Median seconds of each of some functions."""
    seconds = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, spent in zip(functions, seconds, strict=True):
            start = time.perf_counter()
            function()
            spent.append(time.perf_counter() - start)
    return [float(np.median(spent)) for spent in seconds]


def markdown(report):
    """A table of what was measured, and of the ratios of the estimates to it."""
    names = [kind.name for kind in KINDS]
    lines = [
        in_words(report["environment"]),
        "",
        "| rows, columns, classes | stored | multiplications a value | " + " | ".join(names) + " |",
        "|---" * (3 + len(names)) + "|",
    ]
    for row in report["rows"]:
        n, p, K = row["shape"]
        stored = n * p * row["density"]
        cells = [_cell([number / stored for number in row["work"]])]
        cells += [_cell(row[name]) if name in row else "" for name in names]
        share = "all" if row["density"] == 1 else f"{row['density']:.1%}"
        lines.append(f"| {n:,} x {p:,} x {K} | {share} | " + " | ".join(cells) + " |")
    pairs = [row[key] for row in report["rows"] for key in ("work", *names) if key in row]
    ratios = [estimate / measured for measured, estimate in pairs]
    within = np.mean([0.5 <= ratio <= 2 for ratio in ratios])
    lines += ["", f"{within:.0%} of {len(ratios)} estimates are within a factor of two."]
    return "\n".join(lines) + "\n"


def _cell(pair):
    """What was measured, and the ratio of the estimate."""
    measured, estimate = pair
    return f"{measured:.3g} ({estimate / measured:.2g})"


if __name__ == "__main__":
    main()
