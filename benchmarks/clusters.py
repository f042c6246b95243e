"""Seconds to the minimum on two workers: ours on Dask, Spark ML, and dask-ml on two classes.

    pip install pyspark pyarrow dask-ml     # and a Java runtime for Spark
    python benchmarks/clusters.py
    python benchmarks/clusters.py --rows 200000 --classes 2 --output FOLDER

The data are those of `dask_rows.py`. Each contender has a process for itself and its two workers of
one thread, with all rows in memory before the clock starts, and a short fit behind it. It climbs
its settings from the loosest to the tightest. f* is what `SoftmaxRegression` reaches in memory at
``tol=1e-13``; for gaps of 1e-3 and 1e-6 the quickest setting that reaches it counts.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dask_rows import N_PARTS, P, collections, make_part, two_workers
from run import environment
from scipy.special import logsumexp

from sk_softmax import SoftmaxRegression
from sk_softmax.dask import DaskSoftmaxRegression

C, GAPS = 1.0, (1e-3, 1e-6)


def labelled_part(i, n_rows, n_classes):
    """X and y of a part, y with the last classes joined where fewer are asked for."""
    X, y = make_part(i, n_rows)
    return X, np.minimum(y, n_classes - 1)


def fits_of_ours(options):
    """On Dask: `tol` from 1e-3 to its default."""
    with two_workers() as client:
        X, y = _collections(client, options)
        DaskSoftmaxRegression(max_iter=1, tol=None).fit(X[:, :2], y)
        for tol in (1e-3, 1e-4, 1e-6):
            model = DaskSoftmaxRegression(C=C, tol=tol)
            yield f"tol={tol:g}", lambda model=model: _parts(model.fit(X, y))


def fits_of_dask_ml(options):
    """Of two classes, by its solvers; it penalises the intercept, which changes f* by less than
    1e-9 here.
    """
    from dask_ml.linear_model import LogisticRegression

    with two_workers() as client:
        X, y = _collections(client, options)
        LogisticRegression(max_iter=1).fit(X[:, :2], y)
        for solver, iterations in (
            ("admm", (10, 100)),
            ("lbfgs", (100, 1000)),
            ("newton", (10, 50)),
        ):
            for max_iter in iterations:
                model = LogisticRegression(solver=solver, C=C, max_iter=max_iter, tol=1e-8)
                yield f"{solver}, max_iter={max_iter}", lambda model=model: _parts(model.fit(X, y))


def fits_of_spark(options):
    """By `tol`, the default first, with the penalty on the columns as they are."""
    from pyspark.ml.classification import LogisticRegression
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import SparkSession

    with TemporaryDirectory() as folder:
        for i in range(N_PARTS):
            X, y = labelled_part(i, options.rows // N_PARTS, options.classes)
            features = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), P)
            table = pa.table({"features": features.cast(pa.list_(pa.float64())), "label": y * 1.0})
            pq.write_table(table, f"{folder}/{i}.parquet")
        spark = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.memory", options.java_memory)
            .config("spark.ui.enabled", "false")
            .config("spark.log.level", "ERROR")
            .config("spark.local.dir", folder)
            .getOrCreate()
        )
        rows = spark.read.parquet(folder).select(
            array_to_vector("features").alias("features"), "label"
        )
        rows = rows.cache()
        rows.count()
        family = "multinomial" if options.classes > 2 else "binomial"
        strength = 1 / (C * options.rows)

        def fit(**parameters):
            model = LogisticRegression(
                regParam=strength, family=family, standardization=False, **parameters
            ).fit(rows)
            return model.coefficientMatrix.toArray(), model.interceptVector.toArray()

        fit(maxIter=2)
        yield "default", fit
        for tol in (1e-8, 1e-10, 1e-13):
            yield f"tol={tol:g}", lambda tol=tol: fit(tol=tol, maxIter=1000)
        spark.stop()


CONTENDERS = {
    "sk_softmax.dask": fits_of_ours,
    "Spark ML": fits_of_spark,
    "dask-ml": fits_of_dask_ml,
}


def _collections(client, options):
    make = partial(labelled_part, n_classes=options.classes)
    return collections(client, make, options.rows // N_PARTS)


def _parts(model):
    return np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)


def measure_alone(options):
    """The fits of one contender: a line of JSON for each, as soon as it is done."""
    for setting, fit in CONTENDERS[options.contender](options):
        start = time.perf_counter()
        coef, intercept = fit()
        seconds = time.perf_counter() - start
        found = {"setting": setting, "seconds": seconds}
        print(json.dumps(found | {"coef": coef.tolist(), "intercept": intercept.tolist()}))
        sys.stdout.flush()


def value(coef, intercept, options):
    """f of the parts, with two classes as scikit-learn has them."""
    coef, intercept, loss = np.array(coef), np.array(intercept), 0.0
    for i in range(N_PARTS):
        X, y = labelled_part(i, options.rows // N_PARTS, options.classes)
        Z = X @ coef.T + intercept
        Z = np.column_stack([np.zeros(len(Z)), Z]) if len(coef) == 1 else Z
        loss += float((logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]).sum())
    return (loss + float(np.square(coef).sum()) / (2 * C)) / options.rows


def minimum(options):
    """f*, found in memory."""
    n_rows = options.rows // N_PARTS
    parts = [labelled_part(i, n_rows, options.classes) for i in range(N_PARTS)]
    model = SoftmaxRegression(C=C, tol=1e-13).fit(*map(np.concatenate, zip(*parts, strict=True)))
    return value(*_parts(model), options)


def main():
    """Measure, print and write JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--classes", type=int, default=5, choices=range(2, 6))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one contender")
    parser.add_argument("--java-memory", default="8g")
    parser.add_argument("--contenders", nargs="*", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--contender", choices=CONTENDERS, help="for the program itself")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    options = parser.parse_args()
    if options.contender:
        measure_alone(options)
        return
    fits = {name: {} for name in options.contenders if name != "dask-ml" or options.classes == 2}
    least, loads = minimum(options), []
    for _ in range(options.repeats):
        for name, found in fits.items():
            loads.append(os.getloadavg()[0])
            for fit in fits_in_time(name, options):
                gap = value(fit["coef"], fit["intercept"], options) / least - 1
                found.setdefault(fit["setting"], []).append((fit["seconds"], gap))
    report = {"environment": environment(), "rows": options.rows, "classes": options.classes}
    report |= {"minimum": least, "loads": loads, "fits": fits}
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / f"clusters_{options.classes}"
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1))
    stem.with_suffix(".md").write_text(markdown(report))
    print(markdown(report))


