"""Tables as they occur: raw columns that made optimizers say "converged" far from the minimum."""

import numpy as np
from hypothesis import strategies as st


def magnitudes(seed, *, two_columns=False, n_classes=5, n=150):
    """Classes on different orders of magnitude of one raw column: prices, populations, counts."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), n)
    order = np.array([1, 1.1, 3.8, 3.6, 5.4])[y]
    x = 10.0**order * np.exp(0.4 * rng.standard_normal(len(y)))
    return np.column_stack([x, rng.uniform(size=len(y))])[:, : 1 + two_columns], y


def far_row(seed, *, n=400):
    """A counter that is 0 or 1, but for one row of 7e8, in nearly separable data."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.04).astype(int)
    y[:3] = 1
    indicators = rng.random((n, 5)) < np.where(y, 0.9, 0.02)[:, np.newaxis]
    counter = (y * (rng.random(n) < 0.7)).astype(float)
    counter[np.flatnonzero(y == 1)[0]] = 7e8
    X = [indicators, rng.exponential(100, n) * (1 - y), rng.integers(0, 255, n), counter]
    return np.column_stack(X).astype(float), y


def sentinel(seed, *, n=2000, far=1e5):
    """One far value: a sentinel for a missing one, a sensor's fault, a wrong unit."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2))
    y = (2 * X[:, 0] + rng.logistic(size=n) > 0).astype(int)
    X[0, 0], y[0] = far, 1
    return X, y


COLUMNS = {
    "count with a giant": lambda r, n: np.where(np.arange(n) == n // 2, 10.0**9, r.poisson(3, n)),
    "money": lambda r, n: np.round(10.0 ** r.uniform(0, 6, n), 2),
    "date": lambda r, n: 20_200_000.0 + 100 * r.integers(1, 13, n) + r.integers(1, 29, n),
    "identifier": lambda r, n: 1e6 + r.permutation(n),
    "percentage": lambda r, n: np.round(100 * r.beta(2, 5, n), 1),
    "rare indicator": lambda r, n: (r.random(n) < 0.02).astype(float),
    "indicator": lambda r, n: (r.random(n) < 0.4).astype(float),
    "constant": lambda r, n: np.full(n, 7.0),
    "measurement": lambda r, n: r.normal(170, 10, n),
    "sentinel": lambda r, n: np.where(r.random(n) < 0.01, -9999.0, r.normal(0, 1, n)),
}


@st.composite
def raw_tables(draw):
    """X (n, p) of raw columns, one of them perhaps the sum of two others, and codes y."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    n = draw(st.integers(20, 300), label="n")
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=6), label="kinds")
    columns = [COLUMNS[kind](rng, n) for kind in kinds]
    if len(columns) > 1 and draw(st.booleans(), label="a sum"):
        columns.append(columns[0] + columns[1])
    X = np.column_stack(columns).astype(np.float64)
    K = draw(st.integers(2, 5), label="K")
    ranks = X.argsort(axis=0).argsort(axis=0) / n - 0.5
    logits = draw(st.sampled_from([0.0, 2.0, 8.0]), label="signal") * ranks
    y = (logits @ rng.standard_normal((X.shape[1], K)) + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[rng.permutation(n)[:K]] = np.arange(K)
    return X, y
