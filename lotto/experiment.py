"""One experiment from its spec to its report: plan, run what is missing, read everything back from the store."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lotto.checks import check_hardware, check_heads, check_spec, tidy
from lotto.errors import BadRequest, StageFailed
from lotto.mirrors.mirror import Files
from lotto.mirrors.opening import open_mirrors
from lotto.plan import Plan
from lotto.references import refer
from lotto.results import results_table
from lotto.run_note import begin_note, finish_note, noted
from lotto.running.devices import follows, started_beside_others, with_devices_counted
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.store import Store
from lotto.versions import versions

if TYPE_CHECKING:
    import pandas as pd

    from lotto.report.write import Written
    from lotto.running.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        table: the results table; empty if nothing could be trained.
        written: where the report lies; None if there is nothing to report.
        tickets: the exported ticket files.
        failed: the sentence of every stage that failed.
        steps: training steps run by this process.
    """

    table: pd.DataFrame
    written: Written | None
    tickets: tuple[Path, ...]
    failed: tuple[str, ...]
    steps: int
    seconds: float


def run_experiment(spec: Spec, folder: Path, overrides: Sequence[str], progress: Progress) -> Outcome:
    """Run what is not stored yet of ``spec`` and write the report into ``folder``.

    Raises:
        BadRequest: something about the request is wrong; nothing has been trained.
    """
    started = time.monotonic()
    check_hardware(spec)
    spec = with_devices_counted(spec)
    if spec.hardware.devices != 1 and follows():
        return _follow(spec, started)
    store = Store(spec.store)
    plan = Plan.of(spec)
    refer(store, folder, overrides, plan)
    missing = plan.missing(store.verify, store.record)
    mirrors = open_mirrors(spec.loggers, spec, plan, store, folder, progress.note)
    cached = begin_note(folder, [entry.trained.key for entry in plan.entries if entry.trained.key not in missing])
    written: Written | None = None
    tickets: tuple[Path, ...] = ()
    with mirrors.following():
        # Others that were started beside this process are to be told that there is nothing to do.
        others = spec.hardware.devices != 1 and started_beside_others()
        failed, steps = _run(spec, plan, missing, store, progress, mirrors.published) if missing or others else ({}, 0)
        tidy(plan, store)
        table = results_table(spec, plan, store, cached)
        write_probes(spec, plan, store, folder)
        if len(table):
            tickets = _export(table, store, folder)
            seconds = time.monotonic() - started
            written = _report(spec, table, tickets, folder, overrides, steps, plan, seconds, steps > 0)
        mirrors.finish(Files(written.figures if written else (), tickets))
    finish_note(folder, cached)
    return Outcome(table, written, tickets, tuple(failed.values()), steps, time.monotonic() - started)


def report_experiment(spec: Spec, folder: Path, overrides: Sequence[str]) -> Outcome:
    """Write the report of a run anew, from what is stored.

    Raises:
        BadRequest: nothing of it is stored.
    """
    store, plan = Store(spec.store), Plan.of(spec)
    table = results_table(spec, plan, store, noted(folder))
    if not len(table):
        raise BadRequest(f"store={spec.store} holds no result of the run in {folder}: run it first.")
    write_probes(spec, plan, store, folder)
    tickets = _export(table, store, folder)
    return Outcome(table, _report(spec, table, tickets, folder, overrides, 0, plan, 0.0, True), tickets, (), 0, 0.0)


def _run(
    spec: Spec,
    plan: Plan,
    missing: Mapping[str, Stage],
    store: Store,
    progress: Progress,
    published: Callable[[set[str]], None],
) -> tuple[dict[str, str], int]:
    """The sentences of what failed, and the training steps that this process took; ``published`` is told what was trained."""
    from lotto.running.loading import load

    load()
    from lotto.running.runner import Runner

    store.check_writable()
    check_spec(spec)
    check_heads(plan)
    if words := start_words(spec):
        progress.note(f"start: {words}")
    runner = Runner(plan, missing, store, spec.hardware, spec.engine, progress)
    runner.published = published
    runner.load_data()
    if spec.hardware.devices == 1:
        return runner.run(), runner.steps
    from lotto.training.ranks import joined

    with joined(spec.hardware) as runner.ranks:
        runner.ranks.gather()
        return runner.run(), runner.steps


def write_probes(spec: Spec, plan: Plan, store: Store, folder: Path) -> None:
    """``probes.csv`` beside ``results.csv``, where there is something to write."""
    from lotto.report.columns import write_rows

    if (table := _probes(spec, plan, store)) is not None:
        write_rows(table, folder / "probes.csv")


def _probes(spec: Spec, plan: Plan, store: Store) -> pd.DataFrame | None:
    """The rows of ``probes.csv``; None where nothing is probed."""
    if not plan.readings:
        return None
    from lotto.probes.table import probes_table

    table = probes_table(spec, plan, store)
    return table if len(table) else None


def _follow(spec: Spec, started: float) -> Outcome:
    """Take part in the run of the first process, and come to its table."""
    from lotto.running.loading import load

    load()
    from lotto.running.follower import follow

    follow(spec)
    table = results_table(spec, Plan.of(spec), Store(spec.store), ())
    return Outcome(table, None, (), (), 0, time.monotonic() - started)


