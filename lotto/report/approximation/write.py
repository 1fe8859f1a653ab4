"""The report of a run that approximates a function: table of results, figure, and two pages."""

from __future__ import annotations

import hashlib
from html import escape
from pathlib import Path

import pandas as pd

from lotto.report.approximation.figure import draw_error
from lotto.report.approximation.table import errors, note, rows, sentence, shown
from lotto.report.aside import write_aside
from lotto.report.beside import Beside
from lotto.report.columns import cell, meaning, write_csv, write_rows
from lotto.report.figures import save
from lotto.report.finding import Finding
from lotto.report.inline import inline_svg
from lotto.report.markdown import fenced, literal
from lotto.report.meta import ReportMeta
from lotto.report.page import markup
from lotto.report.page.besides import add_claims, add_probes
from lotto.report.page.document import Page
from lotto.report.tables import markdown_grid
from lotto.report.written import Written

PAGE = "lotto-table"


def write_approximation(
    table: pd.DataFrame, meta: ReportMeta, folder: Path, finding: Finding, beside: Beside
) -> Written:
    """Write ``results.csv``, ``figures/error.*``, ``tables/errors.csv``, ``report.md`` and ``report.html`` into ``folder``."""
    column = shown(table).column
    csv = write_csv(table, folder / "results.csv")
    figures = save(draw_error(table), folder / "figures" / "error")
    tables = (write_rows(errors(table, column), folder / "tables" / "errors.csv"),)
    return Written(
        csv=csv,
        markdown=write_aside(folder / "report.md", _markdown(table, meta, column).encode()),
        html=write_aside(folder / "report.html", _page(table, meta, column, beside).encode()),
        figures=figures,
        tables=tables,
        finding=finding,
    )


def _markdown(table: pd.DataFrame, meta: ReportMeta, column: str) -> str:
    header, lines = rows(table, column)
    sections = [
        f"# {literal(meta.experiment)}",
        literal(sentence(table)),
        "![error](figures/error.png)",
        "Figure as vectors: [error.svg](figures/error.svg), [error.pdf](figures/error.pdf).",
        f"## {meaning(column).capitalize()}",
        markdown_grid(header, [(line, False) for line in lines]),
        f"{note(table, column)}.",
        "Every row is in [results.csv](results.csv), every median in [errors.csv](tables/errors.csv).",
        "## Provenance",
        "\n".join(f"- {label}: {literal(text)}" for label, text in meta.facts().items()),
    ]
    if meta.tickets:
        sections += ["Ticket files:", "\n".join(f"- {literal(str(path))}" for path in meta.tickets)]
    return "\n\n".join([*sections, "## Run again", fenced(meta.command)]) + "\n"


def _page(table: pd.DataFrame, meta: ReportMeta, column: str, beside: Beside) -> str:
    every = [markup.row([cell(value) for value in line]) for line in table.itertuples(index=False, name=None)]
    digest = hashlib.sha256("".join((*every, column, beside.words())).encode()).hexdigest()
    page = Page(meta.experiment, "lotto run", PAGE, digest)
    page.data |= {"lines": [], "runs": [], "levels": {}, "level": 0}
    said = sentence(table)
    page.open(f'<div class="finding"><p class="more">{escape(said)}</p></div>')
    add_claims(page, beside)
    page.add("error", "Error", "Error against candidates per weight", inline_svg(draw_error(table), "error", said))
    add_probes(page, beside.probes)
    header, lines = rows(table, column)
    content = markup.table("Errors", header, [markup.row(line) for line in lines])
    content += f'<p class="note">{escape(note(table, column))}.</p>'
    content += markup.folded(f"All {len(every):,} rows", markup.table("All rows", table.columns, every))
    content += markup.folded("What the columns mean", markup.terms({str(name): meaning(str(name)) for name in table}))
    page.add("tables", "Tables", "Tables", content)
    tickets = {path.name: str(path) for path in meta.tickets}
    files = markup.folded(f"Ticket files ({len(tickets)})", markup.terms(tickets)) if tickets else ""
    page.add(
        "provenance",
        "Provenance",
        "Provenance",
        f"{markup.command(meta.command)}<h3>The run</h3>{markup.terms(meta.facts())}{files}",
    )
    return page.text()
