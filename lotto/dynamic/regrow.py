"""One update of one layer's mask: the smallest weights go, as many others come. Exact counts, ties broken by index."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lotto.pruning.select import keep_highest

# From the places where a weight may grow, bool ``[n]``, and their number to grow, to the places where one does.
Growth = Callable[[Tensor, int], Tensor]


def regrown(weight: Tensor, kept: Tensor, count: int, growth: Growth) -> Tensor:
    """The layer's next mask: the ``count`` smallest \\|w\\| of what remains are dropped, and ``count`` places grow.

    A place that was just dropped may grow again, as in the code of RigL; its part then does not change.

    Args:
        weight: of any shape; zero where nothing remains.
        kept: what remains, bool, shaped like it.
        count: at most the number of weights that remain.

    Returns:
        bool, shaped like the weight, with as many true entries as ``kept``.
    """
    flat = kept.flatten()
    size = _comparable(weight.detach().abs().flatten())
    survivors = keep_highest(size, flat, int(flat.sum()) - count)
    return (survivors | growth(~survivors, count)).view(kept.shape)


def by_size(values: Tensor) -> Growth:
    """RigL: where the gradient of the effective weight is largest, \\|dL/dw\\|."""
    size = _comparable(values.detach().abs().flatten())
    return lambda places, count: keep_highest(size, places, count)


def at_random(generator: torch.Generator) -> Growth:
    """SET: uniformly, without replacement."""
    return lambda places, count: drawn(places, count, generator)


def never_active_first(ever: Tensor, generator: torch.Generator) -> Growth:
    """ITOP: uniformly among places that never held a weight; among the others once those are used up.

    Args:
        ever: which places ever did, bool.
    """
    fired = ever.flatten()

    def growth(places: Tensor, count: int) -> Tensor:
        fresh = places & ~fired
        first = min(count, int(fresh.sum()))
        return drawn(fresh, first, generator) | drawn(places & fired, count - first, generator)

    return growth


def drawn(places: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """``count`` of the places, bool ``[n]``, each subset of that size as likely as any other. The generator is on the CPU."""
    where = places.nonzero().squeeze(1)
    chosen = torch.randperm(len(where), generator=generator)[:count].to(where.device)
    grown = torch.zeros_like(places)
    grown[where[chosen]] = True
    return grown


def _comparable(values: Tensor) -> Tensor:
    """A replicate that has diverged must not end the fit of those beside it: what is no number counts as zero."""
    return values.nan_to_num(nan=0.0, posinf=torch.inf, neginf=-torch.inf)
