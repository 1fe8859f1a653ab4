"""WORM (Vasudev 2024): Early-Bird search that damps the gradients of the channels which the mask leaves out at the moment.

Each level has a search of its own, since the mask acts on its training. ``lotto/early_bird/worm.py`` has the equations. From the moment
when it is found the ticket trains on as an Early-Bird ticket; ``removes=weights`` prunes single weights instead, the smallest of every
layer, as the authors' scripts do. (Those go on without a mask, where pruned weights grow again, and are judged on the training split:
neither is done here.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lotto.early_bird.options import draw_options, prune_ratio, search_options, worm_options
from lotto.entry import Entry
from lotto.fields import choice, not_negative
from lotto.methods.early_bird import drawn, limit_of
from lotto.recipe import Recipe

SEARCH = "lotto.early_bird.worm.Worm"


def entries(
    recipe: Recipe,
    sparsity: float = 1e-4,
    epsilon: float = 0.1,
    num_masks: int = 5,
    longest: str | None = None,
    variant: str = "gated",
    gate: float = 0.15,
    least: float = 0.003,
    clip: float = 0.1,
    weights: str = "current",
    start_at: str = "found",
    branches: Sequence[str] = (),
    removes: str = "channels",
) -> Iterator[Entry]:
    """Level 0 is the dense network, trained as for other methods; level L keeps the share of channels (or weights) that the schedule says.

    Args:
        variant: how the damping chi follows the distances: ``gated``, ``gradclip`` or ``greedy``.
        gate: the mean distance below which chi falls to ``least`` for good (``gated``).
        clip: chi of ``gradclip``.
        removes: ``channels``, or ``weights``.
        sparsity, epsilon, num_masks, longest, weights, start_at, branches: as of ``early_bird``.
    """
    penalty = not_negative("method.sparsity", sparsity)
    watched = search_options(epsilon, num_masks) | worm_options(variant, gate, least, clip)
    options = draw_options(weights, start_at, branches)
    choice("method.removes", removes, ("channels", "weights"))
    stop = limit_of(recipe, longest)
    yield recipe.dense_entry(recipe.dense())
    for level in range(1, recipe.levels):
        ratio = prune_ratio(recipe.spec, level)
        source = recipe.dense_until(stop, {"_target_": SEARCH, "ratio": ratio, **watched}, penalty)
        moment = {"ratio": ratio, "step": None, "removes": removes}
        yield from drawn(recipe, level, source, moment, options, penalty)
