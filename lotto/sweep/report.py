"""The report of a sweep: one table of all its tickets, a summary, a figure, and how much was shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from lotto.report.aside import write_aside
from lotto.report.columns import write_csv
from lotto.report.figures import save
from lotto.report.markdown import fenced, literal
from lotto.report.measures import ACCURACY, Measure, weights_percent
from lotto.store import Store
from lotto.sweep.curves import Curve, curves
from lotto.sweep.definition import DENSITY
from lotto.sweep.figure import draw_sweep
from lotto.sweep.planned import PlannedSweep
from lotto.versions import versions


@dataclass(frozen=True)
class SweepReport:
    """Where its parts lie, and what its figure shows."""

    csv: Path
    markdown: Path
    figures: tuple[Path, ...]
    lines: tuple[Curve, ...]


def write_sweep_report(planned: PlannedSweep, table: pd.DataFrame, store: Store) -> SweepReport:
    """Write ``results.csv``, ``figures/accuracy`` and ``report.md`` into the sweep's folder."""
    shown, folder = planned.sweep.shown, planned.folder
    lines = tuple(curves(table, shown, ACCURACY.column))
    csv = write_csv(table, folder / "results.csv")
    figures = save(draw_sweep(lines, shown.x, ACCURACY), folder / "figures" / "accuracy") if lines else ()
    relative = [path.relative_to(folder) for path in figures]
    text = _markdown(planned, table, lines, relative, store)
    return SweepReport(csv, write_aside(folder / "report.md", text.encode()), figures, lines)


def print_sweep(planned: PlannedSweep, report: SweepReport, stream: IO[str]) -> None:
    """The summary, as wide as it needs to be, for a terminal or a file."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=SIMPLE)
    header, rows = summary(report.lines, planned.sweep.shown.x, ACCURACY)
    for name in header:
        grid.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        grid.add_row(*row)
    console = Console(file=stream, force_terminal=stream.isatty(), highlight=False)
    if not console.is_terminal:
        console.width = 10 + sum(3 + max(len(line[place]) for line in (header, *rows)) for place in range(len(header)))
    console.print(grid)
    console.print(_note(ACCURACY), markup=False, soft_wrap=True)


def summary(lines: Sequence[Curve], x: str, measure: Measure) -> tuple[list[str], list[list[str]]]:
    """Header and rows: a row for each place on the horizontal axis, a column for each line."""
    places = sorted({value for line in lines for value in line.points["x"]}, reverse=x == DENSITY)
    header = ["weights %" if x == DENSITY else x, *(line.label for line in lines)]
    rows = []
    for place in places:
        row = [weights_percent(place) if x == DENSITY else f"{place:g}"]
        for line in lines:
            own = line.points[line.points["x"] == place]
            row.append("" if own.empty else _cell(own.iloc[0], measure))
        rows.append(row)
    return header, rows


def _cell(point: pd.Series, measure: Measure) -> str:
    return f"{measure.mean_and_spread(float(point['mean']), float(point['sd']))} ({point['n']:.0f})"


def _note(measure: Measure) -> str:
    return f"{measure.phrase.capitalize()} in percent: mean ± standard deviation (n: replicates and whatever else a line averages)"


def _markdown(
    planned: PlannedSweep, table: pd.DataFrame, lines: Sequence[Curve], figures: Sequence[Path], store: Store
) -> str:
    header, rows = summary(lines, planned.sweep.shown.x, ACCURACY)
    grid = [header, ["---:"] * len(header), *rows]
    tickets = [entry.trained.key for entry in planned.plan.entries]
    done = sum(map(store.has, dict.fromkeys(tickets)))
    share = planned.steps_together / planned.steps_apart
    facts = {
        "Points": f"{len(planned.points)}; "
        + "; ".join(
            f"{axis}: {', '.join(dict.fromkeys(p.point.values[axis] for p in planned.points))}"
            for axis in planned.sweep.axes
        ),
        "Tickets": f"{done:,} of {len(set(tickets)):,} stored",
        "Training steps": f"{planned.steps_together:,} as planned; the points run apart: {planned.steps_apart:,} "
        f"({100 * share:.1f}% of that is trained)",
        "Versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "Store": str(store.root),
    }
    sections = [
        f"# {literal(planned.sweep.name)}",
        literal(planned.sweep.title),
        *(f"![{path.stem}]({path.as_posix()})" for path in figures if path.suffix == ".png"),
        "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in grid),
        f"{_note(ACCURACY)}.",
        "Every ticket of every point is in [results.csv](results.csv), with its point's place on each axis in the last columns.",
        "## Provenance",
        "\n".join(f"- {label}: {literal(text)}" for label, text in facts.items()),
        "## Run again",
        fenced(" ".join(["lotto", "sweep", planned.sweep.name, *planned.request])),
        "A point alone, from the same store:",
        fenced(" ".join(["lotto", *planned.points[0].point.overrides])),
    ]
    return "\n\n".join(sections) + "\n"
