"""RigL: sparse training whose mask follows the gradient (Evci et al. 2020, Rigging the Lottery, arXiv 1911.11134, Alg. 1).

A random mask of the wanted density is trained; at every update each layer drops its floor(f_t K) smallest weights of K and grows as many
where the dense gradient of the loss is largest, with f_t = alpha / 2 (1 + cos(pi t / T_end)). Settings of the paper: an update every 100
steps, alpha 0.3, T_end at 25,000 of 32,000 steps (78%), Erdős-Rényi-Kernel densities or uniform ones with the first layer dense
(``prune.exclude``). ITOP (Liu et al. 2021, arXiv 2102.02887) is the same with a larger interval, ``fraction`` 0.5 falling to 0.005, and
updates to the end. Not stated in the paper and taken from its code: the first update is at step 0, an update takes the place of the
optimizer's step, and a weight that is dropped and grown at once keeps its value. (That code leaves f_t constant unless its flag is set; the
cosine is the paper's.)
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.dynamic.planning import moving_mask, moving_regimen
from lotto.entry import Entry
from lotto.recipe import Recipe


def entries(
    recipe: Recipe,
    *,
    every: object,
    begin: object,
    end: object,
    fraction: object,
    decay: object,
    least: object,
    growth: object,
    replaces_step: object,
    beside: object,
) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is trained at L's density from beginning to end, its mask moving by gradients."""
    regimen = moving_regimen(
        recipe,
        every=every,
        begin=begin,
        end=end,
        fraction=fraction,
        decay=decay,
        least=least,
        growth=growth,
        replaces_step=replaces_step,
    )
    yield from moving_mask(recipe, regimen, beside)
