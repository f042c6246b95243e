import subprocess
import sys

import pytest

DRAWING = {
    "TrainingDisplay": "histories={}",
    "CoefficientDisplay": "coef=[[1.0]], classes=[0, 1]",
    "IntervalDisplay": "coef=[[1.0]], intervals=[[[0.0, 2.0]]], labels=[1], names=['x']",
    "PredictionDisplay": "y_true=[0], probabilities=[[1.0, 0.0]], classes=[0, 1]",
}


@pytest.mark.parametrize("name", DRAWING)
def test_without_matplotlib(name):
    """Importing and making displays works, and drawing says what is missing."""
    program = f"""
import sys
sys.modules["matplotlib"] = None
from sk_softmax import {name}
display = {name}({DRAWING[name]})
try:
    display.plot()
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == f'{name}.plot needs matplotlib: pip install "matplotlib>=3.8"\n', run
