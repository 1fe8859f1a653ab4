"""One experiment from its spec to its report: plan, run what is missing, read everything back from the store."""

from __future__ import annotations

import inspect
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lotto.compose import imported
from lotto.errors import BadRequest, StageFailed
from lotto.mirrors.mirror import Files
from lotto.mirrors.opening import open_mirrors
from lotto.plan import Plan
from lotto.pruning.allocate import Layer, forecast
from lotto.report.aside import write_aside
from lotto.results import results_table
from lotto.spec import Spec
from lotto.stage import Stage, canonical, stack_name
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


_NOTE = "run.json"


def run_experiment(spec: Spec, folder: Path, overrides: Sequence[str], progress: Progress) -> Outcome:
    """Run what is not stored yet of ``spec`` and write the report into ``folder``.

    Raises:
        BadRequest: something about the request is wrong; nothing has been trained.
    """
    started = time.monotonic()
    _check_hardware(spec)
    store = Store(spec.store)
    plan = Plan.of(spec)
    missing = plan.missing(store.verify)
    mirrors = open_mirrors(spec.loggers, spec, plan, store, folder, progress.note)
    cached = _begin(folder, [entry.trained.key for entry in plan.entries if entry.trained.key not in missing])
    written: Written | None = None
    tickets: tuple[Path, ...] = ()
    with mirrors.following():
        failed, steps = _run(spec, plan, missing, store, progress, mirrors.published) if missing else ({}, 0)
        _tidy(plan, store)
        table = results_table(spec, plan, store, cached)
        if len(table):
            tickets = _export(table, store, folder)
            seconds = time.monotonic() - started
            written = _report(spec, table, tickets, folder, overrides, steps, plan, seconds, steps > 0)
        mirrors.finish(Files(written.figures if written else (), tickets))
    _finish(folder, cached)
    return Outcome(table, written, tickets, tuple(failed.values()), steps, time.monotonic() - started)


def report_experiment(spec: Spec, folder: Path, overrides: Sequence[str]) -> Outcome:
    """Write the report of a run anew, from what is stored.

    Raises:
        BadRequest: nothing of it is stored.
    """
    store, plan = Store(spec.store), Plan.of(spec)
    table = results_table(spec, plan, store, _noted(folder))
    if not len(table):
        raise BadRequest(f"store={spec.store} holds no result of the run in {folder}: run it first.")
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
    _check_functions(spec)
    _check_levels(spec)
    runner = Runner(
        plan, missing, store, {canonical(spec.data.identity): spec.data_config}, spec.hardware, spec.engine, progress
    )
    runner.published = published
    runner.load_data()
    return runner.run(), runner.steps


def _tidy(plan: Plan, store: Store) -> None:
    """Remove unfinished work of killed runs that nothing will go on from: whole artifacts lie in its place."""
    store.discard_abandoned()
    trained = [key for key, stage in plan.stages.items() if stage.kind == "train" and store.has(key)]
    for company in {tuple(store.record(key).get("stack", ())) for key in trained}:
        if all(store.has(key) for key in company):
            store.discard(stack_name(company))


def _check_hardware(spec: Spec) -> None:
    if spec.hardware.accelerator != "gpu":
        return
    from lotto.running.loading import collector_paused

    with collector_paused():
        import torch

    if not torch.cuda.is_available():
        raise BadRequest("hardware=gpu asks for a GPU, and PyTorch finds none here: choose hardware=cpu or auto.")


def _check_functions(spec: Spec) -> None:
    """An option that the criterion or a control does not take would else be found only after the dense network is trained."""
    functions = {
        "train.optimizer": spec.train.optimizer,
        "prune.criterion": spec.criterion,
        **{f"controls.{made.name}": made.config for made in spec.controls},
    }
    for field, config in functions.items():
        options = dict(config)
        function = imported(f"{field}._target_", options.pop("_target_"))
        try:
            inspect.signature(function).bind_partial(None, **options)
        except (TypeError, ValueError) as reason:
            raise BadRequest(f"{field} cannot be set up: {config['_target_']} has {reason}.") from None


def _check_levels(spec: Spec) -> None:
    """Counts follow from arithmetic, so a level that cannot be reached is found before anything is trained."""
    from lotto.models.anatomy import counts, kinds
    from lotto.models.build import skeleton

    model = skeleton(spec.model, spec.data.input_shape, spec.data.classes)
    kind = kinds(model)
    layers = [Layer(name, kind[name], count, count) for name, count in counts(model).items()]
    if spec.schedule.levels > 1:
        forecast(layers, spec.rule, spec.schedule, spec.iterative)


def _noted(folder: Path) -> list[str]:
    """The rows that were stored before the run of this folder began."""
    try:
        return list(json.loads((folder / _NOTE).read_text())["cached"])
    except (OSError, ValueError, KeyError):
        return []


def _begin(folder: Path, cached: list[str]) -> list[str]:
    """Note which rows were stored before the run began; a run that was killed and is started again keeps the first note."""
    try:
        earlier = json.loads((folder / _NOTE).read_text())
        if not earlier["finished"]:
            return [key for key in earlier["cached"] if key in set(cached)]
    except (OSError, ValueError, KeyError):
        pass
    _write_note(folder, cached, finished=False)
    return cached


def _finish(folder: Path, cached: Sequence[str]) -> None:
    _write_note(folder, cached, finished=True)


def _write_note(folder: Path, cached: Sequence[str], finished: bool) -> None:
    try:
        write_aside(folder / _NOTE, json.dumps({"cached": list(cached), "finished": finished}, indent=1).encode())
    except OSError as reason:
        raise BadRequest(
            f"hydra.run.dir={folder} cannot be written to ({reason.strerror}): name a folder that can."
        ) from None


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
    from lotto.report.meta import ReportMeta
    from lotto.report.write import write_report

    data = spec.data
    meta = ReportMeta(
        experiment=spec.name,
        command=" ".join(["lotto", *overrides]),
        overrides=tuple(overrides),
        data=f"{data.identity['name']}: {data.train:,} train, {data.validation:,} validation, {data.test:,} test",
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
    )
    try:
        return write_report(table, meta, folder, anew=anew)
    except OSError as reason:
        raise StageFailed(
            f"The report could not be written to {folder} ({reason.strerror}); the results are in {spec.store}: run again."
        ) from None


def _hardware_words(spec: Spec) -> str:
    hardware = spec.hardware
    machine = f"{platform.machine()}, {os.cpu_count()} CPU cores"
    return f"{machine}, accelerator {hardware.accelerator}, precision {hardware.precision}"


def summary_line(plan: Plan, store: Store) -> str:
    """The contract's last line of ``lotto plan``."""
    missing = plan.missing(store.has)
    present = sum(map(store.has, plan.stages))
    return f"{len(plan.stages)} stages, {present} cached, {plan.steps(list(missing.values()))} training steps to run"


def describe(spec: Spec, plan: Plan, store: Store) -> Iterator[str]:
    """A table of the plan: for every level and branch the tickets stored of those planned, and the steps that the level costs."""
    missing = plan.missing(store.has)
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
