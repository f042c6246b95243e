"""Time to a given distance from the minimum, for us and for every rival.

Run it in an environment with sk_softmax installed::

    python benchmarks/run.py                       # bundled and synthetic tables
    python benchmarks/run.py --groups images text  # needs SK_SOFTMAX_DATA
    python benchmarks/run.py --problems "wine raw" --repeats 9

README.md has the method. The files are written anew after each problem.
"""

import argparse
import json
import os
import platform
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from contenders import CONTENDERS
from measure import measure
from problems import PROBLEMS
from r_packages import package_version
from report import markdown, problem_table
from threadpoolctl import threadpool_info


def main():
    """Run the chosen problems and write their JSON and Markdown tables."""
    options = parse_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # workers are to end too
    chosen = [
        problem
        for problem in PROBLEMS
        if problem.name in options.problems
        or (not options.problems and problem.group in options.groups)
    ]
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / options.name
    report = {"environment": environment(options), "results": []}
    with TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder  # what stopped fits leave behind goes with it
        for problem in chosen:
            result = measure(
                problem, options.contenders, options.repeats, options.limit, options.settings
            )
            report["results"].append(result)
            print(problem_table(result), flush=True)
            stem.with_suffix(".json").write_text(json.dumps(report, indent=1, allow_nan=False))
            stem.with_suffix(".md").write_text(markdown(report))


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--groups", nargs="*", default=["tables"])
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--contenders", nargs="*", default=[c.name for c in CONTENDERS])
    parser.add_argument("--settings", type=float, nargs="*", help="beside the default; else all")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=60.0, help="seconds for one fit")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--name", default="lbfgs")
    return parser.parse_args()


def environment(options=None):
    """Versions, processor, threads and how it was run."""
    packages = ["sk-softmax", "numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "torch"]
    return {
        "python": platform.python_version(),
        **{package: _version(package) for package in packages},
        "R": package_version("base"),
        **{package: package_version(package) for package in ("glmnet", "nnet")},
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "thread pools": [
            f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}: "
            f"{pool['num_threads']} threads"
            for pool in threadpool_info()
        ],
        **({"repeats": options.repeats, "limit": options.limit} if options else {}),
    }


def processor():
    """Model name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
