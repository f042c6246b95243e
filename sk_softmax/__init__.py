"""Softmax (multinomial logistic) regression for scikit-learn."""

from sk_softmax._displays import CoefficientDisplay, PredictionDisplay, TrainingDisplay
from sk_softmax._gradient_check import GradientCheck, check_gradient
from sk_softmax._scorers import neg_soft_log_loss, soft_accuracy
from sk_softmax._softmax_regression import SoftmaxRegression

__version__ = "0.1.0.dev0"

__all__ = [
    "CoefficientDisplay",
    "GradientCheck",
    "PredictionDisplay",
    "SoftmaxRegression",
    "TrainingDisplay",
    "check_gradient",
    "neg_soft_log_loss",
    "soft_accuracy",
]

# Pickles and skops files store the import path of a class; this one is frozen.
for _public in __all__:
    globals()[_public].__module__ = __name__
del _public
