"""What the bound on the distance to the minimum costs: fits that end by it or by an estimate.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/certificate.py

Fits take turns. Without the bound a fit ends as soon as the estimate of its distance is within
`tol`, from the gradient in the variables of the moment; what that leaves may be more than `tol`.
Gaps are (f - f*) / f*, with the f* of a fit at ``tol=1e-12``.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from unittest.mock import patch

import numpy as np
import problems
from report import in_words
from run import environment
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._solvers import StopReason
from sk_softmax._solvers import _lbfgs as lbfgs

REPEATS = 5
ENOUGH = 1.0  # seconds of small fits in a turn, at most
PROBLEMS = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "MNIST / 255": problems.images("mnist", 255),
    "Fashion-MNIST / 255": problems.images("fashion_mnist", 255),
    "Debian text": problems.debian_text,
}


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS))
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    report = {"environment": environment(), "rows": []}
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / "certificate"
    for name in options.problems:
        report["rows"].append(measure(name, *PROBLEMS[name]()))
        stem.with_suffix(".json").write_text(json.dumps(report, indent=1, allow_nan=False))
        stem.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


def measure(name, X, y):
    """Seconds and gaps with the bound and without it."""
    minimum = SoftmaxRegression(tol=1e-12).fit(X, y).loss_
    seconds, models = {True: [], False: []}, {}
    n_fits = max(1, int(ENOUGH / _seconds(X, y)[0]))
    for _ in range(REPEATS):
        for with_bound, spent in seconds.items():
            with patch.object(lbfgs, "_Run", lbfgs._Run if with_bound else Unproven):
                fits = [_seconds(X, y) for _ in range(n_fits)]
            spent.append(np.median([time for time, _ in fits]))
            models[with_bound] = fits[0][1]
    return {
        "data": name,
        "shape": [*X.shape, int(y.max() + 1)],
        "fits": REPEATS * n_fits,
        "method": models[True].gap_method_,
        "seconds": float(np.median(seconds[True])),
        "seconds_without": float(np.median(seconds[False])),
        "gap": max(0.0, models[True].loss_ / minimum - 1),
        "gap_without": max(0.0, models[False].loss_ / minimum - 1),
    }


class Unproven(lbfgs._Run):
    """Ends by the estimate of the gap."""

    def _may_end(self, stage):
        return self._is_small(stage.gap, stage)

    def _confirmed(self, stage):
        if self._in_float32(stage):
            return stage.continued_in(self._objective)
        self._reason = StopReason.TOL
        return stage

    def _settles(self, stage):
        return False


def _seconds(X, y):
    """Of a fit with default settings, and the model."""
    start = time.perf_counter()
    model = SoftmaxRegression(solver="lbfgs").fit(X, y)
    return time.perf_counter() - start, model


def markdown(report):
    """The table."""
    facts = in_words(report["environment"])
    lines = [
        f"{facts}\n",
        "| data | rows x columns x classes | way | seconds | without the bound | it adds | gap "
        "| gap without |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        share = row["seconds"] / row["seconds_without"] - 1
        lines.append(
            f"| {row['data']} | {' x '.join(f'{n:,}' for n in row['shape'])} | {row['method']} | "
            f"{row['seconds']:.3g} | {row['seconds_without']:.3g} | {share:.0%} | "
            f"{row['gap']:.0e} | {row['gap_without']:.0e} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
