"""Sparse tickets without a training before them: magnitudes at initialisation are pruned, and nothing but the ticket is trained."""

from __future__ import annotations

from collections.abc import Iterator

from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(recipe: Recipe, **of_the_experiment: object) -> Iterator[Entry]:
    """Level 1 alone, pruned once from the weights that it starts from; options of the experiment's own method have no say."""
    dense = recipe.init()
    ticket = recipe.rewind(dense, recipe.prune(dense, None, 1, since=0))
    trained = recipe.train(ticket)
    yield Entry("ticket", 1, recipe.replicate, 0, ticket, trained, trained)
