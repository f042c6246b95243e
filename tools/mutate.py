"""Mutation testing of the mathematics: does some test notice each small change of the code?

    python tools/mutate.py                          # a sample of 25 mutants of every module
    python tools/mutate.py --module _softmax --sample 0     # all mutants of one
    python tools/mutate.py --module _objective --mutant 17  # one, with what pytest says

A mutant differs from the package in one operator, comparison, number or keyword. It lives in a
copy of the package; only the tests that are meant for its module run, and those of whole fits.
Mutants that survive are printed: either a test is missing, or the change makes no difference to
results. The second kind is explained in `mutants.md`.
"""

import argparse
import ast
import copy
import importlib
import multiprocessing
import os
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The quickest tests first: most mutants die within a second.
TESTS = {
    "_softmax": ["test_softmax", "test_soft_targets", "test_objective"],
    "_kernels": ["rows/test_kinds", "test_objective"],
    "_penalty": ["test_penalty", "test_objective"],
    "_objective": ["test_objective", "test_soft_targets", "solvers/test_lbfgs"],
    "_preconditioner": ["test_preconditioner", "solvers/test_metric", "solvers/test_lbfgs"],
    "_curvature": ["test_curvature", "test_preconditioner", "test_extremes"],
    "_rows/_rotation": ["rows/test_rotation"],
    "_rows/_column_sums": ["rows/test_column_sums", "rows/test_kinds"],
    "_rows/_in_memory": ["rows/test_kinds", "test_objective"],
    "_rows/_sampling": ["test_curvature", "rows/test_kinds"],
    "_rows/_statistics": ["test_curvature", "rows/test_kinds"],
    "_batches": ["test_batches", "test_soft_targets", "solvers/test_sgd"],
    "_formulation": ["test_soft_targets", "test_state", "test_partial_fit"],
    "_solvers/_gap": ["solvers/test_gap", "solvers/test_lbfgs"],
    "_solvers/_lbfgs": ["solvers/test_lbfgs", "rows/test_rotation"],
    "_solvers/_gradient_table": ["solvers/test_gradient_table", "solvers/test_sgd"],
    "_solvers/_metric": ["solvers/test_metric", "solvers/test_sgd"],
    "_solvers/_sgd": ["solvers/test_sgd", "test_callbacks", "test_partial_fit", "test_extremes"],
    "_solvers/_descent": ["solvers/test_sgd", "test_partial_fit"],
    "_solvers/_moments": ["solvers/test_metric", "test_streams"],
    "_solvers/_stream": ["test_streams", "test_partial_fit"],
    "_solvers/_state": ["test_partial_fit", "test_old_models", "test_streams"],
    "_solvers/_schedules": ["solvers/test_schedules", "solvers/test_sgd"],
}
# Tests of whole fits, for mutants that survive the above.
GENERAL = ["test_sparse_structure", "test_optimality", "test_invariances", "test_parity"]
# What tests import, but the package and plugins of pytest: imported once, before the forks.
IMPORTS = ("scipy.optimize", "sklearn.datasets", "sklearn.linear_model", "pandas", "joblib")
FORK = multiprocessing.get_context("fork")
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Mod: ast.Add,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.USub: ast.UAdd,
}
# Names and calls that are about speed and memory alone, or about names and messages: a change
# in a line with one of them is no change of a result.
INDIFFERENT = (
    "overwrite_", "_work", "_WORK", "_BYTES", "_SIZE", "_PARTS", "_ROWS", "threads.map(", "lwork",
    "slices(", "n_parts", "__all__", "cost", "_WORTH", "patience", "raise ", "_MEMORY", "maxcor",
    "copy=", "zip(", "itemsize", "clean=", "@dataclass(",
)  # fmt: skip


def places(tree, source):
    """Pairs of a node and the field in which a mutant differs.

    The private constants of a module are left out: most tune speed, and no value is a promise.
    """
    lines = source.splitlines()
    for node in ast.walk(tree):
        line = lines[node.lineno - 1] if hasattr(node, "lineno") else ""
        if any(word in line for word in INDIFFERENT) or re.match("_[A-Z0-9_]+(, | =)", line):
            continue
        if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp, ast.UnaryOp)):
            if type(node.op) in OPERATORS:
                yield node, "op"
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
            yield node, "ops"
        elif isinstance(node, ast.Constant) and type(node.value) in (bool, int, float):
            yield node, "value"
        elif isinstance(node, ast.IfExp):
            yield node, "test"


def mutate(node, field):
    """Change a node; there is one way for each field."""
    if field == "op":
        node.op = OPERATORS[type(node.op)]()
    elif field == "ops":
        node.ops[0] = OPERATORS[type(node.ops[0])]()
    elif field == "test":
        node.body, node.orelse = node.orelse, node.body
    elif isinstance(node.value, bool):
        node.value = not node.value
    else:
        node.value = node.value + 1 if node.value in (0, 1) else node.value * 3


def mutants(source):
    """The sources of all mutants, with the line and text of the change."""
    plain = ast.unparse(ast.parse(source))
    for index in range(len(list(places(ast.parse(source), source)))):
        tree = ast.parse(source)
        node, field = list(places(tree, source))[index]
        before = ast.unparse(copy.deepcopy(node))
        mutate(node, field)
        mutant = ast.unparse(tree)
        if mutant != plain:
            yield index, mutant, f"line {node.lineno}: {before}  ->  {ast.unparse(node)}"


def run_tests(package_parent, module, show):
    """Exit with pytest's status for the tests of a module, with the package in a folder."""
    sys.path.insert(0, str(package_parent))
    if not show:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
    names = dict.fromkeys([*TESTS[module], *GENERAL])
    tests = [str(ROOT / "tests" / f"{name}.py") for name in names]
    os._exit(pytest.main(["-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]))


def tests_pass(package_parent, module, seconds, show):
    """`run_tests` in a fork of this process, which need not import NumPy and the like again."""
    process = FORK.Process(target=run_tests, args=(package_parent, module, show))
    process.start()
    process.join(seconds)
    process.kill()  # a mutant may never end
    process.join()
    return process.exitcode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", choices=TESTS)
    parser.add_argument("--sample", type=int, default=25, help="mutants of each module; 0 for all")
    parser.add_argument("--mutant", type=int, help="run this one only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=240, help="seconds that tests may take")
    options = parser.parse_args()
    for name in IMPORTS:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "sk_softmax", Path(folder) / "sk_softmax")
        sys.dont_write_bytecode = True
        for module in [options.module] if options.module else TESTS:
            path = Path(folder) / "sk_softmax" / f"{module}.py"
            source = path.read_text()
            found = list(mutants(source))
            if options.mutant is not None:
                found = [m for m in found if m[0] == options.mutant]
            elif options.sample:
                count = min(options.sample, len(found))
                found = sorted(random.Random(options.seed).sample(found, count))
            survived, start, show = 0, time.monotonic(), options.mutant is not None
            if not show and not tests_pass(folder, module, options.limit, show):
                return f"The tests of {module} fail without any change, or take too long."
            for index, mutant, change in found:
                path.write_text(mutant)
                if tests_pass(folder, module, options.limit, show):
                    survived += 1
                    print(f"survived: {module} {index}, {change}", flush=True)
            path.write_text(source)
            elapsed = time.monotonic() - start
            print(
                f"{module}: {len(found) - survived} killed, {survived} survived, {elapsed:.0f} s",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
