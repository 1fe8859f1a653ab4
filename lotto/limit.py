"""Where a search ends before its last level: how far it comes is known only once a ticket has been found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lotto.errors import BadRequest
from lotto.pruning.allocate import Layer, Rule, budgets
from lotto.schedule import Target
from lotto.stage import Stage


@dataclass(frozen=True, eq=False)
class Limit:
    """Levels behind ``ticket`` are looked for unless it is sparse enough, or nothing more can be removed from it.

    Args:
        ticket: an artifact with a mask.
        density: of all prunable weights, below or at which a ticket is sparse enough; None if none is.
        rule: by which the next level is pruned.
        target: what the next level would be pruned to.
        layers: the prunable tensors of the network that is pruned, all of their weights alive.
        before: the limit of the level before, which ends this one as well.
    """

    ticket: Stage
    density: float | None
    rule: Rule
    target: Target
    layers: Callable[[], list[Layer]]
    before: Limit | None = None

    def reached(self, has: Callable[[str], bool], record: Callable[[str], Mapping[str, Any]]) -> bool:
        """Whether the search has ended here or before, as far as is stored."""
        if self.before is not None and self.before.reached(has, record):
            return True
        if not has(self.ticket.key):
            return False
        found = record(self.ticket.key)["result"]
        if self.density is not None and found["weights_remaining"] <= self.density * found["weights_total"]:
            return True
        kept = found["layers"]
        alive = [replace(layer, alive=kept[layer.name][0]) for layer in self.layers() if layer.name in kept]
        try:
            budgets(alive, self.rule, self.target)
        except BadRequest:
            return True
        return False
