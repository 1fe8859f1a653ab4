"""``lotto bench`` from a checked request to the printed table."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

import torch

from lotto.bench.bench_json import as_json
from lotto.bench.contestants import Contestant, contestants_of
from lotto.bench.machine import machine_facts, training_device
from lotto.bench.measurement import Measurement
from lotto.bench.ours import measure_lotto
from lotto.bench.request import BenchRequest
from lotto.bench.results import BenchResults
from lotto.bench.rounds import LEAST_STEPS, in_rounds, steps_for
from lotto.bench.start import TRIES, seconds_to_first_step
from lotto.bench.summary import Block
from lotto.bench.tables import print_results
from lotto.bench.theirs import measure_plain
from lotto.errors import BadRequest, StageFailed
from lotto.models.build import skeleton
from lotto.pruning.allocate import budgets
from lotto.pruning.prune import layers_in
from lotto.report.aside import write_aside
from lotto.writable import check_writable

Say = Callable[[str], None]


def bench(request: BenchRequest, out: IO[str], err: IO[str]) -> BenchResults:
    """Measure what ``request`` asks for, print the table to ``out`` and write ``bench.json``; ``err`` hears how far it is.

    Raises:
        BadRequest: something about the request shows only now; nothing was measured.
        StageFailed: a training failed.
    """
    device = training_device(request.hardware)
    check_writable("bench.dir", request.settings.folder)
    for model in request.settings.models:
        _check_density(model, request)

    def say(line: str) -> None:
        print(line, file=err, flush=True)

    with TemporaryDirectory(prefix="lotto-bench-") as folder:
        results = _measured(request, Path(folder), device, say)
    path = write_aside(request.settings.folder / "bench.json", json.dumps(as_json(results), indent=1).encode())
    print_results(results, out)
    print(f"\nbench.json  {path}", file=out, flush=True)
    return results


def _measured(request: BenchRequest, folder: Path, device: torch.device, say: Say) -> BenchResults:
    settings, spec = request.settings, cache(request.spec)

    def train(contestant: Contestant, steps: int) -> Measurement:
        # What training starts from is made once a model; what it comes to is never kept.
        measure = measure_plain if contestant.loop == "plain" else measure_lotto
        try:
            return measure(spec(contestant, steps, folder / contestant.model), device)
        except StageFailed as reason:
            raise StageFailed(f"{contestant}: {reason}") from None

    start = _starts(request, folder, say) if settings.start else ()
    # Of all models before the first round: what lotto refuses is heard of early.
    steps = {model: _steps(model, request, train, say) for model in settings.models}
    blocks = tuple(Block(model, in_rounds(settings.rounds, steps[model], train, say)) for model in settings.models)
    command = " ".join(["lotto", "bench", *request.overrides])
    return BenchResults(command, settings, machine_facts(request.hardware, device), blocks, start)


def _starts(request: BenchRequest, folder: Path, say: Say) -> tuple[float, ...]:
    found = []
    for number in range(TRIES):
        found.append(seconds_to_first_step(folder / f"start{number}", request.passed_on))
        say(f"process start to first training step: {found[-1]:.1f} s")
    return tuple(found)


def _steps(
    model: str, request: BenchRequest, train: Callable[[Contestant, int], Measurement], say: Say
) -> dict[Contestant, int]:
    steps = {}
    for contestant in contestants_of(model, request.settings):
        unit = contestant.evaluation.every if contestant.evaluation else 1
        steps[contestant] = steps_for(request.settings.seconds, partial(train, contestant), unit)
        say(f"{contestant}: {steps[contestant]:,} steps a round")
    return steps


def _check_density(model: str, request: BenchRequest) -> None:
    """Counts follow from arithmetic, so a density that cannot be reached is found before anything is trained."""
    density = request.settings.density
    spec = request.spec(Contestant(model, "lotto", 1, density), LEAST_STEPS, Path("outputs"))
    network = skeleton(spec.model, spec.data.input_shape, spec.data.classes)
    try:
        budgets(layers_in(network), spec.rule, spec.schedule.target(1, 0))
    except BadRequest as reason:
        raise BadRequest(f"bench.density={density} cannot be reached with {model}: {reason}") from None
