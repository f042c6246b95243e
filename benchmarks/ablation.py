"""What each constant of the solvers is worth: fits with it, and with its neutral value.

    SK_SOFTMAX_DATA=FOLDER OPENBLAS_NUM_THREADS=1 python benchmarks/ablation.py
    python benchmarks/ablation.py --only DAMPING CHEAP --problems wine iris

A neutral value takes away what the constant is for; half and double say how much its size matters
(of "lbfgs" and L1, where a fit takes less than 0.3 s).
Work is counted, see `tally.py`, and is the same in each run; a ratio above one says that the
constant helps. Ends are compared too: the reason, and what is left of the way to the least f that
any variant reached. CPU time is the median of three in turns, where a fit takes less than 0.1 s and
the neutral value changes it.
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

import numpy as np
from ablation_problems import cases
from run import environment
from tally import Tally, TooMuchError

from sk_softmax import SoftmaxRegression
from sk_softmax._solvers._metric import Preconditioning

MOST = 20  # times the work with the constant, after which a fit is given up
SLOW = 0.3  # CPU seconds of a fit from which sizes are not varied
QUICK = 0.1  # and up to which it is timed


@dataclass(frozen=True)
class Constant:
    """A constant by module and name, its neutral value, and what that leaves out.

    `solvers` are those that it has a part in; `is_scale` is whether its size is varied, too.
    """

    module: str
    name: str
    neutral: float
    without: str
    solvers: tuple = ("lbfgs",)
    is_scale: bool = True

    def variants(self, value):
        """Values to set it to."""
        sizes = {"half": value / 2, "double": value * 2} if self.is_scale else {}
        if isinstance(value, int):
            sizes = {which: max(1, int(size)) for which, size in sizes.items()}
        return {"neutral": self.neutral, **sizes}


_ALL, _BOTH, _L1, _SGD = ("lbfgs", "L1", "sgd"), ("lbfgs", "L1"), ("L1",), ("sgd",)
_LBFGS, _PROX, _REMAINDER = "_solvers._lbfgs", "_solvers._prox_newton", "_solvers._remainder"
CONSTANTS = [
    Constant("_curvature", "_ROWS_PER_COLUMN", 1e9, "matrices are summed over all rows"),
    Constant(
        "_curvature", "PAIR_EVALUATIONS", 0, "pairs of columns of few rows only", ("lbfgs", "sgd")
    ),
    Constant("_preconditioner", "DAMPING", 0, "no damping at first", _BOTH),
    Constant("_preconditioner", "CHEAP", 0, "no matrix before iterations have paid", _ALL),
    Constant("_rows._base", "FIT_EVALUATIONS", 0, "no rotation, no matrices for L1 or SGD", _ALL),
    Constant(
        "_solvers._bound", "_SETTLED", 1, "conjugate gradients stop at once", ("lbfgs", "sgd")
    ),
    Constant("_solvers._gap", "_WINDOW", 1, "the raw estimate of the gap"),
    Constant(_LBFGS, "_FLOAT32_GAP", 0, "float32 as long as it gets further"),
    Constant(_LBFGS, "_RESTART", 0, "L-BFGS's memory costs nothing"),
    Constant(_LBFGS, "_MAX_STUCK", 1, "one stage without progress is the last"),
    Constant(_LBFGS, "_SAME_GAP", 1, "a fresh T always counts as needed", is_scale=False),
    Constant("_solvers._stage", "SMALL_GAP", 0, "differences of f, however small"),
    Constant("_solvers._separation", "_LONG_STEP", 0, "any step may separate"),
    Constant("_solvers._separation", "_STILL", 0, "no margin may fall at all"),
    Constant("_solvers._separation", "_MARGINS", 1, "a margin a parameter", is_scale=False),
    Constant(_PROX, "_MORE", 1, "damping stays as it is", _L1),
    Constant(_PROX, "_BRACKET", math.inf, "the first length that lowers f", _L1),
    Constant(_PROX, "_FORCING", 0, "models minimised to the last digit", _L1),
    Constant("_solvers._quadratic", "_FORCING", 1e-8, "exact steps by conjugate gradients", _L1),
    Constant("_solvers._descent", "DIVERGED", math.inf, "nothing is a divergence", _SGD, False),
    Constant("_solvers._descent", "LOST", math.inf, "no epoch is undone", _SGD),
    Constant("_curvature", "_FLOAT32_OFFSET", math.inf, "float32 of any columns", _SGD),
    Constant("_solvers._sgd", "_RECOVERY", 1, "halved rates stay so", _SGD, False),
    Constant("_solvers._sgd", "_EPOCH_MOMENTUM", 0, "no momentum of epochs", _SGD, False),
    Constant("_solvers._sgd", "_SETTLED", 1, "any plateau counts", _SGD),
    Constant("_solvers._metric", "_LANCZOS_STEPS", 1, "the curvature along the gradient", _SGD),
    Constant("_solvers._stream", "_BATCHES", 1, "one batch a call", _SGD),
    Constant("_solvers._stream", "_LEAST_ROWS", 1, "batches of one row", _SGD),
    Constant(_REMAINDER, "_NEAR", 0, "converged only within tol", _SGD),
    Constant(_REMAINDER, "_LAST_SHARE", 0, "one step, however long the epochs took", _SGD),
    Constant(_REMAINDER, "_PROOF_SHARE", 0, "the last step tells of separation", _SGD),
    Constant(_REMAINDER, "_PROOF_ITERATIONS", 0, "a proof is always tried", _SGD),
    Constant(_REMAINDER, "_STEPS", 1, "one step", _SGD),
]


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--solvers", nargs="+", default=_ALL)
    parser.add_argument("--problems", nargs="+")
    parser.add_argument("--only", nargs="+", metavar="NAME")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    constants = [c for c in CONSTANTS if not options.only or c.name in options.only]
    SoftmaxRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 0])  # imports, pools and caches
    rows = []
    for case in cases():
        if case.solver in options.solvers and case.name in (options.problems or [case.name]):
            start = time.perf_counter()
            rows += measure(case, [c for c in constants if case.solver in c.solvers])
            print(f"{case.name}: {time.perf_counter() - start:.1f} s", flush=True)
            report = {"environment": environment(), "rows": rows}
            options.output.mkdir(parents=True, exist_ok=True)
            (options.output / "ablation.json").write_text(json.dumps(report, indent=0))
            (options.output / "ablation.md").write_text(markdown(report, constants))


def measure(case, constants):
    """Rows of a problem: what each variant did, and where it ended."""
    X, y = case.load()
    usual = Outcome.of(case, X, y)
    rows = []
    for constant in constants:
        for which, value in constant.variants(current(constant)).items():
            if which != "neutral" and (usual.seconds > SLOW or case.solver == "sgd"):
                continue
            with ExitStack() as stack:
                set_to(constant, value, stack)
                other = Outcome.of(case, X, y, MOST * usual.work)
            is_same = (other.work, other.loss) == (usual.work, usual.loss)
            rows.append(
                {
                    "problem": case.name,
                    "group": case.group,
                    "constant": f"{constant.module}.{constant.name}",
                    "variant": which,
                    "work": other.work / usual.work,
                    "counts": {} if is_same else other.counts,
                    "end": other.end,
                    "loss": other.loss,
                    "cpu": 1.0,
                }
            )
            if which == "neutral" and not is_same and usual.seconds < QUICK and other.loss:
                rows[-1]["cpu"] = ratio_of_times(case, X, y, constant)
    losses = [row["loss"] for row in rows if row["loss"] is not None] + [usual.loss]
    if case.solver == "sgd":
        losses.append(SoftmaxRegression("lbfgs", tol=1e-9).fit(X, y).loss_)
    gain = null_loss(y) - min(losses)
    for row in rows:
        row["usual"] = {"end": usual.end, "seconds": usual.seconds}
        row["usual"]["left"] = (usual.loss - min(losses)) / gain
        loss = row.pop("loss")
        row["left"] = None if loss is None else (loss - min(losses)) / gain
    return rows


@dataclass(frozen=True)
class Outcome:
    """Work and counts of a fit, its end and loss."""

    work: float
    counts: dict
    end: str
    loss: float | None
    seconds: float

    @classmethod
    def of(cls, case, X, y, limit=np.inf):
        """That of a fit, which ends once it has done more than so much work."""
        start = time.process_time()
        model, loss = None, None
        with Tally(limit) as tally:
            try:
                model = fitted(case, X, y)
            except TooMuchError:
                end = f"{MOST} times the work"
            except Exception as error:
                end = type(error).__name__
        counts = dict(tally.counts)
        if model is not None:
            end, loss = model.stop_reason_, float(model.loss_)
            counts["iterations"] = int(model.n_iter_[0])
            if case.solver == "sgd":
                end += ", converged" if model.converged_ else ""
                loss = value_at(model, X, y)
        return cls(tally.work, counts, end, loss, time.process_time() - start)


def fitted(case, X, y):
    """A model of the case, in one fit or in calls of `partial_fit` on random parts."""
    parameters = dict(case.parameters)
    calls = parameters.pop("calls", 0)
    model = SoftmaxRegression(**parameters)
    if not calls:
        return model.fit(X, y)
    order = np.random.default_rng(0).permutation(len(y))
    for rows in np.array_split(order, calls):
        model.partial_fit(X[rows], y[rows], classes=np.unique(y))
    return model


def value_at(model, X, y):
    """f of a fitted model, whose penalty is that of all rows."""
    log_P = model.predict_log_proba(X)
    squares = float(np.square(model.coef_).sum()) * (0.5 if len(model.classes_) == 2 else 1)
    codes = np.searchsorted(model.classes_, y)
    return -float(log_P[np.arange(len(y)), codes].mean()) + squares / (2 * model.C * len(y))


def null_loss(y):
    """That of the class frequencies."""
    frequencies = np.unique(y, return_counts=True)[1] / len(y)
    return -float(frequencies @ np.log(frequencies))


def ratio_of_times(case, X, y, constant):
    """Median CPU seconds with the neutral value over those with the constant, in turns."""
    times = {"usual": [], "neutral": []}
    for which in ["usual", "neutral"] * 3:
        with ExitStack() as stack:
            if which == "neutral":
                set_to(constant, constant.neutral, stack)
            start = time.process_time()
            try:
                fitted(case, X, y)
            except Exception:
                return 1.0
            times[which].append(time.process_time() - start)
    return statistics.median(times["neutral"]) / statistics.median(times["usual"])


def current(constant):
    """The value of a constant."""
    return getattr(sys.modules[f"sk_softmax.{constant.module}"], constant.name)


def set_to(constant, value, stack):
    """Set a constant wherever it was imported, and in the defaults of arguments."""
    usual = current(constant)
    for name, module in list(sys.modules.items()):
        is_ours = name.startswith("sk_softmax") and getattr(module, constant.name, None) is usual
        if is_ours and (constant.name[0] != "_" or name == f"sk_softmax.{constant.module}"):
            stack.enter_context(patch.object(module, constant.name, value))
    if constant.name == "FIT_EVALUATIONS":
        stack.enter_context(
            patch.object(Preconditioning.__init__, "__defaults__", (None, 0.0, value))
        )


def is_worse(row):
    """Whether a variant ends for another reason or clearly further from the minimum."""
    if row["left"] is None:
        return row["end"] != row["usual"]["end"]
    left, usual = row["left"], row["usual"]["left"]
    if row["end"] != row["usual"]["end"]:
        return True
    return left > 1.5 * usual + (1e-4 if row["group"].startswith("sgd") else 1e-6)


def markdown(report, constants):
    """One line for each constant."""
    lines = [
        f"<!-- {json.dumps(report['environment'])} -->",
        "| constant | its neutral value means | problems that change | > 10% more work "
        "| work: mean | worst | least | CPU: mean | half, double | other or worse ends |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for constant in constants:
        name = f"{constant.module}.{constant.name}"
        every = [row for row in report["rows"] if row["constant"] == name]
        rows = [row for row in every if row["variant"] == "neutral"]
        if not rows:
            continue
        most, least = (choice(rows, key=lambda row: row["work"]) for choice in (max, min))
        varied = [
            [row["work"] for row in every if row["variant"] == which]
            for which in ("half", "double")
        ]
        sizes = [f"{geometric_mean(ratios):.3f}" for ratios in varied if ratios]
        ends = [f"{row['problem']}: {end_of(row)}" for row in rows if is_worse(row)]
        changes = sum(row["work"] != 1 or row["left"] != row["usual"]["left"] for row in rows)
        lines.append(
            f"| `{name}` = {current(constant):.3g} | {constant.without} | {changes} of {len(rows)} "
            f"| {sum(row['work'] > 1.1 for row in rows)} "
            f"| {geometric_mean([row['work'] for row in rows]):.3f} "
            f"| {most['work']:.2f} ({most['problem']}) | {least['work']:.2f} ({least['problem']}) "
            f"| {geometric_mean([row['cpu'] for row in rows]):.2f} "
            f"| {', '.join(sizes) or '-'} "
            f"| {f'{len(ends)}: ' if ends else '-'}{'; '.join(ends[:3])} |"
        )
    return "\n".join(lines) + "\n"


def end_of(row):
    """The end of a variant in words."""
    if row["end"] != row["usual"]["end"]:
        return f"{row['end']}, not {row['usual']['end']}"
    return f"{row['left']:.1g} left, not {row['usual']['left']:.1g}"


def geometric_mean(ratios):
    """Of positive numbers."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


if __name__ == "__main__":
    main()
