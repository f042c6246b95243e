"""What stays on a device in a fit, and what is sent in each pass."""

import matplotlib.pyplot as plt
from _diagram import BLUE, RED, arrow, box

figure, axes = plt.subplots(figsize=(8, 1.9), layout="constrained")
axes.set(xlim=(0, 8), ylim=(0, 1.9))
axes.axis("off")
box(axes, 0.05, 0.05, 2.4, 1.8, "CPU", "L-BFGS,\nfactors of matrices\nof p x p numbers")
box(axes, 5.5, 0.05, 2.4, 1.8, "GPU", "X, targets, weights,\nlogits, residuals,\nproducts with X")
arrow(axes, (2.5, 1.3), (5.45, 1.3), "in each pass: coefficients", BLUE)
arrow(axes, (5.45, 0.5), (2.5, 0.5), "in each pass: loss, gradient", RED)
