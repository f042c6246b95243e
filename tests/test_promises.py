"""The page of promises names a test for each of them, and these tests exist."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "user_guide" / "promises.rst"
NUMBER = 53


def promises():
    """The tests of each promise, by number."""
    if not PAGE.exists():
        pytest.skip("the user guide is not here")
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if start := re.match(r"(\d+)\. ", line):
            current = found.setdefault(int(start[1]), [])
        elif name := re.match(r" +- ``(.+)``$", line):
            current.append(name[1])
    return found


def test_every_promise_names_its_tests():
    found = promises()
    assert list(found) == list(range(1, NUMBER + 1))
    assert all(found.values())


def test_the_tests_exist():
    for names in promises().values():
        for name in names:
            file, function = name.split("::")
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if hasattr(node, "name")}, name
