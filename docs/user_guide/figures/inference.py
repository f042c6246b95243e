"""Odds ratios of three measurements of wine, with intervals."""

import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_softmax import IntervalDisplay, SoftmaxRegression, summary

X, y = load_wine(return_X_y=True, as_frame=True)
X = X[["malic_acid", "ash", "alcalinity_of_ash"]]
y = np.array(["barolo", "grignolino", "barbera"])[y]
model = make_pipeline(StandardScaler(), SoftmaxRegression(C=np.inf)).fit(X, y)
table = summary(model, X, y, reference="barolo")
IntervalDisplay.from_summary(table, odds_ratio=True)
