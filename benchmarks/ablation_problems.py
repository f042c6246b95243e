"""What `ablation.py` fits: groups of problems, and how each is fitted and judged."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from problems import categories, correlated, debian_text, images
from r_tables import tables
from raw_sgd import random_table
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from raw_tables import COLUMNS, far_row, magnitudes, sentinel


@dataclass(frozen=True)
class Case:
    """Data, and the parameters of `SoftmaxRegression` to fit them with."""

    name: str
    group: str
    load: Callable = field(repr=False)  # () -> X, y
    parameters: dict = field(default_factory=dict)

    @property
    def solver(self):
        """Which constants have a part in it."""
        return self.group.split(":")[0]


def raw_table(seed):
    """Raw columns of several kinds, perhaps one the sum of two, and labels from their ranks."""
    rng = np.random.default_rng(seed)
    n, K = int(rng.integers(60, 1000)), int(rng.integers(2, 6))
    kinds = rng.choice(sorted(COLUMNS), size=rng.integers(2, 7))
    columns = [COLUMNS[kind](rng, n) for kind in kinds]
    if rng.random() < 0.5:
        columns.append(columns[0] + columns[1])
    X = np.column_stack(columns).astype(float)
    ranks = X.argsort(axis=0).argsort(axis=0) / n - 0.5
    logits = rng.choice([0.0, 2.0, 8.0]) * ranks @ rng.standard_normal((X.shape[1], K))
    y = (logits + rng.gumbel(size=(n, K))).argmax(axis=1)
    y[rng.permutation(n)[:K]] = np.arange(K)
    return X, y


def few(load, n):
    """The first n rows."""
    X, y = load()
    return X[:n], np.unique(y[:n], return_inverse=True)[1]


def few_texts(n, p=None):
    """Every so many of Debian's texts; all columns or the p most frequent ones."""
    X, y = debian_text()
    rows = np.arange(n) * X.shape[0] // n
    X, y = X[rows], np.unique(y[rows], return_inverse=True)[1]
    if p:
        X = X[:, np.sort(np.argsort(-X.getnnz(axis=0), kind="stable")[:p])]
    return X, y


def offset_columns(n=40_000, p=30):
    """Columns far off zero, large enough for float32."""
    X, y = correlated(n, p, 3)()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X + 1e4, y


BUNDLED = {
    "iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer,
    "digits": load_digits,
}  # fmt: skip
GENERATED = {
    "magnitudes": partial(magnitudes, 0),
    "magnitudes, 2 columns": partial(magnitudes, 1, two_columns=True),
    "far row": partial(far_row, 0),
    "sentinel": partial(sentinel, 0),
    **{f"raw {seed}": partial(raw_table, seed) for seed in range(16)},
}


def cases():
    """All of them; those of text and images need SK_SOFTMAX_DATA."""
    bundled = {name: partial(load, return_X_y=True) for name, load in BUNDLED.items()}
    sample = {name: lambda X=X, y=y: (X, y) for name, X, y in tables(every=25)}
    fashion = images("fashion_mnist", 255)
    return [*_lbfgs(bundled, sample, fashion), *_l1(bundled, sample, fashion),
            *_sgd(bundled, sample, fashion)]  # fmt: skip


