"""Random rows, labels and weights for `fuzz`: mostly usable, often odd, sometimes hostile."""

import array
import warnings

import numpy as np
import pandas as pd
from scipy import sparse

SCALES = [1.0, 1e-8, 1e8, 1e-160, 1e150, 1e300, 5e-324]
DTYPES = ["f8", "f4", "f2", "i8", "u1", "i1", "?", ">f8", ">i4", "g", "O", "c16", "U8", "M8[s]"]


def make_rows(rng, *, plain=False):
    """A table of some kind. Plain ones are arrays and proper CSR of four columns."""
    n, p = (
        (40, 4) if plain else (int(rng.choice([0, 1, 2, 3, 10, 40, 200])), rng.choice([1, 4, 60]))
    )
    X = _values(rng, n, int(p))
    if plain:
        return sparse.csr_array(X) if rng.random() < 0.3 else X
    if rng.random() < 0.4:
        return _sparse(rng, X)
    if rng.random() < 0.5:
        return X
    return _container(rng, X)


def _values(rng, n, p):
    """Numbers: normal, heavy-tailed or small integers, in columns of different units."""
    kind = rng.integers(5)
    X = (
        rng.standard_normal((n, p))
        if kind < 2
        else rng.standard_cauchy((n, p))
        if kind == 2
        else np.exp(4 * rng.standard_normal((n, p)))
        if kind == 3
        else rng.integers(-2, 3, size=(n, p)).astype(float)
    )
    if rng.random() < 0.3:
        X *= 10 ** rng.uniform(-8, 8, size=p)
    if rng.random() < 0.2:
        with np.errstate(all="ignore"):
            X *= rng.choice(SCALES)
    if rng.random() < 0.2:
        X += rng.choice([1e3, 1e8, -1e12])
    if rng.random() < 0.2 and p > 1:
        X[:, -1] = X[:, 0] * rng.choice([0, 1, 2])
    if rng.random() < 0.1 and X.size:
        X[rng.integers(n), rng.integers(p)] = rng.choice([np.nan, np.inf, -np.inf, 1e308, -0.0])
    return X


