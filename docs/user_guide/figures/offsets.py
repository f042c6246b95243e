"""Probabilities of a class against a feature, at three offsets."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sk_softmax import SoftmaxRegression

iris = load_iris()
rows = iris.target > 0
lengths = iris.data[rows, 2:3]
model = SoftmaxRegression().fit(lengths, iris.target_names[iris.target[rows]])

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
grid = np.linspace(3, 7, 200)[:, np.newaxis]
for offset, colour in {-2: "#56B4E9", 0: "#0072B2", 2: "#D55E00"}.items():
    P = model.predict_proba(grid, offset=np.full(len(grid), float(offset)))
    axes.plot(grid, P[:, 1], color=colour, label=f"offset {offset}")
axes.set(xlabel="petal length (cm)", ylabel=f"probability of {model.classes_[1]}")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
