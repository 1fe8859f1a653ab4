"""The report of a run, in its folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from lotto.report.approximation.table import approximates
from lotto.report.approximation.write import write_approximation
from lotto.report.aside import write_aside
from lotto.report.beside import NOTHING, Beside
from lotto.report.columns import write_csv
from lotto.report.csv_tables import write_csv_tables
from lotto.report.evidence import Evidence
from lotto.report.figures import accuracy_figure, early_stop_figure, save
from lotto.report.finding import find
from lotto.report.first_times import first_times
from lotto.report.first_times_figure import first_times_figure
from lotto.report.html import html_report, shows
from lotto.report.latex import write_latex
from lotto.report.level_tests import every_test
from lotto.report.markdown import markdown_report
from lotto.report.measures import ACCURACY
from lotto.report.meta import ReportMeta
from lotto.report.written import Written
from lotto.store import Store


def write_report(
    table: pd.DataFrame,
    meta: ReportMeta,
    folder: Path,
    measure: str = ACCURACY.column,
    anew: bool = True,
    beside: Beside = NOTHING,
) -> Written:
    """Write ``results.csv``, ``figures/``, ``tables/``, ``report.md`` and ``report.html`` into ``folder``, each whole or not at all.

    ``table`` holds the contract's columns, the tickets of one experiment, method and criterion, and at least one row;
    ``measure`` is the accuracy that the finding is about. Raises ``ValueError`` where the table is otherwise,
    ``BadRequest`` for a measure that is no accuracy. The pages come last, so that they never name a file that is not
    there; ``beside`` is for ``report.html``, and its exhibits for both.
    Unless ``anew``, pages, figures and tables that were written from the same table are left as they are.
    """
    _require_one_search(table)
    if approximates(table):
        return write_approximation(table, meta, folder, find(table, measure), beside)
    csv = write_csv(table, folder / "results.csv")
    finding, grid = find(table, measure), first_times(beside.probes)
    markdown, html = folder / "report.md", folder / "report.html"
    drawn, tabled = (tuple(sorted((folder / name).glob("*.*"))) for name in ("figures", "tables"))
    if not anew and drawn and tabled and markdown.exists() and shows(html, table, finding.measure, beside):
        return Written(csv, markdown, html, drawn, tabled, finding, grid)
    figures = (
        *accuracy_figure(table, folder / "figures" / "accuracy", measure),
        *early_stop_figure(table, folder / "figures" / "early_stop"),
        *(path for shown in beside.exhibits for path in save(shown.figure, folder / "figures" / shown.name)),
        *(_first_times(table, meta, folder) if grid else ()),
    )
    tests = every_test(table)
    tables = (
        *write_csv_tables(table, tests, finding, folder / "tables"),
        *write_latex(table, tests, finding, meta.experiment, folder / "tables"),
    )
    relative = [path.relative_to(folder) for path in (*figures, *tables)]
    return Written(
        csv=csv,
        markdown=write_aside(
            markdown, markdown_report(table, meta, finding, tests, relative, beside.exhibits, grid).encode()
        ),
        html=write_aside(html, html_report(table, meta, finding, beside, tests).encode()),
        figures=figures,
        tables=tables,
        finding=finding,
        first_times=grid,
    )


def _first_times(table: pd.DataFrame, meta: ReportMeta, folder: Path) -> tuple[Path, ...]:
    """Drawn where they were asked for: of the dense network and of the sparsest level."""
    curves = Evidence.read(table, Store(meta.store)).curves(table)
    return first_times_figure(curves, int(table["level"].max()), folder / "figures" / "first_times")


def _require_one_search(table: pd.DataFrame) -> None:
    """Refuse tables whose levels would be averaged over searches that differ in more than the replicate."""
    if table.empty:
        raise ValueError("the table of results has no row to report")
    tickets = table[table["branch"] == "ticket"]
    for column in ("experiment", "method", "criterion"):
        if len(names := sorted(tickets[column].astype(str).unique())) > 1:
            raise ValueError(f"one report is about one {column}, and this table holds {', '.join(names)}")
