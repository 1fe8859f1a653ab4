"""Running a sweep: what is missing of all points as one plan, then one table and one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lotto.checks import check_hardware, check_spec, tidy
from lotto.references import refer
from lotto.results import results_table
from lotto.run_note import begin_note, finish_note
from lotto.running.progress import Progress
from lotto.stage import Stage
from lotto.store import Store
from lotto.sweep.mirrored import mirrored
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.tell import told

if TYPE_CHECKING:
    import pandas as pd

    from lotto.sweep.report import SweepReport


@dataclass(frozen=True)
class SweepOutcome:
    """What a sweep came to.

    Args:
        table: the results tables of all points below one another; empty if nothing could be trained.
        written: where the report lies; None if there is nothing to report.
        failed: the sentence of every stage that failed.
        steps: training steps run by this process.
    """

    table: pd.DataFrame
    written: SweepReport | None
    failed: tuple[str, ...]
    steps: int
    seconds: float


def run_sweep(planned: PlannedSweep, progress: Progress) -> SweepOutcome:
    """Run what is not stored yet and write the report.

    Raises:
        BadRequest: something about the request is wrong; nothing has been trained.
    """
    started = time.monotonic()
    check_hardware(planned.spec)
    store = Store(planned.spec.store)
    plan = planned.plan
    cached = begin_sweep(planned, store)
    missing = plan.missing(store.verify, store.record)
    with mirrored(planned, store, progress.note) as mirrors:
        with told(planned, store, progress.note):
            failed, steps = train_sweep(planned, missing, store, progress, mirrors.published) if missing else ({}, 0)
        tidy(plan, store)
        table = sweep_table(planned, store, cached)
        written = report_sweep(planned, table, store) if len(table) else None
        mirrors.figures = written.figures if written else ()
    finish_note(planned.folder, cached)
    return SweepOutcome(table, written, tuple(failed.values()), steps, time.monotonic() - started)


def begin_sweep(planned: PlannedSweep, store: Store) -> list[str]:
    """Tell the store who needs what, and note the rows that are stored already; returns their keys."""
    store.check_writable()
    refer(store, planned.folder, planned.command, planned.plan)
    stored = {entry.trained.key for entry in planned.plan.entries if store.has(entry.trained.key)}
    return begin_note(planned.folder, sorted(stored))


def sweep_table(planned: PlannedSweep, store: Store, cached: Sequence[str]) -> pd.DataFrame:
    """The contract's columns for every ticket of every point, and behind them the point's value on every axis."""
    import pandas as pd

    tables = []
    for point in planned.points:
        table = results_table(point.spec, point.plan, store, cached)
        for axis, value in point.point.values.items():
            table[axis_column(axis)] = value
        tables.append(table)
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def sweep_probes(planned: PlannedSweep, store: Store) -> pd.DataFrame:
    """The rows of ``probes.csv`` of every point, and behind them the point's value on every axis; empty where nothing is probed."""
    import pandas as pd

    from lotto.probes.table import probes_table

    tables = []
    for point in planned.points:
        table = probes_table(point.spec, point.plan, store)
        for axis, value in point.point.values.items():
            table[axis_column(axis)] = value
        tables.append(table)
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def write_sweep_probes(planned: PlannedSweep, store: Store) -> None:
    """``probes.csv`` in the sweep's folder, where there is something to write."""
    from lotto.report.columns import write_rows

    if planned.plan.readings and len(table := sweep_probes(planned, store)):
        write_rows(table, planned.folder / "probes.csv")


def axis_column(axis: str) -> str:
    """The column of ``results.csv`` that holds the values of an axis: apart from the contract's own columns."""
    return f"axis:{axis}"


def train_sweep(
    planned: PlannedSweep,
    missing: Mapping[str, Stage],
    store: Store,
    progress: Progress,
    published: Callable[[set[str]], None] = lambda keys: None,
) -> tuple[dict[str, str], int]:
    """The sentences of what failed, and the training steps that this process took; ``published`` is told what was trained."""
    from lotto.running.loading import load

    load()
    from lotto.running.runner import Runner

    for point in planned.points:
        check_spec(point.spec)
    spec = planned.spec
    runner = Runner(planned.plan, missing, store, spec.hardware, spec.engine, progress)
    runner.published = published
    runner.load_data()
    return runner.run(), runner.steps


def report_sweep(planned: PlannedSweep, table: pd.DataFrame, store: Store) -> SweepReport:
    """Write tables, report, page and figures into the sweep's folder."""
    from lotto.sweep.report import write_sweep_report

    write_sweep_probes(planned, store)
    return write_sweep_report(planned, table, store)
