"""What `history_` costs: fits with it and without it, in turns.

    python benchmarks/history.py

Without it means that no iteration is recorded and that right rows are not counted. The loss and the
gap are computed either way, for the stopping rule; handing them over takes about a microsecond
an iteration, which is not counted.
"""

import argparse
import json
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np
from report import in_words
from run import environment
from sklearn.datasets import load_digits, load_iris, load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._callbacks import IterationRecorder

SGD = {"solver": "sgd", "max_iter": 20, "tol": None, "random_state": 0}
FITS = [
    ("iris", load_iris, {}, 2000),
    ("wine", load_wine, {}, 2000),
    ("digits", load_digits, {}, 200),
    ("digits", load_digits, SGD, 200),
]


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    output = parser.parse_args().output
    warnings.simplefilter("ignore")
    report = {"environment": environment(), "rows": [measure(*fit) for fit in FITS]}
    output.mkdir(parents=True, exist_ok=True)
    (output / "history.json").write_text(json.dumps(report, indent=1))
    (output / "history.md").write_text(markdown(report))
    print(markdown(report))


def measure(name, load, parameters, repeats):
    """Median times of so many fits with history and as many without."""
    X, y = load(return_X_y=True)
    times = {True: [], False: []}
    for _ in range(repeats):
        for kept, spent in times.items():
            with ExitStack() as stack:
                if not kept:
                    leave_out_history(stack)
                start = time.perf_counter()
                SoftmaxRegression(**parameters).fit(X, y)
                spent.append(time.perf_counter() - start)
    return {
        "data": name,
        "solver": parameters.get("solver", "lbfgs"),
        "repeats": repeats,
        "seconds": float(np.median(times[True])),
        "seconds_without": float(np.median(times[False])),
    }


def leave_out_history(stack):
    """Until the stack is closed."""
    stack.enter_context(patch.object(IterationRecorder, "__call__", lambda self, state: False))
    stack.enter_context(patch.object(IterationRecorder, "history", lambda self: {}))
    for room in ("_softmax", "_solvers._tally"):
        stack.enter_context(patch(f"sk_softmax.{room}.weight_of_right", lambda *arguments: 0.0))


def markdown(report):
    """Table of the times and of what history adds."""
    facts = in_words(report["environment"])
    lines = [
        f"{facts}\n",
        "| data | solver | fits | with history | without | it adds |",
        "|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        share = row["seconds"] / row["seconds_without"] - 1
        lines.append(
            f"| {row['data']} | {row['solver']} | {row['repeats']} of each | "
            f"{1e3 * row['seconds']:.2f} ms | {1e3 * row['seconds_without']:.2f} ms | {share:.1%} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
