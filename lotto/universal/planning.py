"""The stages of tickets that are constructed, and never trained. Imports no torch."""

from __future__ import annotations

from lotto.recipe import Recipe
from lotto.stage import Stage


def construct(recipe: Recipe, candidates: int, solver: str) -> Stage:
    """The ticket of the initialisation that computes the model's target from so many candidates for each weight."""
    fields = {**recipe.network(), **recipe.streams, "candidates": candidates, "solver": solver}
    return Stage("construct", fields, {"weights": recipe.init()})


def approximate(recipe: Recipe, start: Stage) -> Stage:
    """How far a network that is not trained is from its target, at the points that the data are."""
    fields = {**recipe.network(), **recipe.streams, "points": dict(recipe.spec.data.identity)}
    return Stage("approximate", fields, {"start": start})
