"""Time to the minimum with an L1 penalty: ours, scikit-learn's saga and R's glmnet.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/l1.py
    python benchmarks/l1.py --limit 20 --repeats 1

Each contender climbs a ladder from its loosest setting to its tightest, until a fit takes longer
than ``--limit`` seconds; for gaps of 1e-4 and 1e-6 the quickest setting that reaches it is timed
again, in turns with the others. glmnet's settings are the number of lambdas on its path, from
where all coefficients are zero, and `thresh`; its default is a path of 100 at 1e-7. The minimum is
the least value that anyone reached; `proven_gap` is what ours proves of it. README.md has the rest
of the method.
"""

import argparse
import json
import math
import os
import signal
import sys
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import problems as data
import r_packages
from contenders import Contender
from fits import timed_fit
from measure import Ladder, as_json, repeat
from problems import Problem
from reference import Reference
from run import environment
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from worker import Worker

from sk_softmax import SoftmaxRegression

GAPS = (1e-4, 1e-6)
OURS, SAGA, GLMNET = "SoftmaxRegression", "saga", "R glmnet"


class L1Reference(Reference):
    """f = mean cross-entropy + sum |W| / (C n) for softmax rows.

    For two classes they are -w/2 and w/2, whose absolute values add up to those of w.
    """

    def value(self, theta):
        """f, in float64."""
        unpenalised = Reference(self.X, self.y, math.inf).value(theta)
        return unpenalised + float(abs(theta[:, :-1]).sum()) / (self.C * self.n)

    def __init__(self, X, y, C):
        super().__init__(X, y, C)
        self.C = C


def fit_ours(X, y, C, setting):
    """With `tol`, or with the default."""
    parameters = {} if setting is None else {"tol": setting}
    model = SoftmaxRegression(C=C, l1_ratio=1.0, **parameters)
    return timed_fit(lambda: _parts(model.fit(X, y)))


def fit_saga(X, y, C, setting):
    """With `max_iter` and no other end, or with the default."""
    parameters = {} if setting is None else {"max_iter": setting, "tol": 1e-12}
    model = LogisticRegression(solver="saga", C=C, l1_ratio=1.0, random_state=0, **parameters)
    if model.get_params().get("penalty") == "l2":  # before scikit-learn 1.8
        model.set_params(penalty="l1")
    return timed_fit(lambda: _parts(model.fit(X, y)))


def _parts(model):
    return model.coef_, model.intercept_


CONTENDERS = [
    Contender(OURS, fit_ours, [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7]),
    Contender(SAGA, fit_saga, [30, 100, 300, 1000, 3000, 10_000, 30_000]),
    *(
        Contender(
            f"{GLMNET}, {n} lambdas",
            partial(r_packages.fit, "glmnet", alpha=1),
            [(n, thresh) for thresh in (1e-5, 1e-7, 1e-9, 1e-11, 1e-13)],
            conditions=[r_packages.installed("glmnet")],
        )
        for n in (8, 20, 100)
    ),
]


def standardised(load):
    """The same data in columns of mean zero and variance one."""

    def load_standardised():
        X, y = load()
        return StandardScaler().fit_transform(X), y

    return load_standardised


def letters(n=20_000, p=16, K=26, seed=0):
    """Sixteen small integers that describe a letter each, correlated."""

    def load():
        rng = np.random.default_rng(seed)
        centres = 2.5 * rng.standard_normal((K, p))
        y = rng.integers(K, size=n)
        mixing = np.eye(p) + 0.5 * rng.standard_normal((p, p)) / np.sqrt(p)
        X = (centres[y] + 2.5 * rng.standard_normal((n, p))) @ mixing
        return np.clip(np.round(7.5 + 1.5 * X), 0, 15), y

    return load


def wide(n=2000, p=5000, K=5, informative=50, seed=0):
    """More columns than rows, of which a few matter."""

    def load():
        rng = np.random.default_rng(seed)
        X, W = rng.standard_normal((n, p)), np.zeros((K, p))
        W[:, :informative] = rng.standard_normal((K, informative))
        return X, (X @ W.T / 2 + rng.gumbel(size=(n, K))).argmax(axis=1)

    return load


def some_images(n=10_000):
    """The first images of MNIST."""

    def load():
        X, y = data.images("mnist", 255)()
        return X[:n], y[:n]

    return load


def _bundled(loader):
    return partial(loader, return_X_y=True)


_DATA = {
    "digits": standardised(_bundled(load_digits)),
    "letters": standardised(letters()),
    "MNIST, 10,000 rows": some_images(),
    "2,000 x 5,000": wide(),
    "Debian text": data.debian_text,
    "wine raw": _bundled(load_wine),
    "breast cancer raw": _bundled(load_breast_cancer),
    "digits raw": _bundled(load_digits),
    "letters raw": letters(),
}
PROBLEMS = [
    Problem(f"{name}, C = {C:g}", load, C) for name, load in _DATA.items() for C in (0.1, 1.0)
]


