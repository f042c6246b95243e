"""Rows stay with the workers: coefficients go out, sums come back."""

import matplotlib.pyplot as plt
from _diagram import BLUE, RED, arrow, box

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
axes.set(xlim=(0, 6), ylim=(0, 3.4))
axes.axis("off")
box(
    axes,
    0.05,
    0.05,
    1.7,
    3.3,
    "your process",
    "L-BFGS: the next\ncoefficients, and\nwhether to stop",
)
for number, y in enumerate((2.35, 1.2, 0.05), start=1):
    box(axes, 4.15, y, 1.8, 1.0, f"worker {number}", "its rows of X and y,\none pass over them")
    arrow(axes, (1.85, y + 0.6), (4.05, y + 0.6), "coefficients", BLUE)
    arrow(axes, (4.05, y + 0.2), (1.85, y + 0.2), "loss, gradient", RED)
