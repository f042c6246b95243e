"""Regions of the most probable class, and probabilities along a line, of two features of iris."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sk_softmax import SoftmaxRegression

COLOURS = ["#0072B2", "#D55E00", "#009E73"]
iris = load_iris()
X, y = iris.data[:, 2:], iris.target
model = SoftmaxRegression().fit(X, y)

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
lengths, widths = np.meshgrid(np.linspace(0.7, 7.2, 300), np.linspace(0, 2.7, 200))
classes = model.predict(np.column_stack([lengths.ravel(), widths.ravel()]))
levels = [-0.5, 0.5, 1.5, 2.5]
left.contourf(lengths, widths, classes.reshape(lengths.shape), levels, colors=COLOURS, alpha=0.2)
line = np.column_stack([np.linspace(0.7, 7.2, 200), np.linspace(0.05, 2.6, 200)])
left.plot(*line.T, color="0.3", lw=1, ls="--")
probabilities = model.predict_proba(line)
for k, name in enumerate(iris.target_names):
    left.scatter(*X[y == k].T, s=12, color=COLOURS[k], label=name)
    right.plot(line[:, 0], probabilities[:, k], color=COLOURS[k], label=name)
left.set(xlabel="petal length (cm)", ylabel="petal width (cm)", title="most probable class")
right.set(xlabel="petal length along the dashed line (cm)", title="probabilities")
left.legend(frameon=False, loc="upper left")
