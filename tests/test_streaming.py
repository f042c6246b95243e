"""The recipes of the user guide's page on streams, and files larger than the memory allowed."""

import doctest
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from sk_softmax import SoftmaxRegression

PAGE = Path(__file__).parent.parent / "docs" / "user_guide" / "streaming.rst"
CLASSES = np.arange(10)


def recipe_source():
    """The imports and functions of the page."""
    if not PAGE.exists():
        pytest.skip("the user guide is not here")
    examples = doctest.DocTestParser().get_examples(PAGE.read_text(encoding="utf-8"))
    parts = [e.source for e in examples if e.source.startswith(("def chunks_of", "import", "from"))]
    return "".join(parts)


@pytest.fixture(scope="module")
def recipes():
    namespace = {}
    exec(recipe_source(), namespace)
    return namespace


@pytest.fixture(scope="module")
def table():
    """Digits with the label as the last column, shuffled."""
    frame = load_digits(as_frame=True).frame.astype(np.int64)
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def streamed(chunks):
    model = SoftmaxRegression(random_state=0)
    for X, y in chunks:
        model.partial_fit(X, y, classes=CLASSES)
    return model


def direct(table, size):
    """The model of slices of a data frame in memory."""
    X, y = table.drop(columns="target"), table["target"]
    return streamed((X[i : i + size], y[i : i + size]) for i in range(0, len(y), size))


def assert_same_model(model, expected):
    """Up to rounding: frames that were read have another memory order than slices."""
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-8, atol=1e-11)
    np.testing.assert_array_equal(model.feature_names_in_, expected.feature_names_in_)
    assert model.n_iter_ == expected.n_iter_


def test_a_csv_file_gives_the_model_of_its_chunks(recipes, table, tmp_path):
    path = tmp_path / "digits.csv"
    table.to_csv(path, index=False)
    assert_same_model(streamed(recipes["chunks_of_csv"](path, "target", 500)), direct(table, 500))


def test_a_parquet_file_gives_the_model_of_its_chunks(recipes, table, tmp_path):
    """Whatever its row groups are."""
    pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "digits.parquet"
    table.to_parquet(path, engine="pyarrow", row_group_size=700)
    chunks = recipes["chunks_of_parquet"](path, "target", 500)
    assert_same_model(streamed(chunks), direct(table, 500))


def test_a_parquet_file_is_not_kept_in_memory(recipes, tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((60_000, 20))).add_prefix("x").assign(label=0)
    path = tmp_path / "noise.parquet"
    frame.to_parquet(path, engine="pyarrow", row_group_size=2000)
    before = pyarrow.total_allocated_bytes()
    chunks = recipes["chunks_of_parquet"](path, "label", 1000)
    peak = max(pyarrow.total_allocated_bytes() for _ in chunks) - before
    assert peak < path.stat().st_size / 4


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_memory_map_gives_the_model_of_the_array(recipes, table, tmp_path, dtype):
    X, y = table.to_numpy()[:, :-1].astype(dtype), table["target"].to_numpy()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    models = [
        streamed(recipes["chunks_of_array"](rows, y, 500, np.random.default_rng(0)))
        for rows in (X, mapped)
    ]
    np.testing.assert_array_equal(models[1].coef_, models[0].coef_)


def test_random_chunks_of_an_array_hold_every_row_once(recipes):
    X, y = np.arange(50)[:, np.newaxis], np.arange(50)
    chunks = list(recipes["chunks_of_array"](X, y, 12, np.random.default_rng(0)))
    assert [len(labels) for _, labels in chunks] == [12, 12, 12, 12, 2]
    np.testing.assert_array_equal(np.sort(np.concatenate([labels for _, labels in chunks])), y)
    for rows, labels in chunks:
        np.testing.assert_array_equal(rows[:, 0], labels)
        assert np.all(np.diff(labels) > 0)  # reads go forwards
    assert np.ptp(chunks[0][1]) > 25  # from all over the file


# The whole file would fit neither as text nor as numbers. Threads reserve address space of their
# own, so there is one; what is allocated once is allocated before the limit is set.
UNDER_A_LIMIT = """
import resource, sys
from sk_softmax import SoftmaxRegression
{recipes}

def stream(rows):
    model = SoftmaxRegression(n_jobs=1, random_state=0)
    for X, y in chunks_of_csv({path!r}, "target", 2000):
        model.partial_fit(X, y, classes=np.arange(10))
        if model.n_iter_[0] * 2000 >= rows:
            break
    return model

stream(rows=4000)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
limit = used + {allowed}
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with open({path!r}, "rb") as file:
        pd.read_csv(file)
except (MemoryError, pd.errors.ParserError) as error:
    print("out of memory:", isinstance(error, MemoryError) or "out of memory" in str(error))
model = stream(rows=float("inf"))
print("calls:", model.n_iter_[0])
X, y = next(chunks_of_csv({path!r}, "target", 2000))
print("accurate:", model.score(X, y) > 0.9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space are Linux's")
@pytest.mark.skipif(pd.__version__ < "3", reason="earlier readers take more memory for a chunk")
def test_a_stream_of_a_file_larger_than_the_memory_allowed(table, tmp_path):
    path, allowed = tmp_path / "digits.csv", 32 * 2**20
    header, rows = table.to_csv(index=False).split("\n", 1)
    repetitions = int(1.1 * allowed / len(rows))
    with open(path, "w") as file:
        file.write(header + "\n")
        for _ in range(repetitions):
            file.write(rows)
    assert path.stat().st_size > allowed
    code = UNDER_A_LIMIT.format(recipes=recipe_source(), path=str(path), allowed=allowed)
    one_thread = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX"], "1")
    child = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **one_thread},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert child.returncode == 0, child.stderr
    calls = -(-repetitions * len(table) // 2000)
    assert child.stdout.splitlines() == ["out of memory: True", f"calls: {calls}", "accurate: True"]
