"""Coefficients of one class of wine under four penalties."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression

wine = load_wine()
X = StandardScaler().fit_transform(wine.data)
penalties = {
    "L2": {},
    "elastic net": {"l1_ratio": 0.5},
    "L1": {"l1_ratio": 1.0},
    "L1, none below zero": {"l1_ratio": 1.0, "bounds": (0, np.inf)},
}
names = [name.split("/")[0].replace("_", " ") for name in wine.feature_names]

figure, panels = plt.subplots(
    1, 4, figsize=(8, 3.6), sharex=True, sharey=True, layout="constrained"
)
for axes, (title, parameters) in zip(panels, penalties.items(), strict=True):
    w = SoftmaxRegression(C=0.1, **parameters).fit(X, wine.target).coef_[0]
    axes.axvline(0, color="0.6", lw=1)
    axes.barh(names, w, color=np.where(w > 0, "#0072B2", "#D55E00"))
    axes.set_title(title, fontsize=10)
panels[0].invert_yaxis()
figure.supxlabel("coefficients of class 0", fontsize=10)
