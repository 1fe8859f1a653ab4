"""The words of a command: overrides, folders of configuration, flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lotto.errors import BadRequest

MULTIRUN = frozenset({"-m", "--multirun"})


def is_overriding(argument: str) -> bool:
    """Whether a word is one of Hydra's, and so no verb and no name."""
    return "=" in argument or argument.startswith(("-", "+", "~"))


def split(arguments: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Overrides, the value of ``--config-dir``, and Hydra's other flags."""
    overrides: list[str] = []
    flags: list[str] = []
    config_dir = None
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, _, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            config_dir = value or (rest.pop(0) if rest else "")
            if not Path(config_dir).is_dir():
                raise BadRequest(f"--config-dir={config_dir} is not a folder.")
        elif argument.startswith("-"):
            flags.append(argument)
        else:
            overrides.append(argument)
    return overrides, config_dir, flags
