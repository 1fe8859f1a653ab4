"""Lottery jackpots (Zhang, Lin, Chao et al. 2021, arXiv 2104.08700; TPAMI 2023): a mask of the trained network, found without training it.

The dense network is trained, or comes from a checkpoint. A level's search begins with the mask that ``prune`` makes of it (in the paper
global magnitude, the classifier left whole) and exchanges weights by trained scores; no weight moves. The ticket is the mask it ends
with, on the trained weights. Level L is searched anew from the dense network.

Rows besides the ticket's: ``first`` is the mask that the search began with, its batch-normalisation statistics brought up to date by as
many batches; ``finetuned``, if asked for, trains the ticket's weights. Controls are made of the ticket's mask and the trained weights, and
likewise not trained: a shuffled mask on the same weights, or its mask on fresh ones.

Not stated in the paper: the restriction's ratio over time, how the dense networks were trained, and the widths of its ResNet-32; how
scores begin is taken from its code. The newest of the authors' CIFAR drivers builds the network anew once it has loaded the weights and
found the layers' rates, and so would search in random ones; here rates, masks and search are all of the one trained network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice, flag, positive, section, whole
from lotto.recipe import STILL, Recipe

RESTRICTIONS = ("none", "quartic", "cosine", "one")


def entries(
    recipe: Recipe,
    search: Mapping[str, Any],
    restriction: str = "none",
    gap: float = 0.01,
    every: int = 1,
    trained: bool = False,
    finetune: Mapping[str, Any] | None = None,
) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is searched at the schedule's density.

    Args:
        search: settings in place of ``train``'s for the search.
        restriction: of the exchange of weights (``lotto.jackpots.search.Search``).
        gap: between the first scores of kept and pruned weights.
        every: steps between two exchanges.
        trained: whether the start is a trained network already, as a checkpoint is; else the dense network is trained first.
        finetune: settings for training the ticket's weights afterwards; null for not.
    """
    if not 0 < positive("method.gap", gap) < 1:
        raise BadRequest(f"method.gap={gap} must be less than 1.")
    regimen = {
        "_target_": "lotto.jackpots.search.Search",
        "restriction": choice("method.restriction", restriction, RESTRICTIONS),
        "gap": gap,
        "every": whole("method.every", every, 1),
    }
    settings = recipe.settings("method.search", section("method.search", search, ()))
    dense = recipe.init() if flag("method.trained", trained) else recipe.dense()
    again = None if finetune is None else recipe.settings("method.finetune", section("method.finetune", finetune, ()))
    yield recipe.dense_entry(recipe.searched(dense, STILL, settings) if trained else dense)
    for level in range(1, recipe.levels):
        mask = recipe.prune(dense, None, level, since=0)
        found = recipe.searched(recipe.whole(dense, mask), regimen, settings)
        ticket = recipe.masked(dense, found)
        yield from recipe.entries(
            level,
            ticket,
            found,
            start=recipe.whole(dense, mask),
            train=lambda start: recipe.searched(start, STILL, settings),
            weights=dense,
        )
        first = recipe.masked(dense, mask)
        yield Entry("first", level, recipe.replicate, 0, first, recipe.searched(first, STILL, settings), found)
        if again is not None:
            yield Entry("finetuned", level, recipe.replicate, 0, ticket, recipe.searched(ticket, None, again), found)
