"""Time to a given distance from the minimum, for us and for every rival.

Run it in an environment with sk_softmax installed::

    python benchmarks/run.py                       # bundled and synthetic tables
    python benchmarks/run.py --groups images text  # needs SK_SOFTMAX_DATA
    python benchmarks/run.py --problems "wine raw" --repeats 9

Every contender climbs its ladder of settings, one fit each, until a fit takes longer than
``--limit`` seconds. The quickest settings that come within each gap are then timed again, in
turns with the other contenders and with BLAS at one thread and at all: the median at the better
number of threads counts. The gap is (f - f*) / |f*| with f from formulas of its own in float64,
f* the least f that any contender reached, and beside it what conjugate gradients can still find
below that.
"""

import argparse
import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from contenders import CONTENDERS, two_rows
from problems import PROBLEMS
from reference import Reference
from threadpoolctl import threadpool_info, threadpool_limits

GAPS = (1e-2, 1e-3, 1e-4, 1e-6)
OURS = "SoftmaxRegression"


def main():
    """Run the chosen problems and write their JSON and Markdown tables."""
    options = parse_arguments()
    chosen = [
        problem
        for problem in PROBLEMS
        if problem.name in options.problems
        or (not options.problems and problem.group in options.groups)
    ]
    results = []
    for problem in chosen:
        results.append(measure(problem, options))
        print(table(results[-1:]), flush=True)
    report = {"environment": environment(), "results": results}
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / options.name
    stem.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    stem.with_suffix(".md").write_text(f"{describe(report['environment'])}\n\n{table(results)}\n")


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--groups", nargs="*", default=["tables"])
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--contenders", nargs="*", default=[c.name for c in CONTENDERS])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one fit")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--name", default="lbfgs")
    return parser.parse_args()


def measure(problem, options):
    """Ladders, then repeats of what counts."""
    X, y = problem.load()
    reference = Reference(X, y, problem.C)
    contenders = [c for c in CONTENDERS if c.name in options.contenders]
    climbs = {c.name: climb(c, X, y, problem.C, reference, options.limit) for c in contenders}
    best = min((step for steps in climbs.values() for step in steps), key=lambda s: s["value"])
    minimum = best["value"]
    rows = {c.name: quickest_within(climbs[c.name], minimum) for c in contenders}
    repeat(contenders, rows, X, y, problem.C, options)
    return {
        "problem": problem.name,
        "shape": [*X.shape, reference.K],
        "C": problem.C,
        "minimum": minimum,
        "minimum_by": best["contender"],
        "remaining_gap": reference.remaining_gap(best.pop("theta")) / abs(minimum),
        "rows": rows,
        "default": {
            name: [{k: s[k] for k in ("seconds", "value")} for s in steps if s["setting"] is None]
            for name, steps in climbs.items()
        },
    }


def climb(contender, X, y, C, reference, limit):
    """One fit for each setting, the default first, until one takes longer than the limit."""
    steps = []
    for setting in (None, *contender.settings):
        start = time.perf_counter()
        theta = two_rows(*contender.fit(X, y, C, setting))
        seconds = time.perf_counter() - start
        steps.append(
            {"contender": contender.name, "setting": setting, "seconds": seconds,
             "value": reference.value(theta), "theta": theta}
        )  # fmt: skip
        if seconds > limit:
            break
    return steps


def quickest_within(steps, minimum):
    """For each gap the quickest setting that reaches it."""
    rows = {}
    for gap in GAPS:
        within = [s for s in steps if (s["value"] - minimum) / abs(minimum) <= gap]
        if within:
            step = min(within, key=lambda s: s["seconds"])
            rows[gap] = {
                "setting": step["setting"],
                "gap": (step["value"] - minimum) / abs(minimum),
                "seconds": step["seconds"],
            }
    return rows


def repeat(contenders, rows, X, y, C, options):
    """Median times in turns over the contenders, at the better number of threads."""
    fits = {c.name: c.fit for c in contenders}
    tasks = {(name, row["setting"]): {} for name, gaps in rows.items() for row in gaps.values()}
    quickest = {key: row["seconds"] for key, row in _with_keys(rows)}
    for threads in (1, None):
        for _ in range(options.repeats):
            for (name, setting), times in tasks.items():
                spent = sum(sum(t) for t in times.values())
                if times.get(threads) and spent + quickest[name, setting] > options.limit:
                    continue
                with threadpool_limits(threads):
                    start = time.perf_counter()
                    fits[name](X, y, C, setting)
                    times.setdefault(threads, []).append(time.perf_counter() - start)
    for key, row in _with_keys(rows):
        medians = {threads: float(np.median(t)) for threads, t in tasks[key].items()}
        threads = min(medians, key=medians.get)
        row.update(seconds=medians[threads], threads=threads, n=len(tasks[key][threads]))


def _with_keys(rows):
    return [((name, row["setting"]), row) for name, gaps in rows.items() for row in gaps.values()]


def environment():
    """Versions, processor and threads."""
    packages = ("sk-softmax", "numpy", "scipy", "scikit-learn")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        **{package: version(package) for package in packages},
        "threads": sorted({(i["internal_api"], i["num_threads"]) for i in threadpool_info()}),
    }


def describe(facts):
    """The environment in one line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def table(results):
    """Markdown: seconds to each gap, and how many times quicker we are than the best rival."""
    lines = []
    for result in results:
        n, p, K = result["shape"]
        lines += [
            f"\n**{result['problem']}** ({n} x {p}, {K} classes, C = {result['C']:g}); f* by "
            f"{result['minimum_by']}, at most {result['remaining_gap']:.0e} above the minimum\n",
            "| | " + " | ".join(f"gap {gap:.0e}" for gap in GAPS) + " |",
            "|---|" + "---|" * len(GAPS),
        ]
        for name, gaps in result["rows"].items():
            cells = [f"{gaps[g]['seconds']:.3g} s" if g in gaps else "-" for g in GAPS]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines.append(
            "| fastest rival / ours | " + " | ".join(_ratio(result, g) for g in GAPS) + " |"
        )
    return "\n".join(lines)


def _ratio(result, gap):
    ours = result["rows"].get(OURS, {}).get(gap)
    rivals = [g[gap]["seconds"] for n, g in result["rows"].items() if n != OURS and gap in g]
    if ours is None:
        return "-"
    return f"{min(rivals) / ours['seconds']:.1f}" if rivals else "no rival"


if __name__ == "__main__":
    main()
