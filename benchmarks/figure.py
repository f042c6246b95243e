"""Draw gap against time from the JSON that run.py writes.

    python benchmarks/figure.py docs/benchmarks/tables.json --problems "wine raw" "digits raw"

A point for each setting of each contender; a line along those that no quicker setting beats;
a ring around the default.
"""

import argparse
import json
import math
from pathlib import Path

import matplotlib.pyplot as plt
from contenders import CONTENDERS, OURS
from matplotlib.lines import Line2D

FLOOR = 1e-9  # where gaps below it are drawn, f* itself among them

#: Okabe and Ito's colours, told apart by colour-blind readers too; vermilion is ours.
_OURS = "#D55E00"
_COLOURS = ["#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
_MARKERS = ["o", "s", "^", "v", "D", "P", "X", "<", ">"]


def main():
    """Draw one panel for each problem."""
    options = parse_arguments()
    results = json.loads(options.json.read_text())["results"]
    chosen = [r for r in results if not options.problems or r["problem"] in options.problems]
    n_columns = min(3, len(chosen))
    n_rows = math.ceil(len(chosen) / n_columns)
    figure, panels = plt.subplots(
        n_rows, n_columns, squeeze=False, figsize=(3.2 * n_columns, 3.4 * n_rows + 0.6),
        layout="constrained",
    )  # fmt: skip
    for panel in panels.flat[len(chosen) :]:
        panel.set_visible(False)
    for panel, result in zip(panels.flat, chosen, strict=False):
        draw(panel, result)
    for row in panels:
        row[0].set_ylabel("relative distance to the minimum")
    names = [name for name in STYLES if any(name in result["ladders"] for result in chosen)]
    figure.legend(
        handles=[*(Line2D([], [], label=name, **STYLES[name]) for name in names), _RING],
        loc="outside lower center", ncols=n_columns, frameon=False,
    )  # fmt: skip
    figure.savefig(options.output or options.json.with_suffix(".png"), dpi=150)


def parse_arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("json", type=Path)
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--output", type=Path, help="a .png, .svg or .pdf file")
    return parser.parse_args()


def styles():
    """Line styles by contender: thick vermilion for ours."""
    rivals = [c.name for c in CONTENDERS if c.name != OURS]
    style = {
        name: {
            "color": _COLOURS[k % len(_COLOURS)],
            "marker": _MARKERS[k % len(_MARKERS)],
            "linestyle": "-" if k < len(_COLOURS) else "--",
            "linewidth": 1.2,
            "markersize": 5,
        }
        for k, name in enumerate(rivals)
    }
    ours = {"color": _OURS, "marker": "*", "linewidth": 2.8, "markersize": 10}
    return {OURS: {**ours, "linestyle": "-"}, **style}


STYLES = styles()
_RING = Line2D(
    [], [], label="default setting", linestyle="", marker="o", markersize=12,
    markerfacecolor="none", markeredgecolor="#555555",
)  # fmt: skip


def draw(panel, result):
    """One problem."""
    for name, steps in sorted(result["ladders"].items(), key=lambda item: item[0] == OURS):
        points = [(s["seconds"], max(s["gap"], FLOOR)) for s in steps if "gap" in s]
        if not points:
            continue
        style = STYLES[name]
        panel.plot(*zip(*frontier(points), strict=True), **style, zorder=3 if name == OURS else 2)
        panel.plot(*zip(*points, strict=True), **{**style, "linestyle": ""}, alpha=0.45)
        if "gap" in steps[0]:
            panel.plot(
                *points[0], marker="o", markersize=13, markerfacecolor="none",
                markeredgecolor=style["color"], zorder=4,
            )  # fmt: skip
    panel.set(xscale="log", yscale="log", xlabel="seconds", title=result["problem"])
    panel.set_ylim(FLOOR / 2, 10)
    panel.grid(color="#dddddd", linewidth=0.6)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def frontier(points):
    """Those points that no quicker one beats, from quick to slow."""
    best, kept = math.inf, []
    for seconds, gap in sorted(points):
        if gap < best:
            kept.append((seconds, gap))
            best = gap
    return kept


if __name__ == "__main__":
    main()
