"""A fit of more rows than the memory of all workers holds, from files.

    python benchmarks/larger_than_memory.py
    python benchmarks/larger_than_memory.py --rows 4000000 --memory 700MB

Writes 40 files of rows of `dask_rows.py` to a temporary folder, 4 GB by default, and fits them on
two workers of one thread, whose memory is limited. Prints the seconds of the fit, its evaluations,
and the most memory that each worker has had.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import dask.array as da
import numpy as np
from dask_rows import P, make_part, peak_memory
from distributed import Client, LocalCluster

from sk_softmax.dask import DaskSoftmaxRegression

N_FILES = 40


def load(path):
    """The array in a file."""
    return np.load(path)


def collection(folder, name, shape, dtype):
    """The files of a name as one array."""
    parts = [dask.delayed(load)(f"{folder}/{name}{i}.npy") for i in range(N_FILES)]
    return da.concatenate([da.from_delayed(part, shape, dtype=dtype) for part in parts])


def main():
    """Write the files, fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", default="1200MB", help="of each worker")
    options = parser.parse_args()
    n_rows = options.rows // N_FILES
    with TemporaryDirectory() as folder:
        for i in range(N_FILES):
            X, y = make_part(i, n_rows)
            np.save(f"{folder}/X{i}.npy", X)
            np.save(f"{folder}/y{i}.npy", y)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 2**30
        limits = {
            "threads_per_worker": 1,
            "memory_limit": options.memory,
            "dashboard_address": None,
        }
        with (
            LocalCluster(n_workers=2, local_directory=folder, **limits) as cluster,
            Client(cluster) as client,
        ):
            X = collection(folder, "X", (n_rows, P), float)
            y = collection(folder, "y", (n_rows,), int)
            start = time.perf_counter()
            model = DaskSoftmaxRegression().fit(X, y)
            seconds = time.perf_counter() - start
            peaks = [f"{peak:.0f} MiB" for peak in client.run(peak_memory).values()]
    print(
        f"{size:.1f} GiB of files, two workers of {options.memory}: {seconds:.0f} s, "
        f"{model.history_['n_evaluations'][-1]} evaluations, gap {model.gap_ / model.loss_:.0e}; "
        f"peaks {', '.join(peaks)}"
    )


if __name__ == "__main__":
    main()
