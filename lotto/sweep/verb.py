"""``lotto sweep``: the names, the plan, the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING

from lotto.errors import BadRequest, StageFailed
from lotto.store import Store
from lotto.sweep.definition import Sweep, names
from lotto.sweep.planned import PlannedSweep

if TYPE_CHECKING:
    from lotto.sweep.run import SweepOutcome

_FLAGS = ("--plan", "--no-estimate", "--workers")


def sweep(
    arguments: Sequence[str], overrides: Sequence[str], flags: Sequence[str], config_dir: str | None, stream: IO[str]
) -> int:
    """Run what the words behind ``lotto sweep`` ask for.

    Args:
        arguments: the names of sweeps, one at most; without one the sweeps that there are are listed.

    Raises:
        BadRequest: there is no such sweep or flag, or a point is wrong.
        StageFailed: a stage failed; everything else is done and reported.
    """
    for flag in flags:
        if flag.partition("=")[0] not in _FLAGS:
            raise BadRequest(f"lotto sweep does not take {flag}: only {', '.join(_FLAGS)}, --config-dir and overrides.")
    if not arguments:
        for name in names():
            print(f"{name:<28} {Sweep.read(name).title}", file=stream)
        return 0
    if len(arguments) > 1:
        raise BadRequest(f"lotto sweep takes one sweep, not {' and '.join(arguments)}.")
    planned = PlannedSweep.of(Sweep.read(arguments[0]), overrides, config_dir)
    if "--plan" in flags:
        return print_plan(planned, "--no-estimate" not in flags, stream)
    return _run(planned, flags, config_dir, stream)


def print_plan(planned: PlannedSweep, estimates: bool, stream: IO[str]) -> int:
    """Stages, what points share, and hours by the number of devices."""
    from lotto.experiment import summary_line
    from lotto.sweep.hours import hours_line

    store = Store(planned.spec.store)
    for line in planned.describe(store):
        print(line, file=stream)
    stream.flush()  # a calibration takes seconds
    if estimates and (hours := hours_line(planned, store)):
        print(hours, file=stream)
    print(summary_line(planned.plan, store), file=stream)
    return 0


def run_planned(planned: PlannedSweep, flags: Sequence[str], config_dir: str | None, stream: IO[str]) -> SweepOutcome:
    """Say what is planned, and run it: in this process, or in as many as ``--workers`` says."""
    from lotto.running.progress import make_progress
    from lotto.sweep.run import run_sweep
    from lotto.sweep.workers import run_with_workers, workers_of

    for line in planned.describe(Store(planned.spec.store)):
        print(line, file=stream)
    stream.flush()
    workers = workers_of(planned, flags)
    if workers is None:
        return run_sweep(planned, make_progress(stream))
    return run_with_workers(planned, workers, config_dir, stream)


def _run(planned: PlannedSweep, flags: Sequence[str], config_dir: str | None, stream: IO[str]) -> int:
    outcome = run_planned(planned, flags, config_dir, stream)
    if outcome.written:
        from lotto.sweep.report import print_sweep

        print_sweep(planned, outcome.written, stream)
        for path in (outcome.written.csv, outcome.written.markdown, outcome.written.html, *outcome.written.figures[:1]):
            print(f"{path}", file=stream)
    print(f"{outcome.steps:,} training steps run in {outcome.seconds:.0f} s", file=stream, flush=True)
    if outcome.failed:
        raise StageFailed(
            f"{len(outcome.failed)} stage(s) failed, the others are done, the same command tries them again: {outcome.failed[0]}"
        )
    return 0
