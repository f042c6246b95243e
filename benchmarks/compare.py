"""Times of two checkouts, in alternating runs: what a change has made slower.

Run it in an environment with the dependencies of sk_softmax::

    python benchmarks/compare.py BASE HEAD

BASE and HEAD are folders with a checkout each, such as a ``git worktree``. Each run is a process of
its own that imports sk_softmax from one of them. The ratio is the median, over pairs of runs, of
head to base; the times are medians. A ratio within a few percent of one is noise.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

MEASURE = """
import json, time, warnings
import numpy as np
from sklearn import datasets
from sk_softmax import SoftmaxRegression

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 30))
y = (X @ rng.normal(size=(30, 5)) + rng.gumbel(size=(20_000, 5))).argmax(axis=1)
problems = {name: getattr(datasets, f"load_{name}")(return_X_y=True)
            for name in ("iris", "wine", "breast_cancer", "digits")}
problems["20,000 x 30 x 5"] = X, y
solvers = {"lbfgs": {}, "sgd": {"max_iter": 5, "tol": None, "random_state": 0}}
times = {}
for problem, (X, y) in problems.items():
    for solver, parameters in solvers.items():
        model, taken = SoftmaxRegression(solver, **parameters), []
        model.fit(X, y)
        while sum(taken) < 0.3 or len(taken) < 3:
            start = time.perf_counter()
            model.fit(X, y)
            taken.append(time.perf_counter() - start)
        times[f"{problem}, {solver}"] = sorted(taken)[len(taken) // 4]
print(json.dumps(times))
"""


def run(checkout):
    """Seconds of each fit, measured in a process of its own: the lower quartile of many."""
    environment = {**os.environ, "PYTHONPATH": str(Path(checkout).resolve())}
    command = [sys.executable, "-c", MEASURE]
    found = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, cwd="/"
    )
    return json.loads(found.stdout)


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("base")
    parser.add_argument("head")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    pairs = [(run(options.base), run(options.head)) for _ in range(options.repeats)]
    print("| fit | base, ms | head, ms | head / base |\n|---|---|---|---|")
    for name in pairs[0][0]:
        base, head = (1e3 * statistics.median(pair[i][name] for pair in pairs) for i in (0, 1))
        ratio = statistics.median(pair[1][name] / pair[0][name] for pair in pairs)
        print(f"| {name} | {base:.2f} | {head:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
