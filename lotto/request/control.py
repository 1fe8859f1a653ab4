"""One entry of the ``controls`` section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lotto.fields import flag, levels_of, section, whole


@dataclass(frozen=True)
class ControlSpec:
    """A control by name.

    Args:
        config: the function that makes it (``_target_``) and its options.
        samples: how many are drawn per ticket.
        needs_weights: whether it starts from the unpruned weights of the rewinding point.
        levels: those at which it is made; None for all.
        needs_scores: whether it is made of the mask that keeps the lowest scores.
    """

    name: str
    config: Mapping[str, Any]
    samples: int
    needs_weights: bool
    levels: tuple[int, ...] | None = None
    needs_scores: bool = False

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any]) -> ControlSpec:
        config = section(f"controls.{name}", config, ("_target_", "needs_weights"))
        return cls(
            name=name,
            samples=whole(f"controls.{name}.samples", config.pop("samples", 1), 1),
            needs_weights=flag(f"controls.{name}.needs_weights", config.pop("needs_weights")),
            levels=levels_of(f"controls.{name}.levels", config.pop("levels", None)),
            needs_scores=flag(f"controls.{name}.needs_scores", config.pop("needs_scores", False)),
            config=config,
        )

    def at(self, level: int) -> bool:
        """Whether the tickets of ``level`` have this control."""
        return self.levels is None or level in self.levels
