"""Seconds of a cross-validation over C, and how far its models are from their minima.

Run it in an environment with sk_softmax installed::

    SK_SOFTMAX_DATA=FOLDER python benchmarks/cross_validation.py

The folder holds ``fashion_mnist.npz``; without it that problem is left out. Contenders take turns,
``--repeats`` times; the medians count. All have ten values of C from 1e-4 to 1e4 and the same five
folds, and choose by accuracy. `LogisticRegressionCV` counts with its defaults, and with the solver
that gets nearest to the minimum on raw features, "newton-cholesky" at ``tol=1e-6``, where its
matrix is small enough. The minimum of each of the fifty problems is that of "lbfgs" with
``tol=1e-10``.
"""

import argparse
import json
import os
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from report import in_words
from run import environment
from scipy.special import logsumexp
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sk_softmax import SoftmaxRegression, SoftmaxRegressionCV, softmax_path

CS, FOLDS = np.geomspace(1e-4, 1e4, 10), 5
# Coefficients up to which "newton-cholesky" is tried: its matrix has the square of their number.
CHOLESKY_SIZE = 1000


def letters():
    """20,000 rows of 16 small integers in 26 classes, as UCI's letters have."""
    rng = np.random.default_rng(0)
    centers, y = 1.2 * rng.normal(size=(26, 16)), rng.integers(26, size=20_000)
    noise = rng.normal(size=(20_000, 16)) @ (np.eye(16) + 0.3 * rng.normal(size=(16, 16)))
    return np.round(2 * (centers[y] + noise)), y


def fashion(n_rows=10_000):
    """Images of Fashion-MNIST, from 0 to 1."""
    archive = np.load(Path(os.environ["SK_SOFTMAX_DATA"]) / "fashion_mnist.npz")
    X = archive["X_train"][:n_rows]
    return X.reshape(n_rows, -1) / 255, archive["y_train"][:n_rows].astype(int)


PROBLEMS = {
    "wine, raw": lambda: load_wine(return_X_y=True),
    "digits": lambda: load_digits(return_X_y=True),
    "20,000 x 16 x 26": letters,
    "Fashion-MNIST / 255, 10,000 rows": fashion,
}


def contenders(n_jobs, n_coefficients):
    """Names and makers of what is compared."""
    cv = StratifiedKFold(FOLDS)
    theirs = partial(
        LogisticRegressionCV,
        Cs=CS,
        cv=cv,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
        n_jobs=n_jobs,
    )
    makers = {
        "SoftmaxRegressionCV": lambda: SoftmaxRegressionCV(Cs=CS, cv=cv, n_jobs=n_jobs),
        "GridSearchCV of SoftmaxRegression": lambda: GridSearchCV(
            SoftmaxRegression(), {"C": CS}, cv=cv, n_jobs=n_jobs
        ),
        "LogisticRegressionCV": theirs,
    }
    if n_coefficients <= CHOLESKY_SIZE:
        makers["LogisticRegressionCV, newton-cholesky"] = partial(
            theirs, solver="newton-cholesky", tol=1e-6, max_iter=1000
        )
    return makers


def objective(X, y, W, b, C):
    """C times the sum of the losses, plus the penalty."""
    Z = X @ W.T + b
    losses = logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]
    return C * losses.sum() + 0.5 * (W * W).sum()


def relative_gaps(model, X, y):
    """Of the models of all folds and C to their minima."""
    gaps = []
    for fold, (train, _) in enumerate(StratifiedKFold(FOLDS).split(X, y)):
        path = softmax_path(SoftmaxRegression(tol=1e-10), X[train], y[train], Cs=CS)
        for j, C in enumerate(CS):
            coefs = model.coefs_paths_[fold, 0, j]
            least = path.losses[j] * C * len(train)
            value = objective(X[train], y[train], coefs[:, :-1], coefs[:, -1], C)
            gaps.append(max(value - least, 0) / least)
    return np.array(gaps)


def measure(name, repeats, n_jobs):
    """Medians of seconds, and gaps, of all contenders on a problem."""
    X, y = PROBLEMS[name]()
    seconds, models = {}, {}
    for _ in range(repeats):
        for contender, make in contenders(n_jobs, X.shape[1] * len(np.unique(y))).items():
            start = time.perf_counter()
            models[contender] = make().fit(X, y)
            seconds.setdefault(contender, []).append(time.perf_counter() - start)
    rows = []
    for contender, times in seconds.items():
        row = {"contender": contender, "seconds": float(np.median(times))}
        if hasattr(models[contender], "coefs_paths_"):
            gaps = relative_gaps(models[contender], X, y)
            row |= {"median_gap": float(np.median(gaps)), "largest_gap": float(gaps.max())}
        rows.append(row)
    return {"problem": name, "shape": [*X.shape, len(np.unique(y))], "rows": rows}


def table(facts, results):
    """Markdown of the figures."""
    lines = [in_words(facts), ""]
    lines += ["| problem | contender | seconds | times ours | median gap | largest gap |"]
    lines += ["|---|---|---|---|---|---|"]
    for result in results:
        ours = result["rows"][0]["seconds"]
        for row in result["rows"]:
            gaps = [row.get(key) for key in ("median_gap", "largest_gap")]
            text = " | ".join("" if gap is None else f"{gap:.1e}" for gap in gaps)
            ratio = row["seconds"] / ours
            lines.append(
                f"| {result['problem']} | {row['contender']} | {row['seconds']:.3g} "
                f"| {ratio:.1f} | {text} |"
            )
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--problems", nargs="*", choices=PROBLEMS, default=None)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    names = options.problems or [
        name for name in PROBLEMS if "Fashion" not in name or os.environ.get("SK_SOFTMAX_DATA")
    ]
    facts = environment() | {"repeats": options.repeats, "n_jobs": options.n_jobs}
    results = []
    for name in names:
        results.append(measure(name, options.repeats, options.n_jobs))
        text = table(facts, results)
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "cross_validation.md").write_text(text, encoding="utf-8")
        report = json.dumps({"environment": facts, "results": results}, indent=1)
        (options.output / "cross_validation.json").write_text(report + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
