"""What lotto does in a contestant's place: the way of every run, from a request over its plan to what the store holds."""

from __future__ import annotations

import shutil
from typing import Any

import torch

from lotto.bench.measurement import Measurement
from lotto.bench.memory import PeakMemory
from lotto.errors import StageFailed
from lotto.plan import Plan
from lotto.running.progress import QuietProgress
from lotto.running.runner import Runner
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.store import Store


def measure_lotto(spec: Spec, device: torch.device) -> Measurement:
    """Train what ``spec`` asks for. Where training starts from may be stored; what it comes to is removed, so that it can be repeated."""
    plan, store = Plan.of(spec), Store(spec.store)
    make_starts(spec, plan, store)
    trainings = [entry.trained for entry in plan.entries]
    runner = _runner(spec, plan, store, trainings)
    runner.load_data()
    memory = PeakMemory(device)
    memory.reset()
    _run(runner)
    peak = memory.peak()
    records = [store.record(stage.key) for stage in trainings]
    _require_trained(records, runner.steps, spec)
    for stage in trainings:
        shutil.rmtree(store.folder(stage.key))
    fits = {tuple(record["stack"]): record for record in records}  # replicates of one fit share its time
    return Measurement(
        spec.replicates,
        spec.train.steps,
        seconds=sum(record["result"]["wall_seconds"] for record in fits.values()),
        peak_memory=peak,
        engine=_all(records, "engine"),
        device=_all(records, "device"),
        first_step=sum(record["times"]["first_step"] - record["times"]["started"] for record in fits.values()),
    )


def make_starts(spec: Spec, plan: Plan, store: Store) -> None:
    """Make what training starts from, where it is not stored yet."""
    cheap = [stage for stage in plan.stages.values() if stage.kind != "train" and not store.has(stage.key)]
    if cheap:
        _run(_runner(spec, plan, store, cheap))


def _runner(spec: Spec, plan: Plan, store: Store, stages: list[Stage]) -> Runner:
    missing = {stage.key: stage for stage in stages}
    return Runner(plan, missing, store, spec.hardware, spec.engine, QuietProgress())


def _run(runner: Runner) -> None:
    for key, sentence in runner.run().items():
        # The traceback that the sentence names is in a store that will not be there any more.
        raise StageFailed(sentence.removesuffix(f" ({runner.store.root / 'failed' / key}.json)"))


def _require_trained(records: list[dict[str, Any]], run: int, spec: Spec) -> None:
    """A figure of steps that were not taken would be worse than none."""
    asked = spec.replicates * spec.train.steps
    noted = sum(record["result"]["train_steps"] for record in records)
    if not run == noted == asked:
        raise StageFailed(f"{asked:,} steps were asked for; {run:,} were run and {noted:,} noted: nothing is reported.")


def _all(records: list[dict[str, Any]], field: str) -> str:
    return "/".join(sorted({record[field] for record in records}))
