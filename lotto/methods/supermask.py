"""Learned supermasks (Zhou et al. 2019, arXiv 1905.01067, §5): probabilities of keeping each weight are trained, the weights never.

Level 0 is the dense network, trained as ``train`` says, to compare with; level L is a search whose probabilities begin at
sigmoid(``bias[L - 1]``), of the weights at initialisation. The ticket is the thresholded mask, whose density the search decides;
``sampled`` are rows of masks drawn from the probabilities, ``samples`` of them, which the paper averages. In the paper weights are Glorot
normal or, in the best version, signed constants of a layer's standard deviation (``model.init.weights=signed_glorot``) with dynamic
weight rescaling; biases stay zero. What the gradient does with the rescaling is not stated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import flag, list_of, number, section, whole
from lotto.recipe import STILL, Recipe
from lotto.strong.planning import drawn_mask


def entries(
    recipe: Recipe,
    search: Mapping[str, Any],
    evaluate: Mapping[str, Any],
    bias: Sequence[float] = (0.0,),
    rescale: bool = True,
    samples: int = 10,
) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is searched from its own first probabilities.

    Args:
        search: settings in place of ``train``'s for the search.
        evaluate: the same for what is not trained: how many batches pass through it before it is read.
        bias: the first scores, level by level.
        rescale: dynamic weight rescaling.
        samples: masks to draw from the probabilities that are found.

    Raises:
        BadRequest: there are more levels than first scores.
    """
    first = [number("method.bias", value) for value in list_of("method.bias", bias)]
    if len(first) < recipe.levels - 1:
        raise BadRequest(
            f"schedule.levels={recipe.levels} asks for {recipe.levels - 1} searches, and method.bias={first} lists {len(first)}."
        )
    scaled, draws = flag("method.rescale", rescale), whole("method.samples", samples, 0)
    settings = recipe.settings("method.search", section("method.search", search, ()))
    passing = recipe.settings("method.evaluate", section("method.evaluate", evaluate, ()))
    yield recipe.dense_entry(recipe.dense())
    weights = recipe.rewinding_point()
    for level in range(1, recipe.levels):
        regimen = {"_target_": "lotto.strong.supermask.Supermask", "bias": first[level - 1], "rescale": scaled}
        found = recipe.searched(weights, regimen, settings)
        yield from recipe.entries(
            level,
            recipe.masked(weights, found),
            found,
            start=weights,
            train=lambda control: recipe.searched(control, STILL, passing),
            weights=weights,
        )
        for sample in range(draws):
            mask = drawn_mask(recipe, weights, found, sample, scaled)
            read = recipe.searched(mask, STILL, passing)
            yield Entry("sampled", level, recipe.replicate, sample, mask, read, found)
