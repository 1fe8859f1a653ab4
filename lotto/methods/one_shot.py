"""One-shot pruning (Frankle & Carbin 2019, §2 and Fig 4c): every level's mask comes from the trained dense network, in one step.

With ``at`` the mask is taken from an earlier step of that training, as where tickets are to be compared that the network holds while it
memorises and after it has generalised (Minegishi et al., arXiv 2310.19470); the weights are those of the rewinding point all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(recipe: Recipe, at: str | int | None = None) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is pruned once, to the density of L rounds, by the dense network at step ``at``."""
    dense = recipe.dense()
    scored = recipe.earlier(dense, at, "method.at")
    yield recipe.dense_entry(dense)
    for level in range(1, recipe.levels):
        mask = recipe.prune(scored, None, level, since=0)
        ticket = recipe.rewind(scored, mask)
        yield from recipe.entries(level, ticket, recipe.train(ticket))
