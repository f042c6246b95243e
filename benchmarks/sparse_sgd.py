"""Seconds of SGD on sparse text: calls of partial_fit on hashed texts, and fits of TF-IDF.

Run it in an environment with sk_softmax installed::

    SK_SOFTMAX_DATA=FOLDER python benchmarks/sparse_sgd.py

The folder holds ``debian_sections.tsv.gz``: a label and a line of text in each row. Contenders take
turns, ``--repeats`` times; the medians count. A call has 200 texts of 100 words, drawn from 50,000
by Zipf's law, in the 2^20 columns that ``HashingVectorizer`` has by default, with 4 classes.
"""

import argparse
import gzip
import json
import os
import pickle
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import scipy
import sklearn
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from sk_softmax import SoftmaxRegression

CALLS, TEXTS, WORDS, VOCABULARY, CLASSES = 12, 200, 100, 50_000, 4
EPOCHS = 20


def hashed_calls():
    """Chunks of texts and labels."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(VOCABULARY)])
    share = 1 / np.arange(1, VOCABULARY + 1)
    vectorizer = HashingVectorizer()
    chunks = []
    for _ in range(CALLS):
        drawn = rng.choice(words, (TEXTS, WORDS), p=share / share.sum())
        chunks.append((vectorizer.transform(map(" ".join, drawn)), rng.integers(0, CLASSES, TEXTS)))
    return chunks


def milliseconds_per_call(model, chunks):
    """The median of the calls from the third on."""
    seconds = []
    for X, y in chunks:
        start = time.perf_counter()
        model.partial_fit(X, y, classes=np.arange(CLASSES))
        seconds.append(time.perf_counter() - start)
    return 1e3 * float(np.median(seconds[2:]))


def tfidf():
    """TF-IDF of 45,000 lines in the columns that occur three times, and labels."""
    path = Path(os.environ["SK_SOFTMAX_DATA"]) / "debian_sections.tsv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    chosen = np.random.default_rng(0).permutation(len(rows))[:45_000]
    columns = np.array([[row[0], row[-1]] for row in rows])[chosen]
    label = min((0, 1), key=lambda i: len(set(columns[:, i])))
    return TfidfVectorizer(min_df=3).fit_transform(columns[:, 1 - label]), columns[:, label]


def fit(model, X, y):
    """Seconds, and the objective reached."""
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start, model.loss_


def measure(repeats):
    """All contenders in turns; medians."""
    chunks, (X, y) = hashed_calls(), tfidf()
    streams = {
        "SoftmaxRegression": lambda: SoftmaxRegression(random_state=0),
        "SGDClassifier": lambda: SGDClassifier(loss="log_loss", random_state=0),
        "SGDClassifier, averaged": lambda: SGDClassifier(
            loss="log_loss", average=True, random_state=0
        ),
    }
    fits = {
        "lbfgs": lambda: SoftmaxRegression("lbfgs"),
        f"sgd, {EPOCHS} epochs": lambda: SoftmaxRegression(
            "sgd", max_iter=EPOCHS, tol=None, random_state=0
        ),
    }
    calls, seconds, losses = {}, {}, {}
    for _ in range(repeats):
        for name, make in streams.items():
            calls.setdefault(name, []).append(milliseconds_per_call(make(), chunks))
        for name, make in fits.items():
            time_taken, losses[name] = fit(make(), X, y)
            seconds.setdefault(name, []).append(time_taken)
    model = streams["SoftmaxRegression"]()
    milliseconds_per_call(model, chunks)
    return {
        "milliseconds_per_call": {name: float(np.median(t)) for name, t in calls.items()},
        "megabytes": {"pickle": len(pickle.dumps(model)) / 1e6, "coef_": model.coef_.nbytes / 1e6},
        "tfidf": {"shape": [*X.shape, len(set(y))], "stored": int(X.nnz)},
        "seconds_of_fits": {name: float(np.median(t)) for name, t in seconds.items()},
        "losses": losses,
    }


def table(facts, report):
    """Markdown of the figures."""
    n, p, K = report["tfidf"]["shape"]
    size, losses = report["megabytes"], report["losses"]
    lines = [", ".join(f"{k} {v}" for k, v in facts.items()), ""]
    lines += [
        f"Milliseconds of a call, {TEXTS} texts in 2^20 columns, {CLASSES} classes, medians",
        "",
    ]
    lines += [f"- {name}: {t:.1f}" for name, t in report["milliseconds_per_call"].items()]
    lines += [
        "",
        f"The pickle has {size['pickle']:.1f} MB, of which `coef_` {size['coef_']:.1f}.",
        "",
    ]
    lines += [f"Seconds of a fit of TF-IDF, {n} x {p}, {K} classes, medians; objective", ""]
    lines += [f"- {k}: {t:.1f}; {losses[k]:.5f}" for k, t in report["seconds_of_fits"].items()]
    return "\n".join(lines) + "\n"


def main():
    """Measure, and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    if not os.environ.get("SK_SOFTMAX_DATA"):
        parser.error("set SK_SOFTMAX_DATA to the folder with debian_sections.tsv.gz")
    warnings.simplefilter("ignore")
    facts = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "sklearn": sklearn.__version__,
        "cores": len(os.sched_getaffinity(0)),
        "repeats": options.repeats,
    }
    report = measure(options.repeats)
    options.output.mkdir(parents=True, exist_ok=True)
    whole = json.dumps({"environment": facts, **report}, indent=1)
    (options.output / "sparse_sgd.json").write_text(whole + "\n")
    (options.output / "sparse_sgd.md").write_text(table(facts, report))
    print(table(facts, report))


if __name__ == "__main__":
    main()
