"""A `CoefficientSummary` as text, as HTML and as a data frame."""

import html
import importlib

import numpy as np

_LEVEL = 0.95
_STYLE = "text-align: right; padding: 0.15em 0.7em"


def as_frame(summary, library, level):
    """A data frame of pandas or polars."""
    if library not in ("pandas", "polars"):
        raise ValueError(f'library must be "pandas" or "polars", got {library!r}.')
    intervals = summary.conf_int(level)
    columns = {
        "class": np.repeat(summary.labels, len(summary.names)),
        "term": np.tile(summary.names, len(summary.labels)).astype(str),
        summary._column: summary._estimates.ravel(),
        "std_error": summary.std_error.ravel(),
        "z": summary.z.ravel(),
        "p_value": summary.p_value.ravel(),
        "ci_lower": intervals[..., 0].ravel(),
        "ci_upper": intervals[..., 1].ravel(),
    }
    if _has_odds(summary):
        columns["odds_ratio"] = summary.odds_ratio.ravel()
    if library == "polars":
        columns = {name: values.tolist() for name, values in columns.items()}
    return importlib.import_module(library).DataFrame(columns)


def as_text(summary):
    """The table in letters of one width."""
    lines = [f"{_subject(summary)} of {_size(summary)}", *_quality(summary)]
    for title, rows in _tables(summary):
        cells = [[title, *_headings(summary)], *rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        cells.insert(1, ["-" * width for width in widths])
        lines.append("")
        for first, *rest in cells:
            numbers = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
            lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(lines)


def as_html(summary):
    """The table for notebooks."""
    parts = [f"<p><b>{_subject(summary)}</b> of {html.escape(_size(summary))}"]
    parts += [f"<br>{html.escape(line)}" for line in _quality(summary)] + ["</p>"]
    parts.append('<table style="border-collapse: collapse">')
    for title, rows in _tables(summary):
        heads = [title, *_headings(summary)]
        parts.append(_html_row("th", heads, "border-bottom: 1px solid; padding-top: 0.8em"))
        parts += [_html_row("td", row) for row in rows]
    return "\n".join([*parts, "</table>"])


def _html_row(tag, cells, style=""):
    """A row of the table, its first cell to the left."""
    styles = [f"{_STYLE}; text-align: left"] + [_STYLE] * (len(cells) - 1)
    cells = [
        f'<{tag} style="{own}; {style}">{html.escape(cell)}</{tag}>'
        for own, cell in zip(styles, cells, strict=True)
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _has_odds(summary):
    return summary._column == "coef"


def _subject(summary):
    return "SoftmaxRegression" if _has_odds(summary) else "Average marginal effects"


def _headings(summary):
    low = (1 - _LEVEL) / 2
    ends = [f"[{low:.3g}", f"{1 - low:.3g}]"]
    odds = ["odds ratio"] * _has_odds(summary)
    return [summary._column, "std error", "z", "p value", *ends, *odds]


def _tables(summary):
    """For each class its title and the rows of its table, as text."""
    intervals = summary.conf_int(_LEVEL)
    numbers = [summary._estimates, summary.std_error, summary.z, summary.p_value]
    numbers += [intervals[..., 0], intervals[..., 1]]
    digits = [4, 4, 3, 3, 4, 4]
    if _has_odds(summary):
        numbers, digits = [*numbers, summary.odds_ratio], [*digits, 4]
    for k, label in enumerate(summary.labels):
        rows = [
            [name, *(f"{values[k, j]:.{n}g}" for values, n in zip(numbers, digits, strict=True))]
            for j, name in enumerate(summary.names)
        ]
        yield f"class {label}", rows


def _size(summary):
    """How much data, and which penalty."""
    weighted = "" if summary.weights == "frequency" else " with sampling weights"
    return f"{len(summary.classes)} classes, {summary.n_rows:g} rows{weighted}, C={summary.C:g}"


def _quality(summary):
    """Lines that say how well the model fits and what the errors rest on."""
    criteria = penalised = ""
    if _has_odds(summary):
        yield (
            f"log-likelihood {summary.log_likelihood:.6g}, of frequencies alone "
            f"{summary.log_likelihood_null:.6g}, pseudo R2 {summary.pseudo_r2:.4g}"
        )
        penalised = f", with {summary.df:.4g} effective parameters"
        if summary.weights == "frequency":
            criteria = f"AIC {summary.aic:.6g}, BIC {summary.bic:.6g}, "
    yield f'{criteria}covariance "{summary.covariance_type}"'
    if np.isfinite(summary.C):
        yield f"Penalised{penalised}: p values and intervals do not know of the bias."
    if _has_odds(summary):
        reference = summary.reference
        against = "the mean of all" if reference is None else f"class {reference}"
        yield f"Log odds against {against}:"
