"""Markdown from the results that run.py keeps as JSON.

`python benchmarks/report.py FILE.json ...` prints that of results measured before.
"""

import json
import sys
from pathlib import Path

import numpy as np
from contenders import OURS, SCIKIT_LEARN, SCIKIT_LEARN_DEFAULT
from measure import GAPS


def markdown(report):
    """The environment, a table for each problem, and the summary."""
    facts = in_words(report["environment"])
    tables = [problem_table(result) for result in report["results"]]
    return "\n".join([facts, *tables, summary(report["results"])])


def in_words(environment):
    """What a benchmark was run with, in a line."""
    return ", ".join(f"{name} {value}" for name, value in environment.items() if value is not None)


def problem_table(result):
    """Seconds of each contender's default and to each gap, and who was left out and why."""
    n, p, K = result["shape"]
    lines = [
        f"\n**{result['problem']}** ({n} x {p} {result['dtype']}, {K} classes, "
        f"C = {float(result['C']):g}); f\\* by {result['minimum_by']}, about "
        f"{max(result['remaining_gap'], 0):.0e} above the minimum\n",
        _row("", "default", *(f"gap {gap:.0e}" for gap in GAPS)),
        "|---" * (2 + len(GAPS)) + "|",
    ]
    for name, steps in result["ladders"].items():
        cells = [_seconds(quickest(result, [name], gap)) for gap in GAPS]
        lines.append(_row(name, _default(steps[0]), *cells))
    ratios = [_times(ratio(result, rivals(result), gap)) for gap in GAPS]
    lines.append(_row("quickest rival / ours", "", *ratios))
    notes = [f"{name}: {why}" for name, why in result["left_out"].items()]
    notes += [
        f"{name} at {'default' if step['setting'] is None else step['setting']}: {step['error']}"
        for name, steps in result["ladders"].items()
        for step in steps
        if "error" in step
    ]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def summary(results):
    """How many times our time others take, problem by problem, and geometric means."""
    columns = {
        "best solver, gap 1e-3": lambda r: ratio(r, scikit_learn(r), 1e-3),
        "best solver, gap 1e-6": lambda r: ratio(r, scikit_learn(r), 1e-6),
        "any rival, gap 1e-6": lambda r: ratio(r, rivals(r), 1e-6),
        "default solver, gap 1e-6": lambda r: ratio(r, [SCIKIT_LEARN_DEFAULT], 1e-6),
        "default, to its gap": default_ratio,
        "default / default": default_to_default,
    }
    table = np.array([[column(r) for column in columns.values()] for r in results], dtype=float)
    lines = [
        "\n## Summary\n",
        "Time of the rival divided by ours: first the quickest of scikit-learn's solvers at its",
        "best setting, then the quickest of all rivals, then scikit-learn's default solver at its",
        "best setting, and then `LogisticRegression()` as it is, against our quickest setting that",
        "comes as close (or to 1e-6) and against our default.",
        "Means are over the problems in which both get there.\n",
        _row("", *columns),
        "|---" * (1 + len(columns)) + "|",
    ]
    lines += [_row(r["problem"], *map(_times, row)) for r, row in zip(results, table, strict=True)]
    compared = [column[np.isfinite(column) & (column > 0)] for column in table.T]
    means = [np.exp(np.log(column).mean()) if len(column) else np.nan for column in compared]
    lines.append(_row("geometric mean", *map(_times, means)))
    lines.append(_row("of problems", *(str(len(column)) for column in compared)))
    return "\n".join(lines) + "\n"


def quickest(result, names, gap):
    """The quickest of the steps that were timed again and come within a gap, or None."""
    steps = [s for name in names for s in result["ladders"].get(name, [])]
    within = [s for s in steps if s["chosen"] and s.get("gap", np.inf) <= gap]
    return min(within, key=lambda step: step["seconds"], default=None)


def rivals(result):
    """Names of all others."""
    return [name for name in result["ladders"] if name != OURS]


def scikit_learn(result):
    """Names of scikit-learn's solvers."""
    return [name for name in result["ladders"] if name.startswith(SCIKIT_LEARN)]


def ratio(result, names, gap):
    """Their time to a gap / ours; NaN where none of them was asked."""
    if not names:
        return np.nan
    return _quotient(quickest(result, names, gap), quickest(result, [OURS], gap))


def default_ratio(result):
    """Time of LogisticRegression's default / ours to the gap that it reaches."""
    if SCIKIT_LEARN_DEFAULT not in result["ladders"]:
        return np.nan
    theirs = _default_step(result, SCIKIT_LEARN_DEFAULT)
    gap = max(theirs["gap"], GAPS[-1]) if theirs else GAPS[-1]
    return _quotient(theirs, quickest(result, [OURS], gap))


def default_to_default(result):
    """Time of LogisticRegression's default / that of ours, whatever gaps they reach."""
    if SCIKIT_LEARN_DEFAULT not in result["ladders"]:
        return np.nan
    return _quotient(*(_default_step(result, name) for name in (SCIKIT_LEARN_DEFAULT, OURS)))


def _quotient(theirs, ours):
    """Of their seconds and ours; infinite or zero where only one gets there, or NaN."""
    if theirs and ours:
        return theirs["seconds"] / ours["seconds"]
    return np.inf if ours else 0.0 if theirs else np.nan


def _default_step(result, name):
    steps = result["ladders"].get(name)
    return steps[0] if steps and "gap" in steps[0] else None


def _default(step):
    """Cell of a default: seconds, the gap that it reached, whether it warned."""
    if "error" in step:
        return step["error"] if step["error"] == "diverged" else "failed"
    warned = ", warns" if step["warning"] else ""
    return f"{_seconds(step)} to {max(step['gap'], 0):.0e}{warned}"


def _seconds(step):
    return f"{step['seconds']:.3g} s" if step else "-"


def _times(number):
    words = {np.inf: "only ours", 0.0: "only theirs"}
    if np.isnan(number) or number in words:
        return words.get(number, "-")
    return f"{number:.2g}" if number < 10 else f"{number:.0f}"


def _row(*cells):
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    reports = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    joined = [result for report in reports for result in report["results"]]
    print(markdown({"environment": reports[0]["environment"], "results": joined}))
