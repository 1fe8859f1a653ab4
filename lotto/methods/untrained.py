"""Supermasks of trained networks (Zhou et al. 2019, arXiv 1905.01067, §2 to §4): masks that make initial weights accurate untrained.

The dense network is trained and pruned once by ``prune``, with criteria that see the weights before and after: ``magnitude`` (large
final), ``large_final_same_sign``, ``magnitude_increase``, ``movement``, ``large_init``, ``random``. The mask is applied to the weights of
the rewinding point, at initialisation in the paper, and the network is read without training. The controls are read likewise:
``signed_constant`` has the same mask on sign(w) times a layer's standard deviation, ``reinit`` fresh weights, ``shuffle`` another mask.
Rates per layer are those of ``prune.rate`` to the power of the level; biases are never masked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lotto.entry import Entry
from lotto.fields import section
from lotto.recipe import STILL, Recipe


def entries(recipe: Recipe, search: Mapping[str, Any]) -> Iterator[Entry]:
    """Level 0 is the trained dense network; level L its mask of L rounds on untrained weights.

    Args:
        search: settings in place of ``train``'s: how many batches pass through a network before it is read, which moves nothing but
            the statistics of batch normalisation.
    """
    passing = recipe.settings("method.search", section("method.search", search, ()))
    dense, weights = recipe.dense(), recipe.rewinding_point()
    yield recipe.dense_entry(dense)
    for level in range(1, recipe.levels):
        ticket = recipe.masked(weights, recipe.prune(dense, None, level, since=0))
        read = recipe.searched(ticket, STILL, passing)
        yield from recipe.entries(
            level, ticket, read, train=lambda control: recipe.searched(control, STILL, passing), weights=weights
        )