def _sparse(rng, X):
    """A sparse matrix: proper, of any format, or of random triplets that need make no sense."""
    if rng.random() < 0.4:
        return _triplets(rng, *X.shape)
    X = np.where(rng.random(X.shape) < 0.5, 0, X)
    kind = rng.choice([sparse.csr_array, sparse.csr_matrix])
    X = kind(X).asformat(rng.choice(["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]))
    if rng.random() < 0.2 and X.format in ("csr", "csc"):
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return _astype(X, rng.choice(["f8", "f4", "i8", "?", "c16"])) if rng.random() < 0.3 else X


def _triplets(rng, n, p):
    """CSR or CSC put together from arrays, with one of them spoilt after the constructor saw it."""
    kind = rng.choice([sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
    shape = (n, p) if kind is not sparse.csc_array else (p, n)
    stored = int(rng.integers(0, 3 * n + 1))
    indptr = np.sort(np.append(rng.integers(0, stored + 1, size=max(n - 1, 0)), [0, stored]))
    indices, data = rng.integers(0, p, size=stored), rng.standard_normal(stored)
    X = kind(shape)
    X.indptr, X.indices, X.data = indptr[: n + 1], indices, data
    flaw = rng.integers(9)
    if flaw == 0 and stored:
        X.indices[rng.integers(stored)] = rng.choice([-1, p, 10**6, 2**40, -(2**40)])
    elif flaw == 1:
        X.indptr[rng.integers(len(X.indptr))] = rng.choice([-1, stored + 1, 10**6, 2**40])
    elif flaw == 2:
        X.indptr = rng.permutation(X.indptr)
    elif flaw == 3:
        X.data = X.data[: stored // 2]
    elif flaw == 4:
        X.indices = X.indices[: stored // 2]
    elif flaw == 5:
        X.indptr = X.indptr[:-1]
    if rng.random() < 0.5:
        X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    if rng.random() < 0.2:
        X.has_canonical_format = True  # a lie, mostly
    return X.T.tocsr().T if flaw > 6 and kind is sparse.csc_array else X


def _container(rng, X):
    """The same numbers in something else, or something else altogether."""
    with np.errstate(all="ignore"):
        typed = _astype(X, rng.choice(DTYPES))
    frame = pd.DataFrame(X)
    makers = [
        lambda: typed,
        lambda: np.asfortranarray(typed),
        lambda: typed[::-1, ::-1],
        lambda: np.broadcast_to(X[:1], X.shape) if len(X) else X,
        X.tolist,
        lambda: [*X.tolist(), [1.0]],
        lambda: tuple(map(tuple, X)),
        lambda: frame,
        lambda: frame.add_prefix("x"),
        lambda: frame.set_axis(["a"] * X.shape[1], axis=1),
        lambda: frame.astype("object"),
        lambda: frame.astype("category"),
        lambda: frame.convert_dtypes(),
        lambda: frame[0],
        lambda: np.ma.masked_array(X, mask=X > 1),
        lambda: np.matrix(X),
        lambda: np.rec.fromarrays(X.T) if len(X) else X,
        lambda: memoryview(np.ascontiguousarray(X)),
        lambda: array.array("d", X.ravel()),
        lambda: X[:, 0],
        lambda: X[..., np.newaxis],
        lambda: np.float64(1),
        lambda: iter(X),
        lambda: {"x": X},
        lambda: "text",
        lambda: None,
        lambda: [None] * len(X),
        lambda: [[]] * len(X),
    ]
    return makers[rng.integers(len(makers))]()


def _astype(X, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dtype == "M8[s]":
            return np.nan_to_num(X, posinf=0, neginf=0).astype("f2").astype("i8").astype(dtype)
        try:
            return X.astype(dtype)
        except (OverflowError, ValueError):  # dok_array converts numbers one by one
            return X


def make_labels(rng, X, *, plain=False):
    """Labels or probabilities, of as many rows as X has if that can be told."""
    shape = getattr(X, "shape", None)
    n = shape[0] if shape else 40
    if rng.random() < 0.05 and not plain:
        n += 1
    codes = rng.integers(0, int(rng.choice([1, 2, 3, 5])), size=n)
    if plain or rng.random() < 0.5:
        return codes
    words = np.array(["a", "b", "c", "d", "e"])
    makers = [
        lambda: words[codes],
        lambda: words[codes].astype(object),
        lambda: words[codes].astype("S"),
        lambda: codes.astype(float),
        lambda: codes + 0.5,
        lambda: codes.astype("u1"),
        lambda: codes.astype(bool),
        lambda: codes.astype("c16"),
        lambda: codes.astype("M8[s]"),
        lambda: codes * 2**62,
        lambda: codes[:, np.newaxis],
        lambda: np.eye(5)[codes],
        lambda: np.eye(5, dtype=int)[codes],
        lambda: rng.dirichlet(np.ones(3), size=n),
        lambda: rng.dirichlet(np.ones(3), size=n).astype("f4"),
        lambda: rng.standard_normal((n, 3)),
        lambda: pd.DataFrame(rng.dirichlet(np.ones(3), size=n), columns=["x", "y", "z"]),
        lambda: pd.DataFrame(rng.dirichlet(np.ones(3), size=n), columns=["x", 1, None]),
        lambda: pd.Series(words[codes], dtype="category"),
        lambda: pd.Series(codes, dtype="Int64"),
        lambda: pd.Series(codes, dtype="Int64").where(codes != 1),
        lambda: pd.Series(pd.to_datetime(codes)),
        lambda: sparse.csr_array(np.eye(5)[codes]),
        lambda: np.ma.masked_equal(codes, 1),
        lambda: [None, *codes[1:]],
        lambda: [float("nan"), *codes[1:]],
        lambda: ["a", *codes[1:]],
        lambda: [[1.0], [0.5, 0.5]],
        lambda: [[0.5, 0.5], 3],
        lambda: [(), ()],
        lambda: codes.tolist(),
        lambda: np.zeros((n, 0)),
        lambda: np.zeros((n, 2, 2)),
        lambda: "text",
        lambda: 3,
        lambda: None,
    ]
    return makers[rng.integers(len(makers))]()


def make_weights(rng, X):
    """None most of the time."""
    shape = getattr(X, "shape", None)
    n = shape[0] if shape else 40
    makers = [
        lambda: rng.uniform(size=n),
        lambda: rng.integers(0, 2, size=n),
        lambda: rng.uniform(size=n) * rng.choice([1e-300, 1e300, 5e-324]),
        lambda: np.where(rng.random(n) < 0.1, 1e300, 1e-300),
        lambda: np.zeros(n),
        lambda: -np.ones(n),
        lambda: np.full(n, np.nan),
        lambda: np.ones(n + 1),
        lambda: np.ones((n, 1)),
        lambda: np.ones(n, dtype=bool),
        lambda: np.ones(n, dtype=complex),
        lambda: np.array(["1"] * n),
        lambda: np.ma.masked_array(np.ones(n), mask=True),
        lambda: 2.5,
        lambda: pd.Series(np.ones(n)),
        lambda: "text",
        lambda: sparse.csr_array(np.ones((1, max(n, 1)))),
    ]
    return None if rng.random() < 0.6 else makers[rng.integers(len(makers))]()