def main():
    """Measure the chosen problems and write JSON and Markdown, anew after each."""
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # workers are to end too
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / "l1"
    report = {"environment": environment(options), "results": []}
    with TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # what stopped fits leave behind goes with it
        for problem in PROBLEMS:
            if options.problems and problem.name not in options.problems:
                continue
            report["results"].append(measure(problem, options.repeats, options.limit))
            print(*_rows(report["results"][-1]), sep="\n", flush=True)
            stem.with_suffix(".json").write_text(json.dumps(report, indent=1, allow_nan=False))
            stem.with_suffix(".md").write_text(markdown(report))


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one fit")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    return parser.parse_args()


def measure(problem, repeats, limit):
    """Everything that is reported of a problem, ready for JSON."""
    X, y = problem.load()
    reference = L1Reference(X, y, problem.C)
    left_out = {c.name: c.objection(X, problem.C) for c in CONTENDERS}
    with ExitStack() as stack:
        ladders = []
        for contender in CONTENDERS:
            if not left_out[contender.name]:
                worker = Worker(contender, problem, limit, ("l1", "l1"))
                stack.enter_context(closing(worker))
                ladders.append(Ladder(contender, worker, reference))
        for ladder in ladders:
            ladder.climb()
        minimum = min(step.value for ladder in ladders for step in ladder.steps)
        steps = [(ladder, ladder.quickest_within(g, minimum)) for ladder in ladders for g in GAPS]
        again = list(dict.fromkeys((ladder, step) for ladder, step in steps if step))
        repeat(again, repeats, limit)
    certified = SoftmaxRegression(C=problem.C, l1_ratio=1.0, tol=1e-7).fit(X, y)
    return {
        "problem": problem.name,
        "shape": [*X.shape, reference.K],
        "minimum": minimum,
        "proven_gap": certified.gap_ / certified.loss_,
        "n_nonzero": int(np.count_nonzero(certified.coef_)),
        "left_out": {name: why for name, why in left_out.items() if why},
        "ladders": {
            ladder.contender.name: [
                as_json(step, minimum, (ladder, step) in again) for step in ladder.steps
            ]
            for ladder in ladders
        },
    }


def markdown(report):
    """The tables."""
    environment = report["environment"]
    lines = [
        "# L1: seconds to the minimum",
        "",
        "Medians in seconds at the better number of BLAS threads; in brackets the setting: `tol` "
        "of ours, `max_iter` of saga, the number of lambdas and `thresh` of glmnet. Where a gap "
        "was not reached, the least gap that was, and how long its fit took.",
        "",
        f"{environment['processor']}, {environment['cores']} cores; "
        + ", ".join(
            f"{name} {environment[name]}"
            for name in ("python", "numpy", "scipy", "scikit-learn", "glmnet")
            if environment.get(name)
        ),
        "",
        "| problem | rows x columns x classes | not zero | gap | ours | saga | R glmnet "
        "| saga / ours | glmnet / ours |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [row for result in report["results"] for row in _rows(result)]
    lines += ["", *_means(report["results"])]
    return "\n".join(lines) + "\n"


def _rows(result):
    """A row of the table for each gap."""
    for gap in GAPS:
        best = {name: _best(result, name, gap) for name in (OURS, SAGA, GLMNET)}
        cells = [
            result["problem"],
            " x ".join(f"{number:,}" for number in result["shape"]),
            f"{result['n_nonzero']:,}",
            f"{gap:g}",
            *(_cell(result, name, step) for name, step in best.items()),
            *(_ratio(best[OURS], best[name]) for name in (SAGA, GLMNET)),
        ]
        yield "| " + " | ".join(cells) + " |"


def _best(result, name, gap):
    """The quickest step of a contender that reaches a gap, or None."""
    steps = [step for step in _steps(result, name) if step["gap"] <= gap]
    return min(steps, key=lambda step: step["seconds"], default=None)


def _steps(result, name):
    """What a contender, in all its forms, got done."""
    ladders = [steps for key, steps in result["ladders"].items() if key.startswith(name)]
    return [step for steps in ladders for step in steps if "gap" in step]


def _cell(result, name, step):
    if any(key.startswith(name) for key in result["left_out"]):
        return "-"
    if step:
        return f"{step['seconds']:.3g} ({_setting(step)})"
    done = _steps(result, name)
    if not done:
        return "no fit in time"
    nearest = min(done, key=lambda step: step["gap"])
    return f"{nearest['gap']:.0e} in {nearest['seconds']:.3g}"


def _setting(step):
    setting = step["setting"]
    if setting is None:
        return "default"
    return (
        ", ".join(f"{x:g}" for x in setting)
        if isinstance(setting, (list, tuple))
        else f"{setting:g}"
    )


def _ratio(ours, theirs):
    return f"{theirs['seconds'] / ours['seconds']:.3g}" if ours and theirs else ""


def _means(results):
    """Geometric means of the ratios, over the problems in which both get there."""
    for name in (SAGA, GLMNET):
        for gap in GAPS:
            pairs = [(_best(r, OURS, gap), _best(r, name, gap)) for r in results]
            ratios = [b["seconds"] / a["seconds"] for a, b in pairs if a and b]
            if ratios:
                mean = math.exp(np.mean(np.log(ratios)))
                yield f"- {name} / ours to {gap:g}: {mean:.2g} on {len(ratios)} of {len(pairs)}."


if __name__ == "__main__":
    main()
