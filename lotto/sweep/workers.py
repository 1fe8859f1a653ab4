"""A sweep shared by several processes: every worker takes what is free of the whole plan, through any of Hydra's launchers."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from lotto.errors import BadRequest, StageFailed
from lotto.report.aside import write_aside
from lotto.run_note import finish_note
from lotto.running.progress import make_progress
from lotto.store import Store
from lotto.sweep.definition import Sweep
from lotto.sweep.mirrored import mirrored
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.run import SweepOutcome, begin_sweep, report_sweep, sweep_table, train_sweep
from lotto.sweep.tell import failed_stages, told

_DEFAULT_LAUNCHER = "hydra/launcher=lotto_pool"


def workers_of(planned: PlannedSweep, flags: Sequence[str]) -> int | None:
    """How many processes are asked for; None where this one is to do it alone.

    Raises:
        BadRequest: it is no number, or a launcher is named and nothing says how many.
    """
    asked = [flag.partition("=")[2] for flag in flags if flag.startswith("--workers")]
    launcher = [override for override in planned.request if override.startswith("hydra/launcher=")]
    if not asked:
        if launcher:
            raise BadRequest(f"{launcher[0]} needs --workers=N: how many processes share the sweep.")
        return None
    if not asked[-1].isdecimal() or int(asked[-1]) < 1:
        raise BadRequest(f"--workers={asked[-1]} is not allowed: a whole number, 1 or more.")
    return int(asked[-1])


def run_with_workers(planned: PlannedSweep, workers: int, config_dir: str | None, stream: IO[str]) -> SweepOutcome:
    """Have ``workers`` processes run what is missing, then report."""
    from lotto.hydra_runs import run_hydra

    started = time.monotonic()
    store = Store(planned.spec.store)
    cached = begin_sweep(planned, store)
    before = planned.plan.steps(planned.plan.missing(store.has, store.record).values())
    request = planned.folder / "request.json"
    asked = {
        "sweep": str(planned.sweep.path),
        "axes": planned.sweep.axes,
        "overrides": list(planned.request),
        "config_dir": config_dir,
    }
    write_aside(request, json.dumps(asked).encode())

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    with mirrored(planned, store, say) as mirrors:  # by this process: the workers share every point
        if before:
            with told(planned, store, say):
                run_hydra(_worker_arguments(planned, workers, config_dir, request))
        missing = planned.plan.missing(store.has, store.record)
        table = sweep_table(planned, store, cached)
        written = report_sweep(planned, table, store) if len(table) else None
        mirrors.figures = written.figures if written else ()
    finish_note(planned.folder, cached)
    failed = failed_stages(planned.plan.stages, store)
    if missing and not failed:
        failed = (f"{len(missing)} stages are missing, for no worker ended that could make them.",)
    steps = before - planned.plan.steps(missing.values())
    return SweepOutcome(table, written, failed, steps, time.monotonic() - started)


def work(request: Path) -> None:
    """One worker: train what is free until nothing is missing.

    Raises:
        StageFailed: a stage failed.
    """
    asked = json.loads(request.read_text())
    axes = {axis: tuple(values) for axis, values in asked["axes"].items()}
    sweep = replace(Sweep.read(asked["sweep"]), axes=axes)
    planned = PlannedSweep.of(sweep, asked["overrides"], asked["config_dir"])
    store = Store(planned.spec.store)
    missing = planned.plan.missing(store.verify, store.record)
    failed, _ = train_sweep(planned, missing, store, make_progress()) if missing else ({}, 0)
    if failed:
        raise StageFailed(f"{len(failed)} stage(s) failed, the others are done: {next(iter(failed.values()))}")


def _worker_arguments(planned: PlannedSweep, workers: int, config_dir: str | None, request: Path) -> list[str]:
    """A multirun of as many equal jobs: the first point's configuration says what device a worker needs."""
    hydras = [override for override in planned.request if override.startswith("hydra") and ".run.dir=" not in override]
    if not any(override.startswith("hydra/launcher=") for override in hydras):
        hydras.append(_DEFAULT_LAUNCHER)
    if _DEFAULT_LAUNCHER in hydras and not any("launcher.slots=" in override for override in hydras):
        hydras.append(f"hydra.launcher.slots={workers}")
    return [
        "-m",
        *([f"--config-dir={config_dir}"] if config_dir else []),
        "hydra/hydra_logging=disabled",
        *hydras,
        *planned.points[0].point.overrides,
        f"+worker.request='{request.resolve()}'",
        f"+worker.number={','.join(map(str, range(workers)))}",
        f"hydra.sweep.dir='{planned.folder.resolve() / 'workers'}'",
        "hydra.sweep.subdir=${hydra.job.num}",
    ]
