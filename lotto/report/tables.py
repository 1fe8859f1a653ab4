"""The table of a run, one row a level: for the terminal and as Markdown."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import pandas as pd

from lotto.report.branches import in_order
from lotto.report.finding import Finding
from lotto.report.measures import MEASURES, NO_SPREAD, Measure, weights_percent
from lotto.report.summary import summarise

if TYPE_CHECKING:
    from rich.table import Table

TERMINAL_WIDTH = 100
GAP = 3  # columns of padding beside each cell
SHAPE = ("level", "density %", "weights")
MARK = "*"
UNBROKEN = "\N{NO-BREAK SPACE}"
MARKED = "smallest density that matches the dense network"


@dataclass(frozen=True)
class LevelRow:
    """One level as texts: ``cells`` by branch hold ``mean ± sd (n)``, empty where the branch was not trained."""

    level: str
    density: str
    weights: str
    cells: dict[str, str]
    is_finding: bool


def level_rows(table: pd.DataFrame, measure: Measure, finding: Finding) -> list[LevelRow]:
    """The levels in order, each with every branch's mean, spread and n of ``measure``."""
    rows = []
    summary = summarise(table)
    for level in sorted(summary["level"].unique()):
        lines = summary[summary["level"] == level]
        # The ticket comes first where it was trained: the mask is its own, a control's may differ by a few weights.
        shape = lines.iloc[0]
        rows.append(
            LevelRow(
                level=str(level),
                density=weights_percent(shape["density"]),
                weights=f"{shape['weights_remaining']:,.0f}",
                cells={str(line["branch"]): _cell(line, measure) for _, line in lines.iterrows()},
                is_finding=level == finding.level,
            )
        )
    return rows


def note(measure: Measure, table: pd.DataFrame) -> str:
    """How to read the cells of the table of ``measure``."""
    unit = " in percent" if measure.is_fraction else ""
    text = f"{measure.phrase.capitalize()}{unit}: mean ± standard deviation (n replicates)"
    column = f"{measure.column}_n"
    summary = summarise(table)
    if (summary["runs"] > summary["n"]).any():
        text += "; the draws of a control are averaged within each replicate"
    return f"{text}; {NO_SPREAD} one replicate has no spread" if (summary[column] == 1).any() else text


def terminal_tables(table: pd.DataFrame, measure: Measure, finding: Finding) -> Iterator[Table]:
    """The table for 100 columns; branches that do not fit stand in further tables, beside the ticket again."""
    from rich import box
    from rich.table import Table

    rows = level_rows(table, measure, finding)
    for branches in _fitting(in_order(table["branch"]), rows):
        grid = Table(box=box.SIMPLE)
        for name in (*SHAPE, *branches):
            grid.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            grid.add_row(
                f"{MARK} {row.level}" if row.is_finding else row.level,
                row.density,
                row.weights,
                *(row.cells.get(branch, "") for branch in branches),
                style="bold" if row.is_finding else None,
            )
        yield grid


def print_table(table: pd.DataFrame, finding: Finding, stream: IO[str], measure: str | None = None) -> None:
    """Print the table of ``measure`` (that of the finding unless said) and the finding's sentence to ``stream``.

    Colour codes are written to a terminal alone; lines are at most 100 columns wide.
    """
    from rich.console import Console

    shown = MEASURES[measure] if measure else finding.measure
    console = Console(file=stream, force_terminal=stream.isatty(), highlight=False)
    console.width = min(TERMINAL_WIDTH, console.width) if console.is_terminal else TERMINAL_WIDTH
    for grid in terminal_tables(table, shown, finding):
        console.print(grid)
    console.print(note(shown, table), markup=False)
    if finding.level is not None:
        console.print(f"{MARK} {MARKED}", markup=False)
    console.print()
    console.print(wrapped(finding.sentence, console.width), markup=False)


def markdown_table(table: pd.DataFrame, measure: Measure, finding: Finding) -> str:
    """The table as Markdown, the finding's level in bold."""
    branches = in_order(table["branch"])
    rows = [
        ([row.level, row.density, row.weights, *(row.cells.get(branch, "") for branch in branches)], row.is_finding)
        for row in level_rows(table, measure, finding)
    ]
    return markdown_grid([*SHAPE, *branches], rows)


def markdown_grid(header: Sequence[str], rows: Iterable[tuple[Sequence[str], bool]]) -> str:
    """A Markdown table of texts set to the right, from rows that each say whether they are bold."""
    lines = [_markdown_line(header), _markdown_line(["---:"] * len(header))]
    for texts, is_bold in rows:
        lines.append(_markdown_line([f"**{text}**" if is_bold and text else text for text in texts]))
    return "\n".join(lines)


def wrapped(text: str, width: int) -> str:
    """``text`` in lines of at most ``width``, each ``n = 5`` on one of them."""
    return textwrap.fill(text.replace("n = ", f"n{UNBROKEN}={UNBROKEN}"), width).replace(UNBROKEN, " ")


def _cell(line: pd.Series, measure: Measure) -> str:
    mean, sd, n = (float(line[f"{measure.column}_{suffix}"]) for suffix in ("mean", "sd", "n"))
    return NO_SPREAD if math.isnan(mean) else f"{measure.mean_and_spread(mean, sd)} ({n:.0f})"


def _fitting(branches: tuple[str, ...], rows: list[LevelRow]) -> Iterator[tuple[str, ...]]:
    """The branches in groups that fit side by side, the first in each."""

    def width(branch: str) -> int:
        return GAP + max(len(branch), *(len(row.cells.get(branch, "")) for row in rows))

    first, *rest = branches
    shape = sum(GAP + len(name) for name in SHAPE) + max(len(row.weights) for row in rows)
    group = [first]
    for branch in rest:
        if shape + sum(map(width, [*group, branch])) > TERMINAL_WIDTH and len(group) > 1:
            yield tuple(group)
            group = [first]
        group.append(branch)
    yield tuple(group)


def _markdown_line(cells: Sequence[str]) -> str:
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
