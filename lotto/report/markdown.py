"""``report.md``: the finding, the table, the figures, where the numbers come from and how to get them again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lotto.report.beside import Exhibit
from lotto.report.differences import differences_section
from lotto.report.finding import Finding
from lotto.report.first_times import NOTE, TITLE, Grid
from lotto.report.level_tests import LevelTest
from lotto.report.measures import EARLY_STOP_STEP, Measure
from lotto.report.meta import ReportMeta
from lotto.report.overlaps import overlap_section
from lotto.report.tables import MARKED, markdown_table, note

PICTURES, VECTORS, DATA, LATEX = (".png",), (".svg", ".pdf"), (".csv",), (".tex",)


def markdown_report(
    table: pd.DataFrame,
    meta: ReportMeta,
    finding: Finding,
    tests: Sequence[LevelTest],
    files: Sequence[Path],
    exhibits: Sequence[Exhibit] = (),
    grid: Grid | None = None,
) -> str:
    """The report as Markdown; ``tests`` are those of every measure, ``files`` the figures and tables beside the report, ``grid`` the
    first times if they were read."""

    def links(suffixes: tuple[str, ...]) -> str:
        return ", ".join(f"[{file.name}]({file.as_posix()})" for file in files if file.suffix in suffixes)

    sections = [
        f"# {literal(meta.experiment)}",
        literal(finding.sentence),
        *(f"![{file.stem.replace('_', ' ')}]({file.as_posix()})" for file in files if file.suffix in PICTURES),
        f"Figures as vectors: {links(VECTORS)}.",
        *_table(table, finding.measure, finding),
        *differences_section(tests, finding),
        *([f"## {TITLE}", grid.markdown(), f"{NOTE}."] if grid else []),
    ]
    for shown in exhibits:
        sections += [f"## {literal(shown.title)}", "\n".join(f"- {literal(text)}" for text in shown.sentences)]
    if table[EARLY_STOP_STEP.column].notna().any():
        sections += _table(table, EARLY_STOP_STEP, finding)
    sections += overlap_section(table)
    sections += [
        f"Every row is in [results.csv](results.csv), and every mean, interval and test in {links(DATA)}. "
        f"The tables for a paper, with booktabs and siunitx: {links(LATEX)}.",
        "## Provenance",
        "\n".join(f"- {label}: {literal(text)}" for label, text in meta.facts().items()),
    ]
    if meta.tickets:
        sections += ["Ticket files:", "\n".join(f"- {literal(str(path))}" for path in meta.tickets)]
    sections += ["## Run again", fenced(meta.command)]
    return "\n\n".join(sections) + "\n"


def literal(text: str) -> str:
    """``text`` such that Markdown shows it as it is; an underscore within a word needs no escape."""
    text = re.sub(r"([\\`*\[\]<>#|~&])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)


def fenced(text: str) -> str:
    """``text`` as a code block, whatever backticks it holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _table(table: pd.DataFrame, measure: Measure, finding: Finding) -> list[str]:
    """Heading, table and how to read it."""
    bold = f" Bold: {MARKED}." if finding.level is not None else ""
    heading = f"## {measure.phrase.capitalize()}"
    return [heading, markdown_table(table, measure, finding), f"{note(measure, table)}.{bold}"]
