"""Runs and multiruns through Hydra: every point is checked before the first is trained."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf.errors import OmegaConfBaseException

from lotto.arguments import MULTIRUN, split
from lotto.errors import BadRequest, StageFailed
from lotto.running.devices import follows, refuse_in_sweep

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lotto.spec import Spec


def run_hydra(arguments: Sequence[str]) -> int:
    """``lotto run`` with these words, in this process; returns the exit status."""
    import hydra

    from lotto.api import compare_runs
    from lotto.compose import CONF, register_resolvers
    from lotto.launchers.driver import follow_driver
    from lotto.launchers.foreign import lost
    from lotto.launchers.job import Job
    from lotto.launchers.register import register_launchers
    from lotto.waypoints import keep_waypoints

    follow_driver()
    register_resolvers()
    register_launchers()
    overrides, config_dir, flags = split(arguments)
    folders: list[Path] = []
    if follows():
        overrides.append("hydra.output_subdir=null")  # the first process keeps Hydra's notes
    if set(flags) <= MULTIRUN:
        specs, folders = _checked_points(overrides, config_dir, sweeps=bool(flags))
        if flags and (name := keep_waypoints(specs)):
            overrides.append(f"+waypoints={name}")
        # Hydra takes overrides before its flags or behind them, not both.
        arguments = [*flags, *(["--config-dir", config_dir] if config_dir else []), *overrides]
    sys.argv = [sys.argv[0], *arguments]
    # Errors come to main, which answers them in a sentence.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    sweeps = bool(MULTIRUN.intersection(flags))
    job = Job(run_job, sweeps)
    try:
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(job)()
    except Exception as reason:
        if sentence := lost(reason):
            raise sentence from None
        raise
    if job.failures and not sweeps:
        raise job.failures[0]
    if sweeps:
        compare_runs(folders, sys.stdout)
    return max((getattr(reason, "exit_status", 1) for reason in job.failures), default=0)


def _checked_points(overrides: list[str], config_dir: str | None, sweeps: bool) -> tuple[list[Spec], list[Path]]:
    """What Hydra would refuse in paragraphs is refused here in a sentence, before it makes a folder.

    Returns:
        The points, and of a sweep the folders that their runs will have.
    """
    from lotto.compose import check_run_folder, composed, read_spec
    from lotto.launchers.register import runs_commands

    configs = [composed(point, config_dir) for point in (_points(overrides) if sweeps else [overrides])]
    specs = [read_spec(config) for config in configs]
    for config, spec in zip(configs, specs, strict=True):
        if sweeps and not runs_commands(config.hydra.launcher):
            refuse_in_sweep(spec.hardware.devices)
    for config in configs[:1]:
        check_run_folder(config, "sweep" if sweeps else "run")
    return specs, [_folder(config) for config in configs] if sweeps else []


def _folder(config: DictConfig) -> Path:
    """Where the job of a point writes, unless that is made of what Hydra knows only once it runs: then a folder that is not there."""
    try:
        return Path(config.hydra.sweep.dir, config.hydra.sweep.subdir)
    except OmegaConfBaseException:
        return Path()


def _points(overrides: list[str]) -> Iterator[list[str]]:
    """The points of a sweep, which are known beforehand unless a sweeper of another kind chooses them as it goes."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    if any(override.startswith("hydra/sweeper=") for override in overrides):
        return
    try:
        parsed = OverridesParser.create().parse_overrides(overrides)
    except OverrideParseException:
        yield overrides  # composing will say what cannot be read
        return
    for batch in BasicSweeper.split_arguments(parsed, None):
        yield from (list(point) for point in batch)


def run_job(config: DictConfig) -> None:
    """One job of Hydra's.

    Raises:
        LottoError: it is wrong, or a stage of it failed.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from lotto.api import run_composed

    if "worker" in config:  # of a sweep that several processes share
        from lotto.sweep.workers import work

        work(Path(config.worker.request))
        return
    job = HydraConfig.get()
    if job.mode == RunMode.MULTIRUN:  # of a sweeper that chooses its points as it goes
        refuse_in_sweep(config.hardware.get("devices", 1))
    asked = [override for override in job.overrides.task if not override.startswith("+waypoints=")]
    outcome = run_composed(config, Path(job.runtime.output_dir), asked, sys.stdout)
    if outcome.failed:
        raise StageFailed(f"{len(outcome.failed)} stage(s) failed, the others are done: {outcome.failed[0]}")


def plan_points(overrides: list[str], config_dir: str | None, estimates: bool) -> int:
    """The plan of a multirun: its points together."""
    from lotto.launchers.register import register_launchers
    from lotto.sweep.definition import Point, Shown, Sweep
    from lotto.sweep.planned import PlannedSweep
    from lotto.sweep.verb import print_plan

    register_launchers()
    made = list(_points(overrides))
    if not made:
        raise BadRequest("lotto plan -m cannot know the points of a hydra/sweeper that chooses them as it goes.")
    common = set(made[0]).intersection(*made)
    points = [
        Point(dict(override.split("=", 1) for override in point if override not in common), tuple(point))
        for point in made
    ]
    sweep = Sweep("-m", Path(), " ".join(overrides), (), {}, (), Shown("density", ()))
    return print_plan(PlannedSweep.of_points(sweep, points, config_dir=config_dir), estimates, sys.stdout)
