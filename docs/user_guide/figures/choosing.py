"""Seconds of both solvers against the size of the data, from the record of benchmarks."""

import json
from pathlib import Path

import matplotlib.pyplot as plt

# Sphinx runs this in its folder, without a name.
docs = Path(globals().get("__file__", "choosing.py")).resolve().parents[2]
record = json.loads((docs / "benchmarks/crossover.json").read_text(encoding="utf-8"))

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for solver, colour in {"lbfgs": "#0072B2", "sgd": "#D55E00"}.items():
    for kind, style in {"table": "o-", "images": "s--"}.items():
        points = [
            (result["products"], row["seconds"])
            for result in record["results"]
            if result["data"].startswith(kind)
            for row in result["rows"]
            if row["solver"] == solver and row["e"] == 0.01
        ]
        axes.plot(
            *zip(*points, strict=True), style, ms=5, color=colour, label=f'"{solver}", {kind}'
        )
axes.axvline(1e10, color="0.5", ls=":")
axes.annotate('"auto" takes "sgd" →', (9e9, 3e-3), ha="right", color="0.3")
axes.set(xscale="log", yscale="log", xlim=(1e5, 6e10))
axes.set(xlabel="values in X times classes", ylabel="seconds to 1% from the minimum")
axes.grid(alpha=0.3)
axes.legend(frameon=False, loc="upper left")
