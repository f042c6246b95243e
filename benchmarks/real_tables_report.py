"""Markdown of what `real_tables.py` measured."""

import math

import numpy as np

OURS = "SoftmaxRegression()"
CHOLESKY = "newton-cholesky"
COLUMNS = ["table", "n", "p", "K", "C", "f*", "left", "sure", "separated", "fits"]
TOL = 1e-6  # of ours, and the gap to which times are compared
SIZES = ((0, 500), (500, 2000), (2000, 60_000))  # rows
SLOWER = 1.2


def markdown(environment, rows):
    """The summary, then the tables on which ours was slower, wrong or gave up, by name."""
    facts = ", ".join(f"{name} {value}" for name, value in environment.items() if value)
    parts = [facts]
    penalties = list(dict.fromkeys(row["C"] for row in rows))
    known = {C: [r for r in rows if r["C"] == C and r["f*"] is not None] for C in penalties}
    parts.append(_shares(known))
    parts.append(_ratios(known))
    if "inf" in penalties:
        parts.append(_separation([row for row in rows if row["C"] == "inf"]))
    parts += [part for C in penalties for part in _named(C, known[C])]
    return "\n\n".join(parts) + "\n"


def gap(row, name):
    """The gap of a contender; inf where it failed."""
    value = row["fits"][name][0]
    return math.inf if value is None else value


def _shares(known):
    lines = []
    for C, rows in known.items():
        for name in dict.fromkeys(name for row in rows for name in row["fits"]):
            if "=" in name:
                continue  # settings count for times only
            mine = [row for row in rows if name in row["fits"]]
            said = [row["fits"][name][2] for row in mine]
            gaps = np.array([gap(row, name) for row in mine])
            converged = np.array([s in ("tol", "converged") for s in said])
            wrong = np.count_nonzero(converged & (gaps > TOL))
            shares = [f"{np.mean(gaps > bar):.1%}" for bar in (1e-2, 1e-5)]
            cells = [C, name, len(mine), *shares, wrong, np.count_nonzero(~converged)]
            lines.append(cells)
    head = ["C", "", "tables", "gap > 1e-2", "gap > 1e-5"]
    return _table([*head, "said converged, gap > 1e-6", "warned or failed"], lines)


def _ratios(known):
    lines = []
    for C, rows in known.items():
        cells = []
        for low, high in SIZES:
            pairs = [(ratio(row), row) for row in rows if low <= row["n"] < high]
            pairs = [(r, row) for r, row in pairs if r is not None]
            if not pairs:
                cells.append("")
                continue
            worst, row = min(pairs, key=lambda pair: pair[0])
            mean = math.exp(np.mean([math.log(r) for r, _ in pairs]))
            cells.append(f"{mean:.2f} of {len(pairs)}; {worst:.2f} {row['table']}")
        lines.append([C, *cells])
    head = [f"{low} to {high} rows" for low, high in SIZES]
    caption = (
        "Time of scikit-learn's quickest solver at its best setting over ours, to a gap of 1e-6: "
        "geometric mean of so many tables on which both get there; worst."
    )
    return caption + "\n\n" + _table(["C", *head], lines)


def quickest_rival(row, only=""):
    """Name and milliseconds of the quickest rival within the gap of ours, or None."""
    within = [
        (ms, name)
        for name, (_, ms, _) in row["fits"].items()
        if name != OURS and name.startswith(only) and ms and gap(row, name) <= TOL
    ]
    return min(within, default=(None, None))[::-1]


def ratio(row):
    """Time of the quickest rival over ours, or None unless both get within the gap."""
    ms = quickest_rival(row)[1]
    if ms is None or OURS not in row["fits"] or gap(row, OURS) > TOL:
        return None
    return ms / row["fits"][OURS][1]


def _separation(rows):
    rows = [row for row in rows if OURS in row["fits"]]
    reasons = list(dict.fromkeys(row["fits"][OURS][2] for row in rows))
    lines = []
    for apart, words in ((False, "overlap"), (True, "separated"), (None, "undecided")):
        said = [row["fits"][OURS][2] for row in rows if row["separated"] is apart]
        lines.append([words, len(said), *map(said.count, reasons)])
    wrong = [
        f"{row['table']} ({'separated' if row['separated'] else 'overlap'}, said {said})"
        for row in rows
        for said in [row["fits"][OURS][2]]
        if row["separated"] is not None and row["separated"] != (said == "separable")
    ]
    table = _table(["C = inf, by linear programming", "tables", *reasons], lines)
    return table + "\n\nOtherwise than by linear programming: " + (", ".join(wrong) or "none")


def _named(C, rows):
    """The tables that do not go well, one by one, and those whose minimum is not sure."""
    rows = [row for row in rows if OURS in row["fits"]]
    lines = []
    for row in rows:
        off, ms, said = row["fits"][OURS]
        name, theirs = quickest_rival(row, CHOLESKY)
        slower = theirs is not None and ms is not None and ms > SLOWER * theirs
        if said != "tol" or gap(row, OURS) > TOL:
            kind = 0 if said == "tol" else 1
        elif slower:
            kind = 2
        else:
            continue
        times = ["" if ms is None else f"{ms:.3g}", "" if theirs is None else f"{theirs:.3g}"]
        shape = " x ".join(str(row[c]) for c in ("n", "p", "K"))
        words = ["**wrong**", "gave up", "slower"][kind]
        speed = ms / theirs if slower else 0.0
        line = [row["table"], shape, words, said, "" if off is None else f"{off:.1e}", *times]
        lines.append((kind, -speed, [*line, name or ""]))
    head = ["rows x columns x classes", "", "said", "gap", "ms", f"{CHOLESKY} ms", "setting"]
    lines = [line for *_, line in sorted(lines, key=lambda item: item[:2])]
    if lines:
        yield (
            f"C = {C}: tables on which ours was wrong, gave up or took over {SLOWER:g} times "
            f"{CHOLESKY}'s best time to a gap of 1e-6.\n\n" + _table(["table", *head], lines)
        )
    unsure = [row["table"] for row in rows if not row["sure"]]
    if unsure:
        yield f"C = {C}: the minimum is not certain of {', '.join(unsure)}"


def _table(head, lines):
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)
