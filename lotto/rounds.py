"""How many rounds iterative pruning takes to as few weights as a search by several copies has left. Imports no torch.

What iterative pruning removes follows from counts alone, so it need not be trained to know: with a rate q it has (1 - q)^r of what it
prunes after r rounds. COLT's claim is to come there in fewer (Hossain et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.pruning.allocate import Layer, Rule, budgets, spent
from lotto.schedule import Geometric, Schedule
from lotto.sparsity import network_weights
from lotto.spec import Spec
from lotto.store import Store


def rounds_columns(spec: Spec, entry: Entry, store: Store) -> dict[str, int | None]:
    """``rounds_alone`` of a ticket that is an overlap, and ``rounds_saved``, how many more they are than its own; nothing for other rows.

    Where groups of weights go, how many that are is not known beforehand, and the columns are empty.
    """
    if entry.noted is None or entry.noted.kind != "overlap":
        return {}
    remaining = store.record(entry.trained.key)["result"]["weights_remaining"]
    found: dict[str, Sequence[Any]] = dict(network_weights(spec, store).layers)
    layers = [Layer(name, kind, total, total) for name, (kind, total) in found.items()]
    grouped = spec.structure.is_grouped
    alone = None if grouped else rounds_alone(remaining, layers, spec.rule, spec.schedule)
    return {"rounds_alone": alone, "rounds_saved": None if alone is None else alone - entry.level}


def rounds_alone(remaining: int, layers: Sequence[Layer], rule: Rule, schedule: Schedule) -> int | None:
    """The first round of iterative pruning after which at most ``remaining`` weights are left; None if there is none.

    Args:
        layers: of the dense network, those that are not pruned included.
        schedule: where it goes by a rate it goes on beyond its last level.
    """
    by_rate = isinstance(schedule, Geometric) and schedule.density is None
    left = list(layers)
    for level in count(1) if by_rate else range(1, schedule.levels):
        try:
            made = budgets(left, rule, schedule.target(level, level - 1))
        except BadRequest:  # nothing more can be removed
            return None
        left = spent(left, made)
        if sum(layer.alive for layer in left) <= remaining:
            return level
    return None
