"""Mutation testing of the mathematics: does some test notice each small change of the code?

    python tests/mutate.py                          # a sample of 25 mutants of every module
    python tests/mutate.py --module _softmax --sample 0     # all mutants of one
    python tests/mutate.py --module _objective --mutant 17  # one, with what pytest says

A mutant differs from the package in one operator, comparison, number or keyword. It lives in a
copy of the package; only the tests that are meant for its module run. Mutants that survive are
printed as a diff: either a test is missing, or the change makes no difference to results.
"""

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = {
    "_softmax": ["test_softmax.py", "test_soft_targets.py", "test_objective.py"],
    "_objective": ["test_objective.py", "test_soft_targets.py", "solvers/test_lbfgs.py"],
    "_preconditioner": ["test_preconditioner.py", "solvers/test_lbfgs.py", "test_faults.py"],
    "_curvature": ["test_curvature.py", "test_preconditioner.py", "test_extremes.py"],
    "_solvers/_gap": ["solvers/test_gap.py", "solvers/test_lbfgs.py"],
    "_solvers/_lbfgs": ["solvers/test_lbfgs.py", "test_rotation.py", "test_optimality.py"],
    "_solvers/_sgd": ["solvers/test_sgd.py", "test_partial_fit.py", "test_soft_targets.py"],
    "_solvers/_schedules": ["solvers/test_schedules.py", "solvers/test_sgd.py"],
}
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
    "copy=", "zip(", "itemsize", "clean=",
)  # fmt: skip


def places(tree, source):
    """Pairs of a node and the field in which a mutant differs."""
    lines = source.splitlines()
    for node in ast.walk(tree):
        line = lines[node.lineno - 1] if hasattr(node, "lineno") else ""
        if any(word in line for word in INDIFFERENT):
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


def run_tests(package_parent, module, seconds, show):
    """Whether the tests of a module pass with the package in a folder."""
    tests = [str(ROOT / "tests" / name) for name in TESTS[module]]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(package_parent), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        result = subprocess.run(
            [*command, *tests],
            cwd=package_parent,  # which comes first among the places of modules
            env=environment,
            timeout=seconds,
            stdout=None if show else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if show else subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return False
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", choices=TESTS)
    parser.add_argument("--sample", type=int, default=25, help="mutants of each module; 0 for all")
    parser.add_argument("--mutant", type=int, help="run this one only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=240, help="seconds that tests may take")
    options = parser.parse_args()
    killed = survived = 0
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "sk_softmax", Path(folder) / "sk_softmax")
        for module in [options.module] if options.module else TESTS:
            path = Path(folder) / "sk_softmax" / f"{module}.py"
            source = path.read_text()
            found = list(mutants(source))
            if options.mutant is not None:
                found = [m for m in found if m[0] == options.mutant]
            elif options.sample:
                count = min(options.sample, len(found))
                found = sorted(random.Random(options.seed).sample(found, count))
            for index, mutant, change in found:
                path.write_text(mutant)
                if run_tests(folder, module, options.limit, options.mutant is not None):
                    survived += 1
                    print(f"survived: {module} {index}, {change}", flush=True)
                else:
                    killed += 1
            path.write_text(source)
            print(f"{module}: {len(found)} mutants done", flush=True)
    print(f"{killed} killed, {survived} survived")
    return 0


if __name__ == "__main__":
    sys.exit(main())
