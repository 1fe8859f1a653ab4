"""Iterative magnitude pruning, and iterative pruning by any other criterion (Frankle & Carbin 2019, §2, strategy 1).

Train, prune a part of what remains, rewind the survivors, and again: the mask of a level comes from the trained ticket of the level
before, or with ``at`` from that ticket at an earlier step of its training. What rewinding means is the ``rewind`` section's choice.
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(recipe: Recipe, at: str | int | None = None) -> Iterator[Entry]:
    """Level 0 is the dense network; level L has been pruned L times."""
    trained, mask = recipe.dense(), None
    yield recipe.dense_entry(trained)
    for level in range(1, recipe.levels):
        scored = recipe.earlier(trained, at, "method.at")
        mask = recipe.prune(scored, mask, level, since=level - 1)
        ticket = recipe.rewind(scored, mask)
        trained = recipe.train(ticket)
        yield from recipe.entries(level, ticket, trained)
