"""The path of one class of wine, and the scores of a cross-validation."""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine

from sk_softmax import CVDisplay, PathDisplay, SoftmaxRegression, SoftmaxRegressionCV, softmax_path

X, y = load_wine(return_X_y=True, as_frame=True)
X = (X - X.mean()) / X.std()
path = softmax_path(SoftmaxRegression(l1_ratio=1.0), X, y)
model = SoftmaxRegressionCV(Cs=30, l1_ratios=[1.0], scoring="neg_log_loss").fit(X, y)

figure, panels = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
PathDisplay.from_path(path, of_class=1, ax=panels[0])
CVDisplay.from_estimator(model, ax=panels[1])
