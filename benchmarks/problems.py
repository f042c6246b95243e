"""The problems: name, data, C. All raw, none scaled unless its name says so."""

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

#: Environment variable that names a folder with mnist.npz and its like.
DATA_VARIABLE = "SK_SOFTMAX_DATA"


@dataclass(frozen=True)
class Problem:
    """Data under a name, and the C to fit with."""

    name: str
    load: Callable  # () -> X, y
    C: float = 1.0
    group: str = "tables"


def images(name, scale, dtype=np.float64):
    """60,000 images with pixels in 0 .. 255, divided by `scale`."""

    def load():
        with np.load(_folder() / f"{name}.npz") as data:
            X = data["X_train"].reshape(60_000, -1) / dtype(scale)
            return X.astype(dtype, copy=False), data["y_train"].astype(int)

    return load


def debian_text():
    """One-line package descriptions as TF-IDF of words and bigrams; 58 sections."""
    with gzip.open(_folder() / "debian_sections.tsv.gz", "rt", encoding="utf-8") as file:
        next(file)  # the header
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    labels, texts = zip(*rows, strict=True)
    X = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)
    return X, np.unique(labels, return_inverse=True)[1]


def correlated(n, p, K, seed=0):
    """Columns in groups of five with correlation 0.99, in units from 1e-4 to 1e4."""

    def load():
        rng = np.random.default_rng(seed)
        factors = rng.standard_normal((n, max(1, p // 5)))
        noise = rng.standard_normal((n, p))
        X = np.sqrt(0.99) * factors[:, np.arange(p) % factors.shape[1]] + 0.1 * noise
        logits = X @ rng.standard_normal((p, K)) * (2 / np.sqrt(p))
        y = (logits + rng.gumbel(size=(n, K))).argmax(axis=1)
        X *= 10 ** rng.uniform(-4, 4, size=p)
        X += X.std(axis=0) * rng.uniform(-3, 3, size=p)
        return X, np.unique(y, return_inverse=True)[1]

    return load


def categories(n=30_000, levels=(2, 5, 20, 100, 300), K=6, seed=0):
    """One-hot encoded categories, dense, whose levels get rarer like 1 / rank."""

    def load():
        rng = np.random.default_rng(seed)
        codes = np.column_stack(
            [rng.choice(m, size=n, p=1 / np.arange(1, m + 1) / np.sum(1 / np.arange(1, m + 1)))
             for m in levels]
        )  # fmt: skip
        X = OneHotEncoder(sparse_output=False).fit_transform(codes)
        logits = X @ rng.standard_normal((X.shape[1], K))
        return X, (logits + rng.gumbel(size=(n, K))).argmax(axis=1)

    return load


def magnitudes(seed=0, n=150):
    """Five classes whose values are about 10, 13, 6,300, 4,000 and 250,000."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(5), n)
    order = np.array([1, 1.1, 3.8, 3.6, 5.4])[y]
    return (10.0**order * np.exp(0.4 * rng.standard_normal(len(y))))[:, np.newaxis], y


def _bundled(loader):
    return lambda: loader(return_X_y=True)


def _folder():
    folder = os.environ.get(DATA_VARIABLE)
    if not folder:
        raise FileNotFoundError(f"set {DATA_VARIABLE} to the folder with the data sets")
    return Path(folder)


_SHAPES = [(100, 5, 2), (1000, 20, 3), (5000, 50, 5), (20_000, 30, 10), (200_000, 20, 2)]
_LARGE_SHAPES = [(200_000, 100, 10), (2000, 2000, 5), (20_000, 64, 1000)]

PROBLEMS = [
    *(
        Problem(f"{name} raw", _bundled(loader))
        for name, loader in {
            "iris": load_iris,
            "wine": load_wine,
            "breast cancer": load_breast_cancer,
            "digits": load_digits,
        }.items()
    ),
    *(Problem(f"correlated {n} x {p} x {K}", correlated(n, p, K)) for n, p, K in _SHAPES),
    Problem("correlated 5000 x 50 x 5, C=inf", correlated(5000, 50, 5), C=np.inf),
    Problem("one-hot categories", categories()),
    *(
        Problem(f"correlated {n} x {p} x {K}", correlated(n, p, K), group="large")
        for n, p, K in _LARGE_SHAPES
    ),
    Problem("Fashion-MNIST / 255", images("fashion_mnist", 255), group="images"),
    Problem("MNIST / 255", images("mnist", 255), group="images"),
    Problem(
        "Fashion-MNIST / 255, float32", images("fashion_mnist", 255, np.float32), group="float32"
    ),
    Problem("MNIST / 255, float32", images("mnist", 255, np.float32), group="float32"),
    Problem("Fashion-MNIST 0..255", images("fashion_mnist", 1), group="raw images"),
    Problem("MNIST 0..255", images("mnist", 1), group="raw images"),
    Problem("Debian text, C=1", debian_text, group="text"),
    Problem("Debian text, C=100", debian_text, C=100.0, group="text"),
]
