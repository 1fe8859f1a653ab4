"""The report of a sweep: one table of all its tickets, a summary, a figure, and how much was shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pandas as pd

from lotto.report.aside import write_aside
from lotto.report.columns import write_csv
from lotto.report.figures import save
from lotto.report.first_times import NOTE, TITLE, Grid, first_times
from lotto.report.markdown import fenced, literal
from lotto.report.measures import ACCURACY, Measure, weights_percent
from lotto.store import Store
from lotto.sweep.curves import Curve, curves
from lotto.sweep.definition import DENSITY
from lotto.sweep.figure import draw_sweep
from lotto.sweep.measured import measure_called, rows_of
from lotto.sweep.page import write_page
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.run import axis_column, sweep_probes
from lotto.versions import versions


@dataclass(frozen=True)
class SweepReport:
    """Where its parts lie, and what its figures show: the lines of every measure."""

    csv: Path
    markdown: Path
    html: Path
    figures: tuple[Path, ...]
    lines: dict[Measure, tuple[Curve, ...]]
    first_times: Grid | None = None


def write_sweep_report(planned: PlannedSweep, table: pd.DataFrame, store: Store) -> SweepReport:
    """Write ``results.csv``, a figure for every measure and ``report.md`` into the sweep's folder."""
    shown, folder = planned.sweep.shown, planned.folder
    csv = write_csv(table, folder / "results.csv")
    probes = sweep_probes(planned, store)
    lines: dict[Measure, tuple[Curve, ...]] = {}
    figures: list[Path] = []
    for name in shown.measures:
        measure = measure_called(name)
        lines[measure] = tuple(curves(rows_of(name, table, probes), shown, name))
        if lines[measure]:
            place = folder / "figures" / ("accuracy" if measure is ACCURACY else name)
            figures += save(draw_sweep(lines[measure], shown.x, measure), place)
    relative = [path.relative_to(folder) for path in figures]
    axes = [name for name in map(str, probes) if name.startswith("axis:") and name != axis_column("seed")]
    grid = first_times(probes, axes)
    text = _markdown(planned, lines, relative, store, grid)
    markdown = write_aside(folder / "report.md", text.encode())
    return SweepReport(csv, markdown, write_page(planned, store), tuple(figures), lines, grid)


def print_sweep(planned: PlannedSweep, report: SweepReport, stream: IO[str]) -> None:
    """The summary, as wide as it needs to be, for a terminal or a file."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    for measure, lines in report.lines.items():
        grid = Table(box=SIMPLE)
        header, rows = summary(lines, planned.sweep.shown.x, measure)
        for name in header:
            grid.add_column(name, justify="right", no_wrap=True)
        for row in rows:
            grid.add_row(*row)
        console = Console(file=stream, force_terminal=stream.isatty(), highlight=False)
        if not console.is_terminal:
            widest = (3 + max(len(line[place]) for line in (header, *rows)) for place in range(len(header)))
            console.width = 10 + sum(widest)
        console.print(grid)
        console.print(_note(measure), markup=False, soft_wrap=True)
    if report.first_times:
        report.first_times.print(stream)


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


def _grid(lines: Sequence[Curve], x: str, measure: Measure) -> str:
    header, rows = summary(lines, x, measure)
    grid = [header, ["---:"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in grid)


def _cell(point: pd.Series, measure: Measure) -> str:
    return f"{measure.mean_and_spread(float(point['mean']), float(point['sd']))} ({point['n']:.0f})"


def _note(measure: Measure) -> str:
    unit = " in percent" if measure.is_fraction else ""
    return f"{measure.phrase.capitalize()}{unit}: mean ± standard deviation (n: replicates and whatever else a line averages)"


def _markdown(
    planned: PlannedSweep,
    lines: Mapping[Measure, Sequence[Curve]],
    figures: Sequence[Path],
    store: Store,
    grid: Grid | None,
) -> str:
    tickets = [entry.trained.key for entry in planned.plan.entries]
    done = sum(map(store.has, dict.fromkeys(tickets)))
    facts = {
        "Points": f"{len(planned.points)}; "
        + "; ".join(
            f"{axis}: {', '.join(dict.fromkeys(p.point.values[axis] for p in planned.points))}"
            for axis in planned.sweep.axes
        ),
        "Tickets": f"{done:,} of {len(set(tickets)):,} stored",
        "Training steps": planned.shared,
        "Versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "Store": str(store.root),
    }
    sections = [
        f"# {literal(planned.sweep.name)}",
        literal(planned.sweep.title),
        *(f"![{path.stem}]({path.as_posix()})" for path in figures if path.suffix == ".png"),
        *(
            text
            for measure, its in lines.items()
            for text in (_grid(its, planned.sweep.shown.x, measure), f"{_note(measure)}.")
        ),
        *([f"## {TITLE}", grid.markdown(), f"{NOTE}."] if grid else []),
        "Every ticket of every point is in [results.csv](results.csv), with its point's place on each axis in the last columns.",
        "## Provenance",
        "\n".join(f"- {label}: {literal(text)}" for label, text in facts.items()),
        "## Run again",
        fenced(" ".join(["lotto", *planned.command])),
        "A point alone, from the same store:",
        fenced(" ".join(["lotto", *planned.points[0].point.overrides])),
    ]
    return "\n\n".join(sections) + "\n"
