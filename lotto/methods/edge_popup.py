"""Edge-popup (Ramanujan et al. 2020, arXiv 1911.13299): a mask of a random network, found by training scores; no weight is trained.

Level 0 is the dense network, trained as ``train`` says, to compare with; level L is a search at the schedule's density, from the weights
at initialisation. ``prune`` says how many weights each layer keeps (in the paper the same share k in every layer:
``allocation=uniform``), and nothing else of it counts. In the paper weights are signed constants of +-sqrt(2 / (fan_in k))
(``model.init.weights=signed_constant``, ``model.init.scale`` of 1 / sqrt(k)) or Kaiming normal, biases are none (here zero, and never
trained) and batch normalisation is not affine (here 1 and 0, and never trained). Controls take the same weights or fresh ones and are not
trained either: ``shuffle`` is a random mask of the same layers' densities. The scores' initial values are those of the authors' code,
whose ``prune_rate`` is the share that is kept in the forward pass and the share that is pruned where weights are scaled, alike at 0.5 only:
here it is the share that is kept, k, in both. k n is rounded to the nearest whole number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lotto.entry import Entry
from lotto.fields import section
from lotto.recipe import STILL, Recipe

REGIMEN = {"_target_": "lotto.strong.edge_popup.EdgePopup"}


def entries(recipe: Recipe, search: Mapping[str, Any], evaluate: Mapping[str, Any]) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is searched at the schedule's density.

    Args:
        search: settings in place of ``train``'s for the search.
        evaluate: the same for what is not trained: how many batches pass through it before it is read, which batch normalisation needs.
    """
    settings = recipe.settings("method.search", section("method.search", search, ()))
    passing = recipe.settings("method.evaluate", section("method.evaluate", evaluate, ()))
    yield recipe.dense_entry(recipe.dense())
    weights = recipe.rewinding_point()
    for level in range(1, recipe.levels):
        start = recipe.whole(weights, recipe.prune(weights, None, level, since=0))
        found = recipe.searched(start, REGIMEN, settings)
        yield from recipe.entries(
            level,
            recipe.masked(weights, found),
            found,
            start=start,
            train=lambda control: recipe.searched(control, STILL, passing),
            weights=weights,
        )
