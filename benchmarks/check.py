"""Check that every contender minimises the same objective, and that a slow one is stopped.

At its tightest setting each must reach the minimum of newton-cholesky, to 1e-6 (1e-5 on float32
data, where some keep float32 coefficients), with three classes, with two, and without penalty.
"""

import time

import numpy as np
from contenders import CONTENDERS, SCIKIT_LEARN, two_rows
from problems import PROBLEMS
from reference import Reference
from scipy import sparse
from sklearn.datasets import load_iris
from worker import FitFailed, Worker

#: Their steps for the intercepts of sparse data are small: 10,000 epochs are not enough.
SLOW = (SCIKIT_LEARN + "sag", SCIKIT_LEARN + "saga")


def main():
    """Print a line for each contender on each table; fail where one is elsewhere."""
    for name, X, y, C in small_tables():
        reference = Reference(X, y, C)
        rival = next(c for c in CONTENDERS if c.name == SCIKIT_LEARN + "newton-cholesky")
        minimum = value_at_tightest(rival, reference, C)
        for contender in CONTENDERS:
            objection = contender.objection(X, C)
            if objection:
                print(f"{name}: {contender.name} left out: {objection}")
                continue
            gap = value_at_tightest(contender, reference, C) / minimum - 1
            print(f"{name}: {contender.name}: {gap:.1e}")
            tolerance = 1e-6 if X.dtype == np.float64 else 1e-5
            assert abs(gap) < tolerance or contender.name in SLOW, "another objective"
    for name in ("LogisticRegression saga", "R glmnet"):
        check_stopped(next(c for c in CONTENDERS if c.name == name))


def small_tables():
    """Name, X, y and C of small tables; that without penalty has classes that overlap."""
    X, y = load_iris(return_X_y=True)
    noisy = np.random.default_rng(0).permuted(y[:, np.newaxis].repeat(2, axis=1), axis=0)[:, 0]
    overlapping = np.where(np.arange(len(y)) % 3 == 0, noisy, y)
    yield "three classes", X, y, 1.0
    yield "two classes", X[50:], y[50:] - 1, 1.0
    yield "float32", X.astype(np.float32), overlapping, 1.0
    yield "sparse", sparse.csr_matrix(X), y, 10.0
    yield "sparse, two classes", sparse.csr_matrix(X[50:]), y[50:] - 1, 10.0
    yield "no penalty", X, overlapping, np.inf
    yield "no penalty, two classes", X[50:], np.minimum(overlapping[50:], 1), np.inf


def value_at_tightest(contender, reference, C):
    """f at the last setting of a contender."""
    fit = contender.fit(reference.X, reference.y, C, contender.settings[-1])
    return reference.value(two_rows(fit.coef, fit.intercept))


def check_stopped(contender):
    """A fit that would take much longer than a second ends within a few."""
    problem = next(p for p in PROBLEMS if p.name == "correlated 20000 x 30 x 10")
    worker = Worker(contender, problem, limit=1)
    try:
        worker.start()
        start = time.perf_counter()
        worker.fit(contender.settings[-1], None)
    except FitFailed as error:
        print(f"{contender.name}: {error}, {time.perf_counter() - start:.1f} s")
    else:
        raise AssertionError(f"{contender.name} was not stopped")
    finally:
        worker.close()


if __name__ == "__main__":
    main()
