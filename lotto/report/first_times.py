"""The table of what the probe ``hitting`` read: when training and held-out accuracy first reach a threshold, replicate by replicate.

What never came is shown as ``> steps``: later than the training lasted. Such times have no mean, so every replicate is written out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import pandas as pd

from lotto.report.branches import in_order
from lotto.report.measures import NO_SPREAD, weights_percent

PROBE = "hitting"
TITLE = "First times"
NOTE = (
    "Steps until the accuracy first reaches the threshold, on the training set and on what is held out, and the delay between the two; "
    "a number for every replicate, in their order; > where it never did"
)


@dataclass(frozen=True)
class Grid:
    """A table as texts."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """The table in Markdown."""
        lines = [self.header, ("---:",) * len(self.header), *self.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)

    def print(self, stream: IO[str]) -> None:
        """The table, as wide as it needs to be."""
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table

        table = Table(box=SIMPLE)
        for name in self.header:
            table.add_column(name, justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        widths = (3 + max(len(row[place]) for row in (self.header, *self.rows)) for place in range(len(self.header)))
        console = Console(file=stream, force_terminal=stream.isatty(), highlight=False, width=10 + sum(widths))
        console.print(table)
        console.print(f"{TITLE}: {NOTE}", markup=False, soft_wrap=True)


def first_times(probes: pd.DataFrame | None, axes: Sequence[str] = ()) -> Grid | None:
    """A row for every branch of every level, and of every value of ``axes``, columns of ``probes``; None where nothing was read."""
    if probes is None or not (probes["probe"] == PROBE).any():
        return None
    read = probes[probes["probe"] == PROBE]
    thresholds = [name.removeprefix("tau_least_") for name in read["measure"].unique() if name.startswith("tau_least_")]
    header = [*(axis.removeprefix("axis:") for axis in axes), "level", "weights %", "branch"]
    for percent in thresholds:
        header += [f"train {percent}%", f"held out {percent}%", f"delay {percent}%"]
    rows = []
    for place, group in read.groupby([*axes, "level"], sort=False):
        for branch in in_order(group["branch"]):
            rows.append(tuple(_row((*place, branch), group[group["branch"] == branch], thresholds)))
    return Grid((*header, "best held out %"), tuple(rows))


def _row(place: tuple[object, ...], group: pd.DataFrame, thresholds: Sequence[str]) -> Iterator[str]:
    *axes, level, branch = place
    yield from map(str, axes)
    yield str(level)
    yield weights_percent(float(group["density"].mean()))
    yield "dense" if level == 0 else str(branch)
    order = [name for name in group if str(name).startswith("axis:")]
    networks = [
        dict(zip(network["measure"], network["value"].astype(float), strict=True))
        for _, network in group.groupby([*order, "replicate", "sample"])
    ]
    for percent in thresholds:
        for cell in (_train, _held_out, _delay):
            yield ", ".join(cell(network, percent) for network in networks)
    yield ", ".join(f"{100 * network['best_held_out']:.1f}" for network in networks)


def _train(network: Mapping[str, float], percent: str) -> str:
    return _steps(network[f"train_step_{percent}"], network["budget"])


def _held_out(network: Mapping[str, float], percent: str) -> str:
    return _steps(network[f"held_out_step_{percent}"], network["budget"])


def _delay(network: Mapping[str, float], percent: str) -> str:
    """Of what was not even learnt by heart there is none."""
    least = network[f"tau_least_{percent}"]
    return NO_SPREAD if pd.isna(least) else _steps(network[f"tau_{percent}"], least)


def _steps(value: float, bound: float) -> str:
    return f"> {bound:,.0f}" if pd.isna(value) else f"{value:,.0f}"
