"""Pruning before training: every level's mask comes from the weights that its ticket is trained from.

With ``rewind.at=0`` these are the weights at initialisation (Lee et al. 2019; Wang et al. 2020; Tanaka et al. 2020); with a later step
the network is trained so far, pruned there and trained on, as in the study of Frankle et al. 2021, §6. No dense network is trained but
for level 0, which tickets are compared with.
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(recipe: Recipe) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is pruned once, to the density of L rounds, before its training."""
    yield recipe.dense_entry(recipe.dense())
    for level in range(1, recipe.levels):
        start = recipe.rewinding_point()
        mask = recipe.prune(start, None, level, since=0)
        ticket = recipe.rewind(start, mask)
        yield from recipe.entries(level, ticket, recipe.train(ticket))
