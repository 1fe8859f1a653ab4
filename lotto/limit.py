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

    def ends_here(self, record: Mapping[str, Any]) -> bool:
        """Whether this ticket is the last, by its record."""
        found = record["result"]
        if self.density is not None and found["weights_remaining"] <= self.density * found["weights_total"]:
            return True
        kept = found["layers"]
        alive = [replace(layer, alive=kept[layer.name][0]) for layer in self.layers() if layer.name in kept]
        try:
            budgets(alive, self.rule, self.target)
        except BadRequest:
            return True
        return False


class Ends:
    """Which searches have ended, as far as is stored. All rows of a level ask, and all levels behind it: every limit is looked at once."""

    def __init__(self, has: Callable[[str], bool], record: Callable[[str], Mapping[str, Any]]) -> None:
        self._has, self._record = has, record
        self._known: dict[Limit, bool] = {}

    def reached(self, limit: Limit) -> bool:
        """Whether the search has ended there or before."""
        if limit not in self._known:
            before = limit.before is not None and self.reached(limit.before)
            stored = not before and self._has(limit.ticket.key)
            self._known[limit] = before or (stored and limit.ends_here(self._record(limit.ticket.key)))
        return self._known[limit]