def fits_in_time(name, options):
    """What a contender gets done within the limit."""
    command = [sys.executable, __file__, "--contender", name, "--java-memory", options.java_memory]
    command += ["--rows", str(options.rows), "--classes", str(options.classes)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=options.limit)
        lines = done.stdout
    except subprocess.TimeoutExpired as error:
        lines = (error.stdout or b"").decode()
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


def markdown(report):
    """The settings, and the quickest for each gap."""
    lines = [
        f"{report['rows']:,} x {P} x {report['classes']}, two workers of one thread; load of the "
        f"machine before each contender {min(report['loads']):.1f} to {max(report['loads']):.1f}.",
        "",
        "| contender | setting | seconds | gap |",
        "|---|---|---|---|",
    ]
    medians = {
        name: {
            setting: tuple(np.median(fits, axis=0).tolist()) for setting, fits in settings.items()
        }
        for name, settings in report["fits"].items()
    }
    lines += [
        f"| {name} | {setting} | {seconds:.3g} | {gap:.1e} |"
        for name, settings in medians.items()
        for setting, (seconds, gap) in settings.items()
    ]
    lines += ["", "| gap | " + " | ".join(medians) + " |", "|---" * (1 + len(medians)) + "|"]
    for gap in GAPS:
        best = [
            min((s for s, g in settings.values() if g <= gap), default=math.nan)
            for settings in medians.values()
        ]
        ours = best[0]
        cells = [f"{s:.3g} s ({s / ours:.1f} times)" if s > 0 else "not reached" for s in best]
        lines.append(f"| {gap:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
