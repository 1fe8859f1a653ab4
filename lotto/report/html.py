"""``report.html``: the whole report in one file that needs neither network nor neighbours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from lotto.report.beside import NOTHING, Beside
from lotto.report.branches import in_order
from lotto.report.columns import cell, meaning
from lotto.report.evidence import Evidence
from lotto.report.figures import draw_accuracy, draw_early_stop
from lotto.report.finding import Finding
from lotto.report.inline import alternative_text, inline_svg
from lotto.report.level_tests import LevelTest
from lotto.report.measures import EARLY_STOP_STEP, Measure
from lotto.report.meta import ReportMeta
from lotto.report.page import markup
from lotto.report.page.assets import fingerprint
from lotto.report.page.besides import add_claims, add_exhibits, add_probes
from lotto.report.page.cost import cost
from lotto.report.page.costing import cost_by_level, cost_tiles
from lotto.report.page.density import ACCURACIES, COSTS, EARLY_STOP, density_sets
from lotto.report.page.differences import difference_set
from lotto.report.page.document import Page
from lotto.report.page.layers import layer_densities
from lotto.report.page.lines import branch_lines
from lotto.report.page.masks import first_layer_masks
from lotto.report.page.profile import learning_curves
from lotto.report.page.provenance import origins
from lotto.report.summary import level_densities
from lotto.report.tables import MARKED, level_rows, note
from lotto.store import Store
from lotto.versions import versions

# The page's own note of the table it was written from, in its first lines.
TABLE = "lotto-table"
HEAD_CHARACTERS = 1000


def html_report(
    table: pd.DataFrame,
    meta: ReportMeta,
    finding: Finding,
    beside: Beside = NOTHING,
    tests: Sequence[LevelTest] = (),
) -> str:
    """The report as one page: finding, figures, tables, every row, provenance. All text is escaped.

    A section is there if there is something to show, in the store of ``meta`` or ``beside`` the table;
    ``tests`` are those of the table.
    """
    evidence = Evidence.read(table, Store(meta.store))
    page = Page(meta.experiment, "lotto run", TABLE, digest(table, finding.measure, beside))
    page.data |= {
        "lines": branch_lines(table),
        "runs": [],
        "levels": {str(level): density for level, density in level_densities(table).items()},
        "level": int(finding.level if finding.level is not None else table["level"].max()),
    }
    page.open(_finding(finding.sentence))
    add_claims(page, beside)
    _densities(page, table, finding, tests)
    _insides(page, table, evidence)
    add_exhibits(page, beside)
    add_probes(page, beside.probes)
    _cost(page, table, evidence)
    _tables(page, table, finding)
    _provenance(page, table, meta, evidence)
    return page.text()


def digest(table: pd.DataFrame, measure: Measure, beside: Beside) -> str:
    """Tells the page of this table from pages of others; whether a row was trained now or read from the store is no matter."""
    rows = table.drop(columns="cached").map(cell).to_csv(index=False)
    parts = (versions()["lotto"], fingerprint(), measure.column, rows, beside.words())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def shows(page: Path, table: pd.DataFrame, measure: Measure, beside: Beside) -> bool:
    """Whether ``page`` is there and was written from this table and what stands beside it."""
    try:
        with page.open(encoding="utf-8") as file:
            return f'content="{digest(table, measure, beside)}"' in file.read(HEAD_CHARACTERS)
    except OSError:
        return False


def _finding(sentence: str) -> str:
    """The answer in large letters, what it rests on below it."""
    answer, *rest = re.split(r"(?<=\.)\s+(?=[A-Z])", sentence, maxsplit=1)
    more = f'<p class="more">{_unbroken(escape(rest[0]))}</p>' if rest else ""
    return f'<div class="finding"><p class="answer">{_unbroken(escape(answer))}</p>{more}</div>'


def _unbroken(text: str) -> str:
    """``text`` whose ``n = 5`` stays on one line."""
    return text.replace("n = ", "n&nbsp;=&nbsp;")


def _densities(page: Page, table: pd.DataFrame, finding: Finding, tests: Sequence[LevelTest]) -> None:
    """Accuracy and early stop against density; without the script the figures that are also beside the page."""
    branches = {name: table[table["branch"] == name] for name in in_order(table["branch"])}
    first = sorted(ACCURACIES, key=lambda shown: shown.column != finding.measure.column)
    page.data["accuracy"] = [*density_sets(branches, first), *difference_set(tests, finding.measure)]
    svg = inline_svg(draw_accuracy(table, finding.measure.column), "accuracy", alternative_text(table, finding.measure))
    page.add("accuracy", "Accuracy", "Accuracy against density", _figure("accuracy", svg))
    if early_stop := draw_early_stop(table):
        page.data["early_stop"] = [*density_sets(branches, EARLY_STOP), *difference_set(tests, EARLY_STOP_STEP)]
        svg = inline_svg(early_stop, "early-stop", alternative_text(table, EARLY_STOP_STEP))
        page.add("early-stop", "Early stop", "Early stopping against density", _figure("early_stop", svg))
    page.data["costs"] = density_sets(branches, COSTS)


def _figure(kind: str, svg: str) -> str:
    caption = (
        "Means over replicates against the share of weights that remain. A click on a level shows it in all figures."
    )
    return f'{markup.place(kind, svg)}<p class="caption">{caption}</p>'


def _insides(page: Page, table: pd.DataFrame, evidence: Evidence) -> None:
    """What the store knows beside the results: curves, layers, masks."""
    if curves := learning_curves(evidence.curves(table)):
        page.data["curves"] = curves
        caption = (
            "Means over replicates of the evaluations during training; the band reaches from the lowest to the highest."
        )
        page.add("curves", "Curves", "Learning curves", f'{markup.place("curves")}<p class="caption">{caption}</p>')
    if layers := layer_densities(table, evidence):
        page.data["layers"] = [layers]
        page.add("layers", "Layers", "Density of each layer", markup.place("layers"))
    if masks := first_layer_masks(table, evidence):
        page.data["masks"] = [{"run": "", **masks}]
        page.add("mask", "Mask", "Mask of the first layer", markup.place("masks"))


def _cost(page: Page, table: pd.DataFrame, evidence: Evidence) -> None:
    figure = markup.place("costs") if page.data["costs"] else ""
    shared = (
        "The wall time of a fit is shared by all networks that were stacked in it, and counted once. "
        "A fit that trained networks of two levels counts at both."
    )
    levels = f'{cost_by_level(table, evidence)}<p class="note">{shared}</p>'
    content = f"{cost_tiles(cost(table, evidence))}{figure}{markup.folded('By level', levels)}"
    page.add("cost", "Cost", "Cost", content)


def _tables(page: Page, table: pd.DataFrame, finding: Finding) -> None:
    content = _level_table(table, finding.measure, finding)
    if table[EARLY_STOP_STEP.column].notna().any():
        content += _level_table(table, EARLY_STOP_STEP, finding)
    rows = [markup.row([cell(value) for value in line]) for line in table.itertuples(index=False, name=None)]
    content += markup.folded(f"All {len(rows):,} rows", markup.table("All rows", table.columns, rows))
    content += markup.folded("What the columns mean", markup.terms({str(name): meaning(str(name)) for name in table}))
    page.add("tables", "Tables", "Tables", content)


def _level_table(table: pd.DataFrame, measure: Measure, finding: Finding) -> str:
    """One row a level, the finding's marked."""
    branches = in_order(table["branch"])
    rows = [
        markup.row(
            [row.level, row.density, row.weights, *(row.cells.get(branch, "") for branch in branches)], row.is_finding
        )
        for row in level_rows(table, measure, finding)
    ]
    marked = f" Shaded: {MARKED}." if finding.level is not None else ""
    title = measure.phrase.capitalize()
    return (
        f"<h3>{escape(title)}</h3>{markup.table(title, ['level', 'density %', 'weights', *branches], rows)}"
        f'<p class="note">{escape(note(measure, table))}.{escape(marked)}</p>'
    )


def _provenance(page: Page, table: pd.DataFrame, meta: ReportMeta, evidence: Evidence) -> None:
    page.data["origins"] = [origins(table, evidence)]
    tickets = {path.name: str(path) for path in meta.tickets}
    files = markup.folded(f"Ticket files ({len(tickets)})", markup.terms(tickets)) if tickets else ""
    content = (
        f'{markup.command(meta.command)}<p class="note">Run again, this command trains what is not stored and writes this page.</p>'
        f"<h3>The run</h3>{markup.terms(meta.facts())}{files}<h3>One number</h3>{markup.place('origins')}"
    )
    page.add("provenance", "Provenance", "Provenance", content)
