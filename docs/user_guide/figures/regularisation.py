"""Coefficients of one class of wine against C."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from sk_softmax import SoftmaxRegression, softmax_path

wine = load_wine()
X = StandardScaler().fit_transform(wine.data)
path = softmax_path(SoftmaxRegression(tol=1e-4), X, wine.target, Cs=np.logspace(-4, 2, 25))
coefs = np.array([path.model(index).coef_[0] for index in range(len(path.Cs))])

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
largest = np.argsort(-np.abs(coefs[-1]))[:3]
axes.plot(path.Cs, coefs, color="0.8", lw=1)
for j, colour in zip(largest, ["#0072B2", "#D55E00", "#009E73"], strict=True):
    axes.plot(path.Cs, coefs[:, j], color=colour, label=wine.feature_names[j])
axes.set(xscale="log", xlabel="C", ylabel="coefficients of class 0")
axes.grid(alpha=0.3)
axes.legend(frameon=False)
