"""The stage of a mask that is drawn from probabilities. Imports no torch."""

from __future__ import annotations

from lotto.recipe import Recipe
from lotto.stage import Stage


def drawn_mask(recipe: Recipe, weights: Stage, found: Stage, sample: int, rescale: bool) -> Stage:
    """A ticket whose mask is drawn from the probabilities that a search has ``found``, of the ``weights`` that it was made for."""
    fields = {**recipe.streams, "sample": sample, "rescale": rescale}
    return Stage("sample", fields, {"weights": weights, "found": found})
