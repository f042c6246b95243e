"""Files and functions are short, docstrings aside: see "Rules" in CONTRIBUTING.md."""

import ast
from pathlib import Path

import pytest

import sk_softmax

ROOT = Path(sk_softmax.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
LINES_OF_FILE, LINES_OF_FUNCTION = 400, 50
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


def docstring_lines(tree):
    """Lines of all docstrings."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, DOCUMENTED)]
    found = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return sum(node.end_lineno - node.lineno + 1 for node in found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert len(source.splitlines()) - docstring_lines(tree) <= LINES_OF_FILE
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= LINES_OF_FUNCTION, node.name
