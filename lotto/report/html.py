"""``report.html``: the whole report in one file that needs neither network nor neighbours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import pandas as pd

from lotto.report.branches import in_order
from lotto.report.columns import cell, meaning
from lotto.report.figures import draw_accuracy, draw_early_stop
from lotto.report.finding import Finding
from lotto.report.inline import alternative_text, inline_svg
from lotto.report.measures import EARLY_STOP_STEP, Measure
from lotto.report.meta import ReportMeta
from lotto.report.style import CSS
from lotto.report.tables import MARKED, level_rows, note
from lotto.versions import versions

# The page's own note of the table it was written from, in its first lines.
TABLE = "lotto-table"
HEAD_CHARACTERS = 1000

# The browser itself then refuses whatever would be fetched or run.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_report(table: pd.DataFrame, meta: ReportMeta, finding: Finding) -> str:
    """The report as one page: finding, figures, tables, every row, provenance. All text is escaped."""
    body = [
        f"<h1>{escape(meta.experiment)}</h1>",
        f'<p class="finding">{_unbroken(escape(finding.sentence))}</p>',
        _figures(table, finding.measure),
        _level_table(table, finding.measure, finding),
    ]
    if table[EARLY_STOP_STEP.column].notna().any():
        body.append(_level_table(table, EARLY_STOP_STEP, finding))
    body += [
        _every_row(table),
        _definitions("What the columns mean", {str(name): meaning(str(name)) for name in table}),
        "<h2>Provenance</h2>",
        _terms(meta.facts()),
        _tickets(meta),
        f"<h2>Run again</h2><pre><code>{escape(meta.command)}</code></pre>",
    ]
    content = "\n".join(filter(None, body))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="{TABLE}" content="{digest(table, finding.measure)}">\n'
        f"<title>{escape(meta.experiment)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n{content}\n</body>\n</html>\n"
    )


def digest(table: pd.DataFrame, measure: Measure) -> str:
    """Tells the page of this table from pages of others; whether a row was trained now or read from the store is no matter."""
    rows = table.drop(columns="cached").map(cell).to_csv(index=False)
    return hashlib.sha256(f"{versions()['lotto']}\n{measure.column}\n{rows}".encode()).hexdigest()


def shows(page: Path, table: pd.DataFrame, measure: Measure) -> bool:
    """Whether ``page`` is there and was written from this table."""
    try:
        with page.open() as file:
            return f'content="{digest(table, measure)}"' in file.read(HEAD_CHARACTERS)
    except OSError:
        return False


def _unbroken(text: str) -> str:
    """``text`` whose ``n = 5`` stays on one line."""
    return text.replace("n = ", "n&nbsp;=&nbsp;")


def _figures(table: pd.DataFrame, measure: Measure) -> str:
    figures = [
        _figure(inline_svg(draw_accuracy(table, measure.column), "accuracy", alternative_text(table, measure)), measure)
    ]
    if early_stop := draw_early_stop(table):
        svg = inline_svg(early_stop, "early-stop", alternative_text(table, EARLY_STOP_STEP))
        figures.append(_figure(svg, EARLY_STOP_STEP))
    return f'<div class="figures">{"".join(figures)}</div>'


def _figure(svg: str, measure: Measure) -> str:
    caption = f"Mean {measure.phrase} over replicates; the band reaches from the lowest to the highest replicate."
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"


def _level_table(table: pd.DataFrame, measure: Measure, finding: Finding) -> str:
    """One row a level, the finding's marked."""
    branches = in_order(table["branch"])
    rows = [
        _row([row.level, row.density, row.weights, *(row.cells.get(branch, "") for branch in branches)], row.is_finding)
        for row in level_rows(table, measure, finding)
    ]
    marked = f" Shaded: {MARKED}." if finding.level is not None else ""
    return (
        f"<h2>{escape(measure.phrase.capitalize())}</h2>"
        f"{_table(['level', 'density %', 'weights', *branches], rows)}"
        f'<p class="note">{escape(note(measure, table))}.{escape(marked)}</p>'
    )


def _every_row(table: pd.DataFrame) -> str:
    """All that ``results.csv`` holds, folded away."""
    rows = [_row([cell(value) for value in line]) for line in table.itertuples(index=False, name=None)]
    return f"<details><summary>All {len(rows):,} rows</summary>{_table(table.columns, rows)}</details>"


def _table(header: Iterable[object], rows: Iterable[str]) -> str:
    # A box that scrolls must be reachable by keyboard.
    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in header)
    grid = f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="wide" tabindex="0">{grid}</div>'


def _row(texts: Iterable[str], is_marked: bool = False) -> str:
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return f'<tr class="mark">{cells}</tr>' if is_marked else f"<tr>{cells}</tr>"


def _definitions(title: str, terms: Mapping[str, str]) -> str:
    return f"<details><summary>{escape(title)}</summary>{_terms(terms)}</details>"


def _terms(terms: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(text)}</dd>' for term, text in terms.items())}</dl>"


def _tickets(meta: ReportMeta) -> str:
    if not meta.tickets:
        return ""
    return _definitions(f"Ticket files ({len(meta.tickets)})", {path.name: str(path) for path in meta.tickets})
