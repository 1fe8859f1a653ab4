"""The words of a command: overrides, folders of configuration, flags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from lotto.errors import BadRequest

MULTIRUN = frozenset({"-m", "--multirun"})


def is_overriding(argument: str) -> bool:
    """Whether a word is one of Hydra's, and so no verb and no name."""
    return "=" in argument or argument.startswith(("-", "+", "~"))


def split(arguments: Sequence[str], valued: Collection[str] = ()) -> tuple[list[str], str | None, list[str]]:
    """Overrides, the value of ``--config-dir``, and other flags.

    Args:
        valued: flags whose value may follow as a word of its own; it is given back as ``--flag=value``.
    """
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
        elif argument in valued and rest and not is_overriding(rest[0]):
            flags.append(f"{argument}={rest.pop(0)}")
        elif argument.startswith("-"):
            flags.append(argument)
        else:
            overrides.append(argument)
    return overrides, config_dir, flags
