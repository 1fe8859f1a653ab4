"""Errors by candidates per weight: which of them a target is about, their table and what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import pandas as pd
import yaml

from lotto.report.branches import TICKET, in_order
from lotto.report.columns import meaning

EXPECTED = Path(__file__).with_name("expected.yaml")
ERROR = "error_sup"


@dataclass(frozen=True)
class Shown:
    """The error that a target is about.

    Args:
        column: of the results.
        expected: what was measured apart from lotto, by candidates; empty where nothing was.
    """

    column: str
    expected: Mapping[int, float]

    @property
    def phrase(self) -> str:
        return meaning(self.column)


def approximates(table: pd.DataFrame) -> bool:
    """Whether the rows approximate a function: they have errors, and no accuracies."""
    return ERROR in table and bool(table[ERROR].notna().any()) and bool(table["test_accuracy"].isna().all())


def shown(table: pd.DataFrame) -> Shown:
    """The error that the table's target is about; of an unknown target the greatest error."""
    found = _expected().get(str(table["target"].dropna().iloc[0]), {})
    return Shown(found.get("column", ERROR), found.get("errors", {}))


def errors(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row for each branch and number of candidates: ``branch``, ``candidates``, ``level``, and of the error over draws ``median``,
    ``min``, ``max`` and ``n``. The whole random network has no candidates: NaN.
    """
    used = table[table["branch"] == TICKET].groupby("level")["candidates"].first()
    own = table.assign(candidates=table["level"].map(used))
    grouped = own.groupby(["branch", "level"])
    made = grouped[column].agg(["median", "min", "max", "count"]).rename(columns={"count": "n"})
    return made.join(grouped["candidates"].first()).reset_index()


HEADER = ("level", "candidates", "density %", "weights")


def rows(table: pd.DataFrame, column: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows, a row for each level: median error and, in brackets, the least and greatest of all draws."""
    branches = in_order(table["branch"])
    found = errors(table, column)
    made = []
    for level, own in found.groupby("level"):
        ticket = table[(table["branch"] == TICKET) & (table["level"] == level)]
        cells = {str(row["branch"]): _cell(row) for _, row in own.iterrows()}
        candidates = ticket["candidates"].iloc[0]
        shape = [
            str(level),
            "" if pd.isna(candidates) else f"{candidates:.0f}",
            f"{100 * ticket['density'].mean():.3g}",
            f"{ticket['weights_remaining'].mean():,.0f}",
        ]
        made.append([*shape, *(cells.get(branch, "") for branch in branches)])
    return [*HEADER, *branches], made


def note(table: pd.DataFrame, column: str) -> str:
    """How to read the cells."""
    draws = table.groupby(["branch", "level"])["replicate"].nunique().max()
    return f"{meaning(column).capitalize()}: median over {draws} draw{'s' if draws > 1 else ''} (least to greatest)"


def sentence(table: pd.DataFrame) -> str:
    """What the ticket with most candidates errs by, beside the exact network and its controls."""
    view = shown(table)
    found = errors(table, view.column)
    last = found[found["level"] == found["level"].max()]
    ticket = last[last["branch"] == TICKET].iloc[0]
    rows_of = table[(table["branch"] == TICKET) & (table["level"] == ticket["level"])]
    target = str(table["target"].dropna().iloc[0])
    parts = [
        f"With {ticket['candidates']:.0f} candidates for each weight of {target} the ticket keeps "
        f"{100 * rows_of['density'].mean():.3g}% of the random network's weights, none of them trained, and its error "
        f"({view.column}) is {_text(ticket['median'])} in the median of {ticket['n']:.0f} draws, {_text(ticket['max'])} in the worst."
    ]
    if (exact := float(rows_of["error_exact_sup"].median())) > 0:
        parts.append(f"The exact network, which no subset sum has touched, errs by {_text(exact)}.")
    if expected := view.expected.get(int(ticket["candidates"])):
        parts.append(f"Measured apart from lotto: {_text(expected)}.")
    if others := [
        f"{row['branch']} {_text(row['median'])}" for _, row in last[last["branch"] != TICKET].iterrows() if row["n"]
    ]:
        parts.append(f"Controls of the same density err by {', '.join(others)}.")
    return " ".join(parts)


def print_errors(table: pd.DataFrame, stream: IO[str]) -> None:
    """The table of errors and the sentence to ``stream``."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from lotto.report.tables import TERMINAL_WIDTH, wrapped

    column = shown(table).column
    header, lines = rows(table, column)
    grid = Table(box=box.SIMPLE)
    for name in header:
        grid.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        grid.add_row(*line)
    console = Console(file=stream, force_terminal=stream.isatty(), highlight=False, width=_width(header, lines))
    console.print(grid)
    console.print(note(table, column), markup=False, soft_wrap=True)
    console.print()
    console.print(wrapped(sentence(table), TERMINAL_WIDTH), markup=False)


def _width(header: Sequence[str], lines: Sequence[Sequence[str]]) -> int:
    return 10 + sum(3 + max(len(line[place]) for line in (header, *lines)) for place in range(len(header)))


def _cell(row: pd.Series) -> str:
    return f"{_text(row['median'])} ({_text(row['min'])} to {_text(row['max'])})" if row["n"] else ""


def _text(error: float) -> str:
    """Two digits, and no exponent for what is large."""
    return f"{error:.2g}" if error < 100 else f"{error:,.0f}"


@cache
def _expected() -> dict[str, Any]:
    found = yaml.safe_load(EXPECTED.read_text())
    assert isinstance(found, dict)
    return found
