"""The stage of a network drawn in the middle of a training. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lotto.recipe import Recipe
from lotto.stage import Stage


def drawn_network(recipe: Recipe, source: Stage, level: int, fields: Mapping[str, Any]) -> Stage:
    """The network in the middle of a training, less its least channels (``lotto.early_bird``).

    Args:
        source: the training; its artifact holds the moment that a search found, or ends with it (``step``).
        fields: ``ratio``, ``step``, ``weights``, ``channels`` and ``removes``.
    """
    parents = {"source": source}
    if fields["weights"] == "rewound":
        parents["weights"] = recipe.rewinding_point()
    return Stage("draw", {**recipe.network(), **recipe.streams, "level": level, **fields}, parents)