def _export(table: pd.DataFrame, store: Store, folder: Path) -> tuple[Path, ...]:
    """The ticket file of the finding: the first replicate at the smallest density that matches, or the last level if none does."""
    from lotto.report.finding import find

    tickets = table[table["branch"] == "ticket"]
    if tickets.empty:
        return ()
    level = find(table).level
    row = tickets[tickets["level"] == (tickets["level"].max() if level is None else level)].iloc[0]
    path = folder / "tickets" / f"level{row['level']:02d}-replicate{row['replicate']}-{row['key'][:8]}.safetensors"
    if not path.exists():
        from lotto.tickets import from_store, save_ticket

        method = {name: row[name] for name in ("experiment", "method", "criterion", "branch")}
        save_ticket(
            from_store(store, row["key"], {**method, "level": int(row["level"]), "replicate": int(row["replicate"])}),
            path,
        )
    return (path,)


def _report(
    spec: Spec,
    table: pd.DataFrame,
    tickets: tuple[Path, ...],
    folder: Path,
    overrides: Sequence[str],
    steps: int,
    plan: Plan,
    seconds: float,
    anew: bool,
) -> Written:
    from lotto.report.beside import Beside
    from lotto.report.mask_distance import mask_distance_exhibit
    from lotto.report.meta import ReportMeta
    from lotto.report.write import write_report

    data = spec.data
    meta = ReportMeta(
        experiment=spec.name,
        command=" ".join(["lotto", *overrides]),
        overrides=tuple(overrides),
        data=f"{data.identity['name']}: {data.train:,} train, {data.validation:,} validation, {data.test:,} test"
        + (f"; {data.remark}" if data.remark else ""),
        versions=versions(),
        hardware=_hardware_words(spec),
        seed=spec.seed,
        replicates=spec.replicates,
        store=Path(spec.store),
        run_folder=folder,
        tickets=tickets,
        steps_run=steps,
        steps_total=plan.steps(list(plan.stages.values())),
        wall_seconds=seconds,
        start=start_words(spec),
        energy=_energy_words(spec, table),
    )
    store = Store(spec.store)
    shown = mask_distance_exhibit(table, store)
    beside = Beside(probes=_probes(spec, plan, store), exhibits=(shown,) if shown else ())
    try:
        return write_report(table, meta, folder, anew=anew, beside=beside)
    except OSError as reason:
        raise StageFailed(
            f"The report could not be written to {folder} ({reason.strerror}); the results are in {spec.store}: run again."
        ) from None


def _energy_words(spec: Spec, table: pd.DataFrame) -> str:
    from lotto.report.evidence import Evidence
    from lotto.report.page.cost import cost
    from lotto.report.page.costing import energy_words

    if "energy_kwh" not in table:
        return ""
    energy = spec.hardware.energy
    words = energy_words(cost(table, Evidence.read(table, Store(spec.store))))
    return words and f"{words}; PUE {energy.pue:g}, {energy.carbon_intensity:g} kg of CO2 for a kWh"


def start_words(spec: Spec) -> str:
    """What weights the networks begin with, and what replicates then have in common; empty where they are drawn."""
    if spec.start is None:
        return ""
    shared = "the replicates share these weights and differ in data order, augmentation and dropout alone"
    if spec.start.head == "fresh":
        shared = "the replicates share these weights but for a classifier that each draws anew"
    return f"{spec.start.words} (SHA-256 {spec.start.sha256[:16]}…){f'; {shared}' if spec.replicates > 1 else ''}"


def _hardware_words(spec: Spec) -> str:
    hardware = spec.hardware
    machine = f"{platform.machine()}, {os.cpu_count()} CPU cores"
    return f"{machine}, accelerator {hardware.accelerator}, precision {hardware.precision}"


def summary_line(plan: Plan, store: Store) -> str:
    """The contract's last line of ``lotto plan``."""
    missing = plan.missing(store.has, store.record)
    present = sum(map(store.has, plan.stages))
    return f"{len(plan.stages)} stages, {present} cached, {plan.steps(list(missing.values()))} training steps to run"


def describe(spec: Spec, plan: Plan, store: Store) -> Iterator[str]:
    """A table of the plan: for every level and branch the tickets stored of those planned, and the steps that the level costs."""
    missing = plan.missing(store.has, store.record)
    branches = ["ticket", *(control.name for control in spec.controls)]
    widths = [max(len(branch), 7) for branch in branches]
    yield (
        "level  "
        + "  ".join(f"{name:>{width}}" for name, width in zip(branches, widths, strict=True))
        + "  steps to run"
    )
    for level in range(spec.schedule.levels):
        entries = [entry for entry in plan.entries if entry.level == level]
        cells = []
        for branch, width in zip(branches, widths, strict=True):
            planned = [entry for entry in entries if entry.branch == branch]
            stored = sum(entry.trained.key not in missing for entry in planned)
            cells.append(f"{f'{stored}/{len(planned)}' if planned else '':>{width}}")
        steps = plan.steps([entry.trained for entry in entries if entry.trained.key in missing])
        yield f"{level:>5}  " + "  ".join(cells) + f"  {steps:>12,}"
