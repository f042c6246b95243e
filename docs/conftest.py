"""Doctests of the pages: each begins without figures of the others."""

import sys

import pytest

# Programs that draw when they are imported.
collect_ignore = ["user_guide/figures"]


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
