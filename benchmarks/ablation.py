"""What each constant of "lbfgs" is worth: fits with it and with its neutral value, in turns.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/ablation.py
    python benchmarks/ablation.py --only DAMPING CHEAP

A neutral value takes away what the constant is for. A ratio above one says that it helps.
"""

import argparse
import json
import math
import statistics
import sys
import time
import warnings
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from problems import PROBLEMS, Problem, correlated, images, magnitudes
from run import environment
from sklearn.datasets import load_breast_cancer, load_wine

from sk_softmax import SoftmaxRegression

REPEATS = 3


@dataclass(frozen=True)
class Constant:
    """A constant by module and name, its neutral value, and what that leaves out."""

    module: str
    name: str
    neutral: float
    without: str


CONSTANTS = [
    Constant("_preconditioner", "CHEAP", 0, "no matrix before iterations have paid for it"),
    Constant("_preconditioner", "DAMPING", 0, "no damping"),
    Constant("_solvers._lbfgs", "_LESS_DAMPING", 1, "damping stays as it is"),
    Constant("_solvers._lbfgs", "_MORE_DAMPING", 1, "no more damping after a failure"),
    Constant("_solvers._lbfgs", "_RESTART", 0, "L-BFGS's memory costs nothing"),
    Constant("_solvers._lbfgs", "_WORTH_WAITING", 0, "a better kind only once it is paid for"),
    Constant("_solvers._lbfgs", "_SAME_GAP", 1, "a fresh T always counts as needed"),
    Constant("_solvers._lbfgs", "_CONFIRMATION", 0, "a confirmation may cost ten evaluations"),
    Constant("_solvers._lbfgs", "_MAX_STUCK", 1, "one stage without progress is the last"),
    Constant("_solvers._lbfgs", "_FLOAT32_SIZE", math.inf, "float64 throughout"),
    Constant("_solvers._lbfgs", "_FLOAT32_GAP", 0, "float32 as long as it gets further"),
    Constant("_solvers._bound", "SETTLED", 1, "conjugate gradients stop at the first estimate"),
    Constant("_solvers._gap", "_SMOOTHING", 1, "the raw estimate of the gap"),
    Constant("_solvers._gap", "_WINDOW", 1, "no correction of the estimate by progress"),
    Constant("_solvers._stage", "SMALL_GAP", 0, "differences of f, however small"),
    Constant("_solvers._stage", "_ARMIJO", 0, "any decrease will do"),
    Constant("_curvature", "_ROWS_PER_COLUMN", 1e9, "matrices are summed over all rows"),
    Constant("_curvature", "_EVALUATIONS", 0, "ten rows for each column, however cheap more are"),
    Constant("_rows._rotation", "_EVALUATIONS", 0, "no rotation of wide data"),
]


def few_images(name, n=20_000):
    """The first n images, with pixels in 0 .. 1."""

    def load():
        X, y = images(name, 255)()
        return X[:n], y[:n]

    return load


def sentinel():
    """Breast cancer with one value that stands for a missing one."""
    X, y = load_breast_cancer(return_X_y=True)
    X[0, 0] = -1e7
    return X, y


_TAKEN = {"digits raw", "one-hot categories", "correlated 20000 x 30 x 10", "Debian text, C=1"}
CHOSEN = [
    *(problem for problem in PROBLEMS if problem.name in _TAKEN),
    Problem("correlated 2000 x 500 x 5", correlated(2000, 500, 5)),
    Problem("20,000 of Fashion-MNIST / 255", few_images("fashion_mnist"), group="images"),
    Problem("20,000 of MNIST / 255, C=100", few_images("mnist"), C=100.0, group="images"),
    Problem("wine raw, C=1e4", lambda: load_wine(return_X_y=True), C=1e4),
    Problem("sentinel", sentinel),
    Problem("magnitudes", magnitudes),
    Problem("wide 200 x 5000 x 3", correlated(200, 5000, 3)),
]


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--problems", nargs="+")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    constants = [c for c in CONSTANTS if not options.only or c.name in options.only]
    rows = []
    for problem in CHOSEN:
        if options.problems and problem.name not in options.problems:
            continue
        X, y = problem.load()
        SoftmaxRegression(C=problem.C).fit(X, y)  # imports, pools and caches
        for constant in constants:
            rows.append(measure(problem, X, y, constant))
            print(rows[-1], flush=True)
    report = {"environment": environment(), "rows": rows}
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "ablation.json").write_text(json.dumps(report, indent=1))
    (options.output / "ablation.md").write_text(markdown(report, constants))


def measure(problem, X, y, constant):
    """Median times, evaluations and ends with a constant and with its neutral value."""
    fits = {"with": [], "without": []}
    models = {}
    for _ in range(REPEATS):
        for which, times in fits.items():
            with ExitStack() as stack:
                if which == "without":
                    neutralise(constant, stack)
                start = time.perf_counter()
                models[which] = SoftmaxRegression(C=problem.C).fit(X, y)
                times.append(time.perf_counter() - start)
    least = min(model.loss_ for model in models.values())
    row = {"problem": problem.name, "constant": constant.name, "module": constant.module}
    for which, model in models.items():
        row[which] = {
            "seconds": statistics.median(fits[which]),
            "n_evaluations": int(model.history_["n_evaluations"][-1]),
            "end": model.stop_reason_,
            "gap": (model.loss_ - least) / least,
        }
    return row


def neutralise(constant, stack):
    """Set a constant to its neutral value wherever it was imported."""
    value = getattr(sys.modules[f"sk_softmax.{constant.module}"], constant.name)
    for name, module in list(sys.modules.items()):
        is_ours = name.startswith("sk_softmax") and getattr(module, constant.name, None) is value
        if is_ours and (constant.name[0] != "_" or name == f"sk_softmax.{constant.module}"):
            stack.enter_context(patch.object(module, constant.name, constant.neutral))


def markdown(report, constants):
    """One line for each constant: the geometric mean, the worst problems, and changed ends."""
    env = report["environment"]
    lines = [
        f"<!-- {json.dumps(env)} -->",
        "| constant | its neutral value means | time without / with: mean | most | least | ends |",
        "|---|---|---|---|---|---|",
    ]
    for constant in constants:
        rows = [
            r
            for r in report["rows"]
            if (r["constant"], r["module"]) == (constant.name, constant.module)
        ]
        ratios = {r["problem"]: r["without"]["seconds"] / r["with"]["seconds"] for r in rows}
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios.values()))
        most, least = max(ratios, key=ratios.get), min(ratios, key=ratios.get)
        ends = [
            f"{r['problem']}: {r['without']['end']}" for r in rows if r["without"]["end"] != "tol"
        ]
        lines.append(
            f"| `{constant.name}` | {constant.without} | {mean:.2f} | {ratios[most]:.2f} ({most}) "
            f"| {ratios[least]:.2f} ({least}) | {'; '.join(ends) or '-'} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
