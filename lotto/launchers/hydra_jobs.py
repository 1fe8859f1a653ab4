"""From the jobs that Hydra's sweeper asks for to commands, and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus, filter_overrides, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict

from lotto.launchers.command import Command

# What is about the sweep, and not about a job of it.
_OF_THE_SWEEP = ("hydra.launcher", "hydra/launcher", "hydra.sweep", "hydra/sweep", "hydra.run.", "hydra.mode")


def commands_of(context: HydraContext, config: DictConfig, jobs: Sequence[Sequence[str]], first: int) -> list[Command]:
    """Every job as the single run that it is: in the folder that Hydra gives it, with its number.

    Args:
        config: of the sweep.
        jobs: their overrides.
        first: number of the first of them.
    """
    setup_globals()
    Path(str(config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
    shared = set(jobs[0]).intersection(*map(set, jobs)) if len(jobs) > 1 else set()
    asked = OmegaConf.to_container(config.hydra.overrides.hydra, resolve=False)  # as it was written
    kept = [str(override) for override in asked or () if not str(override).startswith(_OF_THE_SWEEP)]
    made = []
    for number, overrides in enumerate(jobs, first):
        identity = {"num": number, "id": f"{config.hydra.job.name}_{number}"}
        folder = _folder(context, config, overrides, identity)
        arguments = (
            "run",
            *(f"--config-dir={path}" for path in _config_dirs(config)),
            *kept,
            *overrides,
            *(f"hydra.job.{name}={value}" for name, value in identity.items()),
            f"hydra.run.dir={QuotedString(str(folder), Quote.single).with_quotes()}",
        )
        title = " ".join(override for override in filter_overrides(overrides) if override not in shared)
        made.append(Command(number, title, arguments, folder))
    return made


def nothing_returned(overrides: Sequence[str]) -> JobReturn:
    """What Hydra is told of a job, well ended or not."""
    told = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    told.return_value = None
    return told


def _folder(context: HydraContext, config: DictConfig, overrides: Sequence[str], identity: dict[str, object]) -> Path:
    composed = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(composed):
        composed.hydra.job.update(identity)
    own = HydraConfig.instance()
    before, own.cfg = own.cfg, None
    try:
        own.set_config(composed)  # ${hydra:…} asks it
        return Path(
            OmegaConf.select(composed, "hydra.sweep.dir"), str(OmegaConf.select(composed, "hydra.sweep.subdir"))
        )
    finally:
        own.cfg = before


def _config_dirs(config: DictConfig) -> list[str]:
    sources = config.hydra.runtime.config_sources
    return [os.fspath(source.path) for source in sources if source.provider == "command-line"]
