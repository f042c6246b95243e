"""Seconds for L1 at a hundred strengths, down to a thousandth: ours and R's glmnet.

    SK_SOFTMAX_DATA=FOLDER python benchmarks/paths.py
    python benchmarks/paths.py --problems digits "wine raw" --repeats 1

Both get the same strengths, from where all coefficients are zero, and their settings from the
loosest to the tightest. The gap at a strength is that to the least value that anyone reached
there, ours at ``tol=1e-9`` included. glmnet runs in processes of its own, and times itself.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import r_packages
from l1 import L1Reference, letters, some_images, standardised
from run import environment
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from threadpoolctl import threadpool_limits

from sk_softmax import SoftmaxRegression, softmax_path

OURS, GLMNET, GAP = "softmax_path", "R glmnet", 1e-4
SETTINGS = {OURS: (1e-4, 1e-6), GLMNET: (1e-7, 1e-9, 1e-11)}


def indicators(n=3186, p=180, K=3, seed=0):
    """Binary columns, nearly orthogonal, as of letters in a sequence."""

    def load():
        rng = np.random.default_rng(seed)
        X = (rng.random((n, p)) < 0.25).astype(float)
        W = rng.standard_normal((K, p)) * (rng.random((K, p)) < 0.2)
        return X, (X @ W.T * 1.5 + rng.gumbel(size=(n, K))).argmax(axis=1)

    return load


PROBLEMS = {
    "digits": standardised(partial(load_digits, return_X_y=True)),
    "indicators": indicators(),
    "letters": standardised(letters()),
    "breast cancer": standardised(partial(load_breast_cancer, return_X_y=True)),
    "wine raw": partial(load_wine, return_X_y=True),
    "breast cancer raw": partial(load_breast_cancer, return_X_y=True),
    "MNIST, 2,000 rows": some_images(2000),
}


def path_of(X, y, tol, Cs=100):
    """`softmax_path` under L1."""
    return softmax_path(SoftmaxRegression(l1_ratio=1.0, tol=tol), X, y, Cs=Cs)


def ours(X, y, Cs, tol):
    """Seconds, and rows of the models (n_Cs, K or 1, p + 1)."""
    start = time.perf_counter()
    path = path_of(X, y, tol, Cs)
    seconds = time.perf_counter() - start
    return seconds, np.concatenate([path.coefs, path.intercepts[:, :, np.newaxis]], axis=2)


def glmnet(X, y, Cs, thresh):
    """The same of R's glmnet."""
    found = r_packages.fit("glmnet", X, y, 1.0, [thresh], alpha=1, path=1 / (Cs * len(y)))
    rows = np.column_stack([found.coef, found.intercept])
    return found.seconds, rows.reshape(len(Cs), -1, rows.shape[1])


def main():
    """Measure the chosen problems and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    report = {"environment": environment(), "repeats": options.repeats, "results": []}
    for name in options.problems:
        report["results"].append(measure(name, options.repeats))
        print(*_rows(report["results"][-1]), sep="\n", flush=True)
        options.output.mkdir(parents=True, exist_ok=True)
        stem = options.output / "paths"
        stem.with_suffix(".json").write_text(json.dumps(report, indent=1, allow_nan=False))
        stem.with_suffix(".md").write_text(markdown(report))


def measure(name, repeats):
    """Seconds and gaps of all settings, in turns."""
    X, y = PROBLEMS[name]()
    best = path_of(X, y, 1e-9)
    models = {"least": np.concatenate([best.coefs, best.intercepts[:, :, np.newaxis]], axis=2)}
    seconds = {}
    for _ in range(repeats):
        for contender, settings in SETTINGS.items():
            for setting in settings:
                key = f"{contender} {setting:g}"
                fit = ours if contender == OURS else glmnet
                with threadpool_limits(1 if contender == GLMNET else None):
                    taken, models[key] = fit(X, y, best.Cs, setting)
                seconds.setdefault(key, []).append(taken)
    values = {key: _values(X, y, best.Cs, rows) for key, rows in models.items()}
    least = np.min(list(values.values()), axis=0)
    return {
        "problem": name,
        "shape": [*X.shape, int(y.max()) + 1],
        "not_zero": int(best.n_nonzero[-1]),
        "fits": {
            key: {"seconds": float(np.median(taken)), "gaps": (values[key] / least - 1).tolist()}
            for key, taken in seconds.items()
        },
    }


def _values(X, y, Cs, models):
    """f of each model; two classes as rows -w/2 and w/2."""
    if models.shape[1] == 1:
        models = np.concatenate([-models / 2, models / 2], axis=1)
    return np.array(
        [L1Reference(X, y, C).value(theta) for C, theta in zip(Cs, models, strict=True)]
    )


def markdown(report):
    """A table of the settings, and the ratio to a gap of 1e-4 at every strength."""
    environment = report["environment"]
    lines = [
        "# L1 at a hundred strengths, to a thousandth of the first",
        "",
        f"Medians of {report['repeats']} runs in turns, in seconds. The gap is the largest of the "
        f"hundred. {environment['processor']}, {environment['cores']} cores, glmnet "
        f"{environment.get('glmnet')}.",
        "",
        "| data | rows x columns x classes | setting | seconds | largest gap | gaps > 1e-4 |",
        "|---|---|---|---|---|---|",
    ]
    lines += [row for result in report["results"] for row in _rows(result)]
    lines += ["", "| data | glmnet / ours, to a gap of 1e-4 at each strength |", "|---|---|"]
    for result in report["results"]:
        one, other = (_quickest(result, contender) for contender in SETTINGS)
        ratio = f"{other / one:.2g}" if one and other else "not reached by both"
        lines.append(f"| {result['problem']} | {ratio} |")
    return "\n".join(lines) + "\n"


def _rows(result):
    shape = " x ".join(f"{number:,}" for number in result["shape"])
    for key, fit in result["fits"].items():
        gaps = np.array(fit["gaps"])
        yield (
            f"| {result['problem']} | {shape} | {key} | {fit['seconds']:.3g} | {gaps.max():.1e} "
            f"| {np.count_nonzero(gaps > GAP)} |"
        )


def _quickest(result, contender):
    """Seconds of a contender's quickest setting with no gap above `GAP`, or None."""
    fits = [fit for key, fit in result["fits"].items() if key.startswith(contender)]
    return min((fit["seconds"] for fit in fits if max(fit["gaps"]) <= GAP), default=None)


if __name__ == "__main__":
    main()
