"""Softmax (multinomial logistic) regression for scikit-learn."""

from sk_softmax._coefficient_frame import coefficient_frame
from sk_softmax._coefficient_summary import CoefficientSummary, MarginalEffects
from sk_softmax._displays import (
    CoefficientDisplay,
    CVDisplay,
    IntervalDisplay,
    PathDisplay,
    PredictionDisplay,
    TrainingDisplay,
)
from sk_softmax._gradient_check import GradientCheck, check_gradient
from sk_softmax._inference import average_marginal_effects, summary
from sk_softmax._likelihood_ratio import LikelihoodRatioTest, likelihood_ratio_test
from sk_softmax._path import SoftmaxPath, softmax_path
from sk_softmax._scorers import neg_soft_log_loss, soft_accuracy
from sk_softmax._softmax_regression import SoftmaxRegression
from sk_softmax._softmax_regression_cv import SoftmaxRegressionCV

__version__ = "0.1.0.dev0"

__all__ = [
    "CVDisplay",
    "CoefficientDisplay",
    "CoefficientSummary",
    "GradientCheck",
    "IntervalDisplay",
    "LikelihoodRatioTest",
    "MarginalEffects",
    "PathDisplay",
    "PredictionDisplay",
    "SoftmaxPath",
    "SoftmaxRegression",
    "SoftmaxRegressionCV",
    "TrainingDisplay",
    "average_marginal_effects",
    "check_gradient",
    "coefficient_frame",
    "likelihood_ratio_test",
    "neg_soft_log_loss",
    "soft_accuracy",
    "softmax_path",
    "summary",
]

# Pickles and skops files store the import path of a class; this one is frozen.
for _public in __all__:
    globals()[_public].__module__ = __name__
del _public
