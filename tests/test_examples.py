"""Examples run where readers run them: in a notebook, and pasted into a console.

There is no `__file__` there, no module beside the program, another folder, and arguments that are
those of the kernel.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "docs" / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_as_a_notebook(example, tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", example.read_text(encoding="utf-8"), "-f", "kernel.json"],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    assert not list(tmp_path.iterdir())
