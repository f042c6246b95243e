"""A fit on two workers of one thread each, beside the same fit in memory.

    python benchmarks/dask_rows.py
    python benchmarks/dask_rows.py --rows 200000 --output FOLDER

Every fit has processes of its own, one fit after the other; workers have imported the package
before. The CPU time of a fit, of workers and
their client together, says what the distribution costs where other programs disturb the clock.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster, wait
from run import environment

from sk_softmax import SoftmaxRegression
from sk_softmax.dask import DaskSoftmaxRegression

P, K, N_PARTS = 50, 5, 16
FITS = ("local, 1 thread", "local, 2 threads", "2 workers x 1 thread")
TOLERANCES = {"default": 1e-6, "tight": 1e-16}


def make_part(seed, n_rows):
    """Correlated columns in units from 0.1 to 100, and labels drawn from a softmax model."""
    common, rng = np.random.default_rng(99), np.random.default_rng([7, seed])
    units = np.logspace(-1, 2, P)
    mix = (np.eye(P) + 0.3 * common.standard_normal((P, P))) * units
    W = common.standard_normal((K, P)) / units / 3
    X = rng.standard_normal((n_rows, P)) @ mix
    return X, (X @ W.T + rng.gumbel(size=(n_rows, K))).argmax(axis=1)


@contextmanager
def two_workers():
    """A client of two workers of one thread."""
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(**options, local_directory=folder) as cluster,
        Client(cluster) as client,
    ):
        yield client


def collections(client, make, n_rows):
    """X and y of the parts ``make(i, n_rows)``, spread over the workers."""
    parts = [dask.delayed(make, nout=2)(i, n_rows) for i in range(N_PARTS)]
    X, y = (
        da.concatenate([da.from_delayed(part[k], shape, dtype=dtype) for part in parts])
        for k, (shape, dtype) in enumerate((((n_rows, P), float), ((n_rows,), int)))
    )
    X, y = client.persist([X, y])
    wait([X, y])
    return X, y


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--fit", choices=FITS, help="do this fit only, for the program itself")
    options = parser.parse_args()
    if options.fit:
        print(json.dumps(fit(options.fit, options.rows // N_PARTS)))
        return
    report = {"environment": environment(), "rows": options.rows, "load": [], "fits": {}}
    for name in FITS:
        report["load"].append(os.getloadavg()[0])
        command = [sys.executable, __file__, "--rows", str(options.rows), "--fit", name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        report["fits"][name] = json.loads(output.splitlines()[-1])
        print(name, report["fits"][name]["default"]["seconds"], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "dask_rows.json").write_text(json.dumps(report, indent=1))
    (options.output / "dask_rows.md").write_text(markdown(report))
    print(markdown(report))


def fit(name, n_rows):
    """What a fit takes and finds, for each of the `TOLERANCES`."""
    n_threads = 2 if "2 threads" in name else 1
    if "workers" not in name:
        X, y = map(
            np.concatenate, zip(*(make_part(i, n_rows) for i in range(N_PARTS)), strict=True)
        )
        return {
            tolerance: timed(SoftmaxRegression(n_jobs=n_threads, tol=tol), X, y, time.process_time)
            for tolerance, tol in TOLERANCES.items()
        }
    with two_workers() as client:
        X, y = collections(client, make_part, n_rows)
        DaskSoftmaxRegression(max_iter=1, tol=None).fit(X[:, :2], y)  # workers import what it needs

        def cpu_time():
            return time.process_time() + sum(client.run(time.process_time).values())

        return {
            tolerance: timed(DaskSoftmaxRegression(tol=tol), X, y, cpu_time)
            for tolerance, tol in TOLERANCES.items()
        }


def timed(model, X, y, cpu_time):
    """Seconds, memory of this process, and the result of a fit."""
    before, cpu, start = peak_memory(), cpu_time(), time.perf_counter()
    model.fit(X, y)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_time() - cpu,
        "peak_mib": peak_memory() - before,
        "n_evaluations": int(model.history_["n_evaluations"][-1]),
        "loss": model.loss_,
        "coef": model.coef_.tolist(),
    }


def peak_memory():
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def markdown(report):
    """A table of the fits, and what the ratios of the times and the differences are."""
    one, two, workers = (report["fits"][name] for name in FITS)
    lines = [
        f"{report['rows']:,} x {P} x {K}, {report['rows'] * P * 8 / 2**20:,.0f} MiB",
        "",
        "| fit | seconds | CPU seconds | evaluations | load before |",
        "|---|---|---|---|---|",
    ]
    for (name, found), load in zip(report["fits"].items(), report["load"], strict=True):
        row = found["default"]
        lines.append(
            f"| {name} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} | "
            f"{row['n_evaluations']} | {load:.1f} |"
        )
    tight = [np.array(found["tight"]["coef"]) for found in (one, workers)]
    difference = np.abs(np.subtract(*tight)).max() / np.abs(tight[0]).max()
    loss = abs(1 - workers["tight"]["loss"] / one["tight"]["loss"])
    fits = [found["default"] for found in (one, two, workers)]
    lines += [
        "",
        f"One thread takes {fits[0]['seconds'] / fits[2]['seconds']:.2f} times as long as the "
        f"workers, which take {fits[2]['seconds'] / fits[1]['seconds']:.2f} times as long as two "
        f"threads, and {fits[2]['cpu_seconds'] / fits[0]['cpu_seconds']:.2f} times the CPU time of "
        f"one. At tol=1e-16 losses differ by {loss:.1g}, coefficients by {difference:.1g} of the "
        f"largest. The client's peak memory grows by {fits[2]['peak_mib']:.0f} MiB.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