def _lbfgs(bundled, sample, fashion):
    for name, load in (bundled | GENERATED).items():
        yield Case(name, "lbfgs: small tables" if name in bundled else "lbfgs: generated", load)
    for name in ("iris", "wine", "breast cancer", "raw 1", "raw 2", "magnitudes"):
        load = (bundled | GENERATED)[name]
        yield Case(f"{name}, C=1e4", "lbfgs: weak penalty", load, {"C": 1e4})
        yield Case(f"{name}, C=inf", "lbfgs: weak penalty", load, {"C": np.inf})
    for name, load in sample.items():
        yield Case(name, "lbfgs: real tables", load)
    large = {
        "correlated 2000 x 500 x 5": correlated(2000, 500, 5),
        "correlated 20000 x 30 x 10": correlated(20_000, 30, 10),
        "one-hot categories": categories(10_000),
        "wide 200 x 5000 x 3": correlated(200, 5000, 3),
        "40000 x 30 x 3, columns off zero by 1e4": offset_columns,
    }
    for name, load in large.items():
        yield Case(name, "lbfgs: large tables", load)
    yield Case("Fashion-MNIST / 255", "lbfgs: images", partial(few, fashion, 10_000))
    raw = images("fashion_mnist", 1)
    yield Case("Fashion-MNIST 0..255", "lbfgs: images", partial(few, raw, 2000))
    yield Case("text", "lbfgs: text", partial(few_texts, 4000, 10_000))
    yield Case("text, C=100", "lbfgs: text", partial(few_texts, 2000, 5000), {"C": 100.0})


def _l1(bundled, sample, fashion):
    l1 = {"l1_ratio": 1.0}
    for name, load in (bundled | GENERATED).items():
        yield Case(
            f"{name}, L1", f"L1: {'small tables' if name in bundled else 'generated'}", load, l1
        )
    for name in ("wine", "breast cancer", "raw 1", "magnitudes"):
        load = (bundled | GENERATED)[name]
        yield Case(f"{name}, L1, C=100", "L1: weak penalty", load, l1 | {"C": 100.0})
        yield Case(f"{name}, bounds", "L1: bounds", load, {"bounds": (0.0, np.inf), "C": 10.0})
    for name, load in list(sample.items())[::2]:
        yield Case(f"{name}, L1", "L1: real tables", load, l1)
    yield Case("correlated 2000 x 200 x 5, L1", "L1: large tables", correlated(2000, 200, 5), l1)
    weak = l1 | {"C": 10.0}
    yield Case("digits, L1, C=10", "L1: weak penalty", bundled["digits"], weak)
    yield Case("Fashion-MNIST / 255, L1", "L1: images", partial(few, fashion, 1000), l1)
    yield Case("text, L1", "L1: text", partial(few_texts, 2000, 5000), l1)


def _sgd(bundled, sample, fashion):
    everything = bundled | GENERATED
    for seed in range(2):
        sgd = {"solver": "sgd", "random_state": seed}
        for name in ("iris", "wine", "breast cancer", "digits", "far row", "sentinel",
                     "raw 1", "raw 5", "raw 9"):  # fmt: skip
            group = "sgd: small tables" if name in bundled else "sgd: generated"
            yield Case(f"{name}, SGD {seed}", group, everything[name], sgd)
        for number in (0, 5, 8):
            load = partial(few, lambda number=number: random_table(number)[1:], 2000)
            yield Case(f"random {number}, SGD {seed}", "sgd: generated", load, sgd)
        for name in ("AER/Affairs", "HistData/DrinksWages", "datasets/co2"):
            yield Case(f"{name}, SGD {seed}", "sgd: real tables", sample[name], sgd)
        for rate, load in {1e-3: bundled["digits"], 1e-2: bundled["iris"]}.items():
            given = sgd | {"learning_rate": rate, "max_iter": 50}
            name = f"{load.func.__name__[5:]}, rate {rate}, SGD {seed}"
            yield Case(name, "sgd: given rate", load, given)
        for name in ("digits", "breast cancer", "raw 1", "raw 5"):
            stream = {"random_state": seed, "calls": 10}
            yield Case(f"{name}, 10 calls {seed}", "sgd: streams", everything[name], stream)
    images_ = partial(few, fashion, 1000)
    yield Case("Fashion-MNIST / 255, SGD", "sgd: images", images_, sgd)
    texts = partial(few_texts, 1000, 2000)
    yield Case("text, SGD", "sgd: text", texts, sgd)
    yield Case("text, 10 calls", "sgd: streams", texts, stream)
