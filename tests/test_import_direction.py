"""Imports point one way: rooms know only rooms below them."""

import ast
from pathlib import Path

import pytest

import sk_softmax
from sk_softmax._preconditioner import KINDS
from sk_softmax._solvers import SOLVERS

ROOT = Path(sk_softmax.__file__).parent
ALLOWED = {
    "_threads": set(),
    "_device_array": set(),
    "_anywhere": {"_device_array"},
    "_softmax": {"_anywhere"},
    "_array_api": {"_device_array"},
    "_two_classes": set(),
    "_rows": {"_anywhere", "_device_array", "_rows", "_two_classes"},
    "_kernels": {"_anywhere", "_softmax", "_two_classes"},
    "_penalty": set(),
    "_objective": {"_kernels", "_penalty", "_rows", "_softmax"},
    "_factors": {"_objective", "_rows"},
    "_standardised": {"_factors"},
    "_hessian": {"_anywhere", "_factors", "_kernels", "_rows"},
    "_curvature": {
        "_anywhere",
        "_device_array",
        "_hessian",
        "_kernels",
        "_objective",
        "_rows",
        "_softmax",
        "_standardised",
    },
    "_coordinates": {"_kernels", "_penalty", "_rows", "_softmax"},
    "_preconditioner": {"_curvature", "_factors", "_hessian", "_rows"},
    "_batches": {"_rows"},
    "_solvers": {
        "_batches",
        "_coordinates",
        "_curvature",
        "_factors",
        "_hessian",
        "_kernels",
        "_objective",
        "_penalty",
        "_preconditioner",
        "_rows",
        "_softmax",
        "_solvers",
    },
    "_callbacks": set(),
    "_early_stopping": {"_kernels"},
    "_classes": set(),
    "_offsets": set(),
    "_validation": {"_array_api", "_device_array", "_rows"},
    "_training_data": {"_classes", "_offsets", "_rows", "_validation"},
    "_hints": set(),
    "_scorers": {"_device_array", "_validation"},
    "_prediction": {"_array_api", "_offsets", "_rows", "_softmax", "_validation"},
    "_regularisation": {"_penalty"},
    "_formulation": {"_objective", "_regularisation"},
    "_gradient_check": {"_formulation", "_objective", "_rows", "_threads", "_training_data"},
    "_solver_choice": {"_solvers"},
    "_complaints": {"_solver_choice", "_solvers"},
    "_fit": {
        "_callbacks",
        "_complaints",
        "_early_stopping",
        "_formulation",
        "_solver_choice",
        "_solvers",
        "_threads",
    },
    "_partial_fit": {
        "_callbacks",
        "_classes",
        "_formulation",
        "_offsets",
        "_solver_choice",
        "_solvers",
        "_threads",
        "_training_data",
    },
    "_softmax_regression": {
        "_array_api",
        "_callbacks",
        "_early_stopping",
        "_fit",
        "_hints",
        "_partial_fit",
        "_prediction",
        "_solver_choice",
        "_solvers",
        "_training_data",
        "_validation",
    },
    "onnx": {"_rows", "_softmax_regression"},
    "_path": {
        "_fit",
        "_formulation",
        "_penalty",
        "_regularisation",
        "_softmax_regression",
        "_solver_choice",
        "_solvers",
        "_threads",
        "_training_data",
    },
    "_folds": {"_path", "_scorers", "_threads", "_training_data", "_validation"},
    "_softmax_regression_cv": {
        "_array_api",
        "_callbacks",
        "_folds",
        "_hints",
        "_path",
        "_prediction",
        "_softmax_regression",
        "_training_data",
    },
    "_allocator": set(),
    "_shares": {
        "_allocator",
        "_classes",
        "_early_stopping",
        "_rows",
        "_softmax_regression",
        "_threads",
        "_training_data",
    },
    "_cluster": {"_rows", "_shares"},
    "_collections": set(),
    "_placed_data": {"_classes", "_collections", "_shares", "_training_data"},
    "dask": {
        "_cluster",
        "_collections",
        "_partial_fit",
        "_placed_data",
        "_solver_choice",
        "_softmax_regression",
    },
    "_unwrap": {"_array_api"},
    "_coefficient_frame": {"_rows", "_unwrap"},
    "_covariance": {"_curvature", "_factors", "_hessian", "_rows", "_softmax"},
    "_summary_table": set(),
    "_coefficient_summary": {"_summary_table"},
    "_likelihood_ratio": {"_coefficient_summary"},
    "_inference": {
        "_coefficient_summary",
        "_covariance",
        "_formulation",
        "_offsets",
        "_rows",
        "_softmax_regression",
        "_threads",
        "_training_data",
        "_unwrap",
    },
    "_displays": {
        "_displays",
        "_inference",
        "_rows",
        "_softmax_regression_cv",
        "_unwrap",
        "_validation",
    },
    "__init__": {
        "_coefficient_frame",
        "_coefficient_summary",
        "_displays",
        "_gradient_check",
        "_inference",
        "_likelihood_ratio",
        "_path",
        "_scorers",
        "_softmax_regression",
        "_softmax_regression_cv",
    },
}
NO_SKLEARN = {
    *ALLOWED.keys()
    - {
        "_array_api",
        "_callbacks",
        "_classes",
        "_complaints",
        "_displays",
        "_folds",
        "_path",
        "_softmax_regression_cv",
        "_formulation",
        "_gradient_check",
        "_hints",
        "_inference",
        "_offsets",
        "_prediction",
        "_scorers",
        "_softmax_regression",
        "_solver_choice",
        "_unwrap",
        "_validation",
        "__init__",
        "dask",
        "onnx",
    }
}
# What takes long to import, and most programs do without.
LATE = ("matplotlib", "sklearn.metrics", "sklearn.model_selection")
PRIVATE = ("sklearn._loss", "sklearn.linear_model._base", "sklearn.utils._array_api")
FILES = sorted(ROOT.rglob("*.py"))


