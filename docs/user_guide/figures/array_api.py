"""What stays on a device in a fit, and what is sent in each pass."""

import matplotlib.pyplot as plt
from _diagram import BLUE, RED, arrow, box

figure, axes = plt.subplots(figsize=(6, 1.7), layout="constrained")
axes.set(xlim=(0, 6), ylim=(0, 1.7))
axes.axis("off")
box(axes, 0.05, 0.05, 1.8, 1.6, "CPU", "L-BFGS,\nfactors of matrices\nof p x p numbers")
box(axes, 4.15, 0.05, 1.8, 1.6, "GPU", "X, targets, weights,\nlogits, residuals,\nproducts with X")
arrow(axes, (1.95, 1.05), (4.05, 1.05), "coefficients", BLUE)
arrow(axes, (4.05, 0.45), (1.95, 0.45), "loss, gradient", RED)
