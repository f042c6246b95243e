"""Plots of what was fitted, in the manner of scikit-learn's displays.

A display is made from data, or by `from_estimator` and `from_predictions`. Its method `plot` draws
and may be called again; it sets the attributes that end in an underscore.
"""

from sk_softmax._displays._coefficients import CoefficientDisplay
from sk_softmax._displays._cv import CVDisplay
from sk_softmax._displays._intervals import IntervalDisplay
from sk_softmax._displays._path import PathDisplay
from sk_softmax._displays._predictions import PredictionDisplay
from sk_softmax._displays._training import TrainingDisplay

__all__ = [
    "CVDisplay",
    "CoefficientDisplay",
    "IntervalDisplay",
    "PathDisplay",
    "PredictionDisplay",
    "TrainingDisplay",
]
