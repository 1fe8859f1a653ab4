"""The table of a benchmark: one block a model, and below them what it was measured on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from rich import box
from rich.console import Console
from rich.table import Table

from lotto.bench.measurement import rate_in_words
from lotto.bench.results import BenchResults
from lotto.bench.rounds import Measured
from lotto.bench.summary import Block, Spread, peak_memory, rate

WIDTH = 100
NOTHING = "\N{EN DASH}"
HEADER = ("", "repli-\ncates", "density", "steps", "replicate-steps/s", "÷ plain loop", "peak MB", "engine")


def print_results(results: BenchResults, stream: IO[str]) -> None:
    """Print everything to ``stream``, in lines of at most 100 columns; colour codes are written to a terminal alone."""
    console = Console(file=stream, force_terminal=stream.isatty(), highlight=False)
    console.width = min(WIDTH, console.width) if console.is_terminal else WIDTH
    for block in results.blocks:
        console.print(block_table(block))
        for line in block_lines(block):
            console.print(line, markup=False)
        console.print()
    for line in closing_lines(results):
        console.print(line, markup=False)


def block_table(block: Block) -> Table:
    """One row a contestant, under the model's name."""
    grid = Table(box=box.SIMPLE, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for place, name in enumerate(HEADER):
        grid.add_column(name if place else block.model, justify="right" if place else "left", no_wrap=True)
    for row in block.rows:
        grid.add_row(*_cells(block, row))
    return grid


def block_lines(block: Block) -> Iterator[str]:
    """What follows from several rows."""
    density = min(row.contestant.density for row in block.rows)
    ratios = [f"{_times(spread)} with {_many(n, 'replicate')}" for n, spread in block.sparse_to_dense.items()]
    yield f"lotto at {_percent(density)} density ÷ lotto at 100%: {', '.join(ratios)}"
    if block.evaluated and block.with_evaluation:
        evaluation = block.evaluated.contestant.evaluation
        assert evaluation
        yield (
            f"{block.evaluated.contestant.label}: {evaluation.examples:,} examples evaluated every {evaluation.every} steps, as in the "
            f"paper, which no other row does: {_times(block.with_evaluation)} of the speed without"
        )


def closing_lines(results: BenchResults) -> Iterator[str]:
    """How to read the numbers, and what they were measured on."""
    machine, settings = results.machine, results.settings
    yield (
        f"Median (least{NOTHING}most) of {_many(settings.rounds, 'round')}, in each of which every row trained once for its steps; "
        "ratios are taken within a round. Peak MB: of the whole process, PyTorch included, or of the GPU where one trains."
    )
    if results.start:
        spread = Spread.of(results.start)
        yield (
            f"Process start to first training step: {spread.median:.1f} s ({spread.least:.1f}{NOTHING}{spread.most:.1f}), "
            f"n = {len(results.start)}"
        )
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads; GPU: {machine['gpu'] or 'none used'}; trained on "
        f"{machine['device']}, precision {machine['precision']}; {versions}"
    )


def _cells(block: Block, row: Measured) -> tuple[str, ...]:
    who, speed, to_plain, peak = row.contestant, rate(row), block.to_plain(row), peak_memory(row)
    return (
        who.label,
        str(who.replicates),
        _percent(who.density),
        f"{row.steps:,}",
        f"{rate_in_words(speed.median)} ({rate_in_words(speed.least)}{NOTHING}{rate_in_words(speed.most)})",
        NOTHING if to_plain is None else _times(to_plain),
        NOTHING if peak is None else f"{peak / 1e6:,.0f}",
        ", ".join(dict.fromkeys(measurement.engine for measurement in row.rounds)),
    )


def _times(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.least:.2f}{NOTHING}{spread.most:.2f})"


def _percent(density: float) -> str:
    return f"{100 * density:.3g}%"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
