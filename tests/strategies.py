"""Generated problems for property tests.

`problems()` is the documented domain: columns of moderate tails, correlated or not, in units from
1e-8 to 1e8; `problems(heavy=True)` adds Cauchy and lognormal columns, see test_properties.py.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

COLUMNS = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "uniform": lambda rng, n: rng.uniform(-1, 1, size=n),
    "counts": lambda rng, n: rng.poisson(2, size=n).astype(float),
    "binary": lambda rng, n: (rng.random(n) < 0.3).astype(float),
    "rare": lambda rng, n: (rng.random(n) < 0.02).astype(float),
    "exponential": lambda rng, n: rng.exponential(size=n),
    "Student": lambda rng, n: rng.standard_t(5, size=n),
    "constant": lambda rng, n: np.full(n, rng.standard_normal()),
}
HEAVY = {
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "lognormal": lambda rng, n: np.exp(3 * rng.standard_normal(n)),
}
LABELS = {
    "codes": lambda codes: codes,
    "words": lambda codes: np.array([f"class {k}" for k in range(10)])[codes],
    "negative": lambda codes: -codes,
    "floats": lambda codes: codes.astype(float),
}


@dataclass
class Problem:
    """X (n, p) of float64, codes (n,) of at least two classes, weights or None, and C."""

    X: np.ndarray
    y: np.ndarray
    s: np.ndarray | None
    C: float

    def __repr__(self):
        weights = (
            "no weights" if self.s is None else f"weights {self.s.min():.2g}..{self.s.max():.2g}"
        )
        return f"<{self.X.shape}, counts {np.bincount(self.y)}, {weights}, C={self.C:.3g}>"


@st.composite
def problems(draw, heavy=False, max_rows=150, finite_C=False):
    """A `Problem`, drawn as a few choices and a seed: what matters shrinks, noise does not."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    n = draw(st.integers(4, max_rows), label="n")
    p = draw(st.integers(1, 8) | st.integers(1, 40), label="p")
    K = draw(st.integers(2, min(6, n)), label="K")
    kinds = {**COLUMNS, **(HEAVY if heavy else {})}
    names = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4), label="columns")
    X = np.column_stack([kinds[names[j % len(names)]](rng, n) for j in range(p)])
    if draw(st.booleans(), label="correlated"):
        X = X @ (np.eye(p) + rng.standard_normal((p, p)))
    if draw(st.booleans(), label="sparse"):
        X = np.where(rng.random(X.shape) < 0.6, 0, X)
    if draw(st.booleans(), label="shifted"):
        X = X + 10.0 ** draw(st.integers(0, 3), label="offset") * rng.standard_normal(p)
    signal = draw(st.sampled_from([0.0, 0.3, 1.0, 5.0]), label="signal")
    spread = np.where(X.std(axis=0) > 0, X.std(axis=0), 1)
    logits = signal * (X - X.mean(axis=0)) / spread @ rng.standard_normal((p, K))
    imbalance = draw(st.sampled_from([0.0, 1.0, 4.0]), label="imbalance")
    logits = logits + imbalance * np.arange(K)
    y = (logits + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[rng.permutation(n)[:K]] = np.arange(K)
    units = draw(st.sampled_from(["same", "different", "extreme"]), label="units")
    X = X * 10 ** ({"same": 0, "different": 3, "extreme": 8}[units] * rng.uniform(-1, 1, size=p))
    s = _weights(draw, rng, y)
    C = 10.0 ** draw(st.integers(-6, 6), label="log10 C")
    if not finite_C and draw(st.integers(0, 5), label="penalty") == 0:
        C = np.inf
    return Problem(X, y, s, C)


def _weights(draw, rng, y):
    kind = draw(st.sampled_from(["none", "uniform", "repetitions", "wide"]), label="weights")
    if kind == "none":
        return None
    if kind == "uniform":
        return rng.uniform(0.1, 2, size=len(y))
    if kind == "wide":
        return 10 ** rng.uniform(-3, 3, size=len(y))
    s = rng.integers(0, 4, size=len(y)).astype(float)
    s[np.unique(y, return_index=True)[1]] = 1  # every class keeps a row
    return s


def containers():
    """Functions that hand over the same X in another form."""
    return st.sampled_from(
        [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_matrix, sparse.coo_array]
    )


def labels():
    """Functions from codes to labels of another type."""
    return st.sampled_from(list(LABELS.values()))