def imports(nodes):
    """Absolute names of modules that statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(name, package):
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    room = path.relative_to(ROOT).with_suffix("").parts[0]
    names = set(imports(ast.walk(tree)))
    rooms = {name.split(".")[1] for name in names if name.startswith("sk_softmax._")}
    assert rooms <= ALLOWED[room]
    if room in NO_SKLEARN:
        assert not any(is_in(name, "sklearn") for name in names)
    assert not any(is_in(name, private) for name in names for private in PRIVATE)
    assert not any(is_in(name, late) for name in imports(tree.body) for late in LATE)


def test_rooms_cannot_know_each_other_in_a_circle():
    order = list(ALLOWED)
    for room, below in ALLOWED.items():
        assert all(order.index(other) <= order.index(room) for other in below)
    assert {path.relative_to(ROOT).with_suffix("").parts[0] for path in FILES} == set(ALLOWED)


# Who asks how data are stored: rows, and what gets them from users.
ASKS = {"_rows", "_validation"}
STORAGE = {"issparse", "is_sparse", "strides", "memmap", "toarray", "c_contiguous", "nnz"}


def is_below(name, room):
    return name == room or name.startswith(f"{room}/")


def names_in(path):
    """Names of variables and attributes."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    return names | {node.id for node in nodes if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_rows_know_how_data_are_stored(path):
    name = str(path.relative_to(ROOT).with_suffix(""))
    if not any(is_below(name, asking) for asking in ASKS):
        assert not names_in(path) & STORAGE


def compared_strings(path):
    """Strings that something is compared with, one by one or in a collection."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            for operand in [node.left, *node.comparators]:
                constants = [part for part in ast.walk(operand) if isinstance(part, ast.Constant)]
                yield from (part.value for part in constants if isinstance(part.value, str))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_kinds_are_named_in_one_place(path):
    """The kinds of preconditioners are told apart by objects, not by strings."""
    if path.name == "_preconditioner.py" or path.parent.name != "_solvers":
        return
    assert not {kind.name for kind in KINDS} & set(compared_strings(path))


# Who tells solvers apart by name: what chooses one.
NAMES_SOLVERS = {"_solver_choice"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_solvers_are_named_in_one_place(path):
    if str(path.relative_to(ROOT).with_suffix("")) not in NAMES_SOLVERS:
        assert not set(SOLVERS) & set(compared_strings(path))


def test_no_exemption_is_left_over():
    names = {str(path.relative_to(ROOT).with_suffix("")): path for path in FILES}
    for name in NAMES_SOLVERS:
        assert set(SOLVERS) & set(compared_strings(names[name])), name
    for name in ASKS:
        files = [path for known, path in names.items() if is_below(known, name)]
        assert any(names_in(path) & STORAGE for path in files), name
