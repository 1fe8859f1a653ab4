"""One-shot pruning (Frankle & Carbin 2019, §2 and Fig 4c): every level's mask comes from the trained dense network, in one step."""

from __future__ import annotations

from collections.abc import Iterator

from lotto.recipe import Entry, Recipe


def entries(recipe: Recipe) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is pruned once, to the density of L rounds."""
    dense = recipe.dense()
    yield recipe.dense_entry(dense)
    for level in range(1, recipe.levels):
        mask = recipe.prune(dense, None, level, since=0)
        ticket = recipe.rewind(dense, mask)
        yield from recipe.entries(level, ticket, recipe.train(ticket))
