"""From the configuration's ``logger`` section to mirrors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lotto.compose import imported
from lotto.errors import BadRequest
from lotto.fields import near, section
from lotto.mirrors.follow import Mirrors
from lotto.mirrors.mirror import Mirror
from lotto.mirrors.wandb_agent import WandbAgentRun, under_agent
from lotto.mirrors.wandb_runs import WandbRuns
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.store import Store


def open_mirrors(
    loggers: Mapping[str, Any], spec: Spec, plan: Plan, store: Store, folder: Path, note: Callable[[str], None]
) -> Mirrors:
    """Mirrors of ``spec`` for a run in ``folder``.

    Raises:
        BadRequest: one lacks what it needs; nothing has been mirrored yet.
    """
    mirrors = make(loggers, folder)
    for mirror in mirrors.values():
        mirror.check()
    if under_agent():
        for name, mirror in list(mirrors.items()):
            if isinstance(mirror, WandbRuns):
                mirrors[f"{name}, wandb agent"] = WandbAgentRun(folder, mirror.mode)
    return Mirrors(mirrors, spec, plan, store, note)


def make(loggers: Mapping[str, Any], folder: Path) -> dict[str, Mirror]:
    """What the ``logger`` section names, by name, not yet begun.

    Raises:
        BadRequest: a setting is unknown or out of its range.
    """
    made: dict[str, Mirror] = {}
    for name, config in loggers.items():
        options = section(f"logger.{name}", config, ("_target_",))
        target = imported(f"logger.{name}._target_", options.pop("_target_"))
        known = tuple(option for option in inspect.signature(target).parameters if option != "folder")
        for option, value in options.items():
            if option not in known:
                raise BadRequest(
                    f"logger.{name}.{option}={value} is no setting of logger.{name}{near(option, known) or '.'}"
                )
        made[name] = target(folder=folder, **options)
    return made
