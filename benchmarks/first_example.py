"""The first example of README.md over ten splits, beside LogisticRegressionCV.

python benchmarks/first_example.py
"""

import time
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegressionCV

GRID = {"Cs": np.logspace(-3, 0, 7), "scoring": "neg_log_loss"}
THEIRS = {**GRID, "l1_ratios": (0,), "use_legacy_attributes": False}
CONTENDERS = {
    "SoftmaxRegressionCV, raw": SoftmaxRegressionCV(**GRID),
    "LogisticRegressionCV, raw": LogisticRegressionCV(**THEIRS),
    "LogisticRegressionCV, max_iter=1000, raw": LogisticRegressionCV(**THEIRS, max_iter=1000),
    "LogisticRegressionCV, scaled": make_pipeline(StandardScaler(), LogisticRegressionCV(**THEIRS)),
    "SoftmaxRegressionCV, scaled": make_pipeline(StandardScaler(), SoftmaxRegressionCV(**GRID)),
}


def main():
    """Print a table."""
    X, y = load_digits(return_X_y=True)
    rows = {name: [] for name in CONTENDERS}
    for seed in range(10):
        splits = train_test_split(X, y, stratify=y, random_state=seed)
        for name, model in CONTENDERS.items():
            rows[name].append(measure(model, *splits))
    print("| | seconds, median | test log loss, mean | test accuracy, mean | warnings, mean |")
    print("|---|---|---|---|---|")
    for name, results in rows.items():
        seconds, loss, accuracy, n_warnings = np.transpose(results)
        cells = f"{np.median(seconds):.2f} | {loss.mean():.4f} | {accuracy.mean():.4f}"
        print(f"| {name} | {cells} | {n_warnings.mean():.0f} |")


def measure(model, X_train, X_test, y_train, y_test):
    """Seconds of a fit, log loss and accuracy on the test rows, and how often it warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
    P = model.predict_proba(X_test)
    accuracy = np.mean(model.classes_[P.argmax(axis=1)] == y_test)
    return seconds, log_loss(y_test, P), accuracy, len(caught)


if __name__ == "__main__":
    main()
