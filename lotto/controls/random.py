"""Random sparsity: neither the ticket's mask nor its weights (Frankle & Carbin 2019, Fig 1 and App. E).

The paper does not say whether counts are matched by layer; they are here, as in its follow-up.
"""

from __future__ import annotations

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """A random mask with the ticket's number of weights in every layer, and new weights; of a structured ticket, of its groups."""
    return Start(origin.fresh(origin.number("random/weights")), origin.shuffled(origin.generator("random/mask")))
