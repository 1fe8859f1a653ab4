"""From the words behind ``lotto bench`` to checked settings, and to the request that a contestant makes of lotto. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lotto.bench.cases import CASES, Evaluation
from lotto.bench.contestants import Contestant
from lotto.bench.settings import FIELDS, BenchSettings
from lotto.compose import CONF, composed, read_spec
from lotto.errors import BadRequest
from lotto.fields import near
from lotto.request.hardware import HardwareSpec
from lotto.spec import Spec

# Validation and test examples where evaluation is not to count: it happens before the first step and after the last even so.
FEW = 10
_SECTIONS = ("bench", "hardware", "engine")
_ALLOWED = f"{', '.join(f'bench.{field}' for field in FIELDS)}, hardware and engine"


@dataclass(frozen=True)
class BenchRequest:
    """What is measured, and where.

    Args:
        settings: the ``bench`` section.
        hardware: the ``hardware`` section.
        overrides: all that was asked for, as it was written.
    """

    settings: BenchSettings
    hardware: HardwareSpec
    overrides: tuple[str, ...]

    @classmethod
    def read(cls, overrides: Sequence[str]) -> BenchRequest:
        """Compose ``conf/bench.yaml`` and check it.

        Raises:
            BadRequest: an override names nothing, cannot be read or is out of its range.
        """
        config = _composed(overrides)
        for name in _SECTIONS:
            if name not in config:
                raise BadRequest(f"{name} is missing: give {name}=….")
        for name in (*(name for name in config if name not in _SECTIONS), *_of_hydra(overrides)):
            raise BadRequest(f"{name} is no setting of lotto bench: there are {_ALLOWED}.")
        hardware = HardwareSpec.read(config["hardware"])
        if hardware.devices != 1:
            raise BadRequest("lotto bench measures one process on one device: leave hardware.devices at 1.")
        return cls(BenchSettings.read(config["bench"]), hardware, tuple(overrides))

    @property
    def passed_on(self) -> list[str]:
        """The overrides that lotto's own runs are given as well: its hardware and its engine."""
        return [override for override in self.overrides if _name(override).partition(".")[0] != "bench"]

    def spec(self, contestant: Contestant, steps: int, store: Path) -> Spec:
        """What lotto is asked for in the place of ``contestant``; the plain loop does the same work by hand."""
        case = CASES[contestant.model]
        # An evaluation grid that ends behind the last step has no point within the training.
        evaluation = contestant.evaluation or Evaluation(FEW, steps + 1)
        overrides = [
            f"experiment={case.experiment}",
            *_data(case.train, evaluation.examples),
            *_tickets(contestant.density),
            "controls=[]",
            f"replicates={contestant.replicates}",
            f"train.steps={steps}it",
            f"train.evaluate_every={evaluation.every}it",
            f"store='{store}'",
            *self.passed_on,
        ]
        return read_spec(composed(overrides))


def _data(train: int, held: int) -> list[str]:
    """Made-up images in the place of the experiment's own, of the same size and treated alike."""
    return [
        "data._target_=lotto.bench.data.MadeUp",
        "data.name=made_up",
        f"data.examples={{train:{train + held},test:{FEW}}}",
        f"data.validation={held}",
        "~data.root",
        "~data.download",
    ]


def _tickets(density: float) -> list[str]:
    """The dense network, or one ticket that needs no training to be found."""
    if density == 1:
        return ["schedule.levels=1"]
    return [
        "method._target_=lotto.bench.method.entries",
        "method.name=prune_at_init",
        "method.iterative=false",
        "schedule=densities",
        f"schedule.densities=[{density}]",
        "schedule.levels=2",
    ]


def _composed(overrides: Sequence[str]) -> dict[str, Any]:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3", job_name="lotto"):
            config = OmegaConf.to_container(compose("bench", list(overrides)), resolve=True)
    except (HydraException, OmegaConfBaseException, ValueError) as reason:
        raise BadRequest(_sentence(reason)) from None
    assert isinstance(config, dict)
    return {str(name): value for name, value in config.items()}


def _sentence(reason: Exception) -> str:
    """What Hydra says, in one sentence that names the override and what is near it."""
    text = str(reason)
    if isinstance(reason, MissingConfigException) and reason.missing_cfg_file:
        group, _, name = str(reason.missing_cfg_file).rpartition("/")
        options = list(reason.options or ())
        return f"{group}={name} is unknown{near(name, options) or '.'} There are {', '.join(options) or 'no options'}."
    if found := re.search(r"Could not override '([^']+)'", text):
        path = found[1].split("@")[0]
        hint = near(path, [f"bench.{field}" for field in FIELDS]) or f": there are {_ALLOWED}."
        return f"{path} is no setting of lotto bench{hint}"
    if found := re.search(r"Ambiguous value for argument '([^']+)'", text):
        return f"{found[1]} gives several values: write a list as [a,b]."
    if isinstance(reason, OverrideParseException):
        return f"'{reason.override}' cannot be read as an override: write name=value, lists as [a,b]."
    return f"The configuration of lotto bench cannot be composed: {text.splitlines()[0]}"


def _of_hydra(overrides: Sequence[str]) -> Iterator[str]:
    """Hydra's own settings, which would change nothing here."""
    return (_name(override) for override in overrides if _name(override).partition(".")[0] == "hydra")


def _name(override: str) -> str:
    """What an override sets."""
    return override.lstrip("+~").partition("=")[0].partition("@")[0]
