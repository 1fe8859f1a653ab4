"""SET, sparse evolutionary training: the smallest weights go, others grow at random (Mocanu et al. 2018, arXiv 1707.04780).

A random mask of the wanted density is trained; after every epoch each layer drops the part ``fraction`` of its weights that is
smallest in size and grows as many, drawn uniformly from where there is none. The paper's zeta is 0.3 and constant, its masks are
Erdős-Rényi (``prune.allocation=er``), and it drops the smallest positive and the largest negative weights, half of each; here sizes are
compared without their sign, as its successors do. The paper draws new weights at random; here they are zero. How many grow is
exact: ports that grow each place with a probability drift in density.
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
    """Level 0 is the dense network; level L is trained at L's density from beginning to end, its mask moving at random."""
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
