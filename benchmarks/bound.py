"""Draw the bound, the estimate and the true distance to the minimum against iterations.

Run it in an environment with sk_softmax and matplotlib installed::

    python benchmarks/bound.py docs/benchmarks/bound.png

On wine, and on classes that live on different orders of magnitude of one raw column.
"""

import math
import sys

import matplotlib.pyplot as plt
import numpy as np
from problems import magnitudes
from sklearn.datasets import load_wine

from sk_softmax import SoftmaxRegression
from sk_softmax._curvature import Curvature
from sk_softmax._objective import Objective
from sk_softmax._penalty import Penalty
from sk_softmax._preconditioner import whole
from sk_softmax._rows import Targets, as_rows
from sk_softmax._solvers import SOLVERS
from sk_softmax._solvers._bound import certificate_by_factor
from sk_softmax._solvers._stage import Stage
from sk_softmax._threads import RowThreads


def distances(X, y):
    """Relative bound, estimate and true distance in each iteration of a fit."""
    K, n = y.max() + 1, len(y)
    with RowThreads() as threads:
        rows = as_rows(X, Targets(y, K), np.ones(n), threads)
        objective = Objective(rows, Penalty(1 / n), True, threads)
        start, _ = objective.null_model()
        states = []
        solver = SOLVERS["lbfgs"](tol=1e-12, max_iter=None)
        result = solver.minimize(objective, start, states.append)
        curvature, found = Curvature(objective), []
        for state in states:
            T = whole(curvature, state.theta)
            stage = Stage(objective, state.theta, T)
            bound = certificate_by_factor(T).bound(stage)
            found.append((bound, state.metrics["gap"], stage.value - result.value))
    return np.array(found) / result.value


def main():
    """Both panels."""
    problems = {"wine": load_wine(return_X_y=True), "classes of different magnitudes": magnitudes()}
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
    for ax, (name, (X, y)) in zip(axes, problems.items(), strict=True):
        bound, estimate, true = distances(X, y).T
        iterations = np.arange(1, len(bound) + 1)
        shown = np.where(true > 1e-15, true, math.nan)
        ax.semilogy(iterations, shown, "k-", lw=2, label="true distance")
        ax.semilogy(iterations, estimate, "C0o--", ms=4, label="estimate")
        ax.semilogy(iterations[np.isfinite(bound)], bound[np.isfinite(bound)], "C3s", label="bound")
        ax.axhline(SoftmaxRegression().tol, color="0.7", zorder=0)
        ax.annotate("default tol", (iterations[0], 1.3e-6), color="0.4", fontsize=8)
        ax.set(title=name, xlabel="iteration", ylim=(1e-19, 10))
    axes[0].set_ylabel("relative to the minimum")
    axes[0].legend(frameon=False)
    figure.savefig(sys.argv[1], dpi=130)


if __name__ == "__main__":
    main()
