"""WORM for transformers (Vasudev 2024): the mask is over query and key weights, and the search damps those that it leaves out.

``lotto/early_bird/attention.py`` has the equations. The ticket keeps the largest weights of every prunable layer at the moment when the
mask has settled, as the authors' scripts do, and trains on from there; the packed projections of ``torch.nn.MultiheadAttention`` are no
layer of lotto's and stay whole.
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.early_bird.options import draw_options, prune_ratio, search_options
from lotto.entry import Entry
from lotto.fields import fraction
from lotto.methods.early_bird import drawn, limit_of
from lotto.recipe import Recipe

SEARCH = "lotto.early_bird.attention.WormAttention"


def entries(
    recipe: Recipe,
    epsilon: float = 0.01,
    num_masks: int = 3,
    longest: str | None = None,
    gate: float = 0.015,
    least: float = 0.01,
    weights: str = "current",
    start_at: str = "found",
) -> Iterator[Entry]:
    """Level 0 is the dense network, trained as for other methods; level L keeps the share of weights that the schedule says.

    Args:
        gate: the mean distance below which chi falls to ``least`` for good.
        epsilon, num_masks, longest, weights, start_at: as of ``early_bird``.
    """
    watched = search_options(epsilon, num_masks)
    damped = {"gate": fraction("method.gate", gate), "least": fraction("method.least", least)}
    options, stop = draw_options(weights, start_at, ()), limit_of(recipe, longest)
    yield recipe.dense_entry(recipe.dense())
    for level in range(1, recipe.levels):
        ratio = prune_ratio(recipe.spec, level)
        source = recipe.dense_until(stop, {"_target_": SEARCH, "ratio": ratio, **watched, **damped})
        yield from drawn(recipe, level, source, {"ratio": ratio, "step": None, "removes": "weights"}, options, 0.0)
