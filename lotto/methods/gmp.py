"""Gradual magnitude pruning: a dense network is thinned out while it trains (Zhu & Gupta 2017, arXiv 1710.01878).

From ``begin`` (t_0) to ``end`` (t_1) the sparsity rises as s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (t_1 - t_0))^3, eq. 1, and the
mask is made anew by |w| every ``every`` steps; then it stays. The paper prunes every layer to the same sparsity
(``prune.allocation=uniform``), others all layers together (``global``). In the paper's code pruned weights keep their last value and
may come back (``allow_regrow``); ports set them to zero, as here by default. The paper gives t_0, t_1 and the interval by experiment: the
defaults are those of the CIFAR-10 study that reproduced RigL, in shares of training (t_0 0.8%, t_1 75%, every 100 steps).
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.dynamic.planning import gradual_regimen
from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(
    recipe: Recipe, *, every: object, begin: object, end: object, initial: object, allow_regrow: object
) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is trained from its weights at the rewinding point, pruned to L's density on the way."""
    yield recipe.dense_entry(recipe.dense())
    start = recipe.dense_point()
    for level in range(1, recipe.levels):
        regimen = gradual_regimen(
            recipe, level, every=every, begin=begin, end=end, initial=initial, allow_regrow=allow_regrow
        )
        trained = recipe.train(start, regimen=regimen)
        yield from recipe.entries(level, recipe.rewind(trained, trained), trained, start=start)
