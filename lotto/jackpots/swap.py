"""One update of a mask under the short restriction: which weights come in, and which go out for them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def swapped(scores: Tensor, kept: Tensor, restriction: float) -> Tensor:
    """The mask after one update (Zhang et al. 2021, §3.3).

    With t the k-th smallest score, k the number of pruned weights, those that are pruned and score above t would come in, those that are
    kept and score t or less would go out. Of c such pairs ``ceil(restriction * c)`` are exchanged: the highest scores come in, the lowest
    go out, of equal ones the first by index. Ties may leave more on one side than on the other: the lesser number counts.

    Args:
        scores: float, of any shape; compared as they are, with their sign.
        kept: bool, shaped alike.
        restriction: in [0, 1]; 1 exchanges every pair, towards 0 a single one is left.

    Returns:
        The new mask, with exactly as many weights as ``kept``.
    """
    flat, mask = scores.flatten(), kept.flatten().clone()
    pruned = int((~mask).sum())
    if pruned in (0, len(mask)):
        return kept.clone()
    threshold = flat.kthvalue(pruned).values
    comers, goers = _places(~mask & (flat > threshold)), _places(mask & (flat <= threshold))
    pairs = min(len(comers), len(goers))
    if pairs:
        count = max(1, min(pairs, math.ceil(restriction * pairs)))
        mask[comers[flat[comers].sort(descending=True, stable=True).indices[:count]]] = True
        mask[goers[flat[goers].sort(stable=True).indices[:count]]] = False
    return mask.view(kept.shape)


def _places(where: Tensor) -> Tensor:
    return where.nonzero().squeeze(1)


def _quartic(part: float) -> float:
    return (1 - part) ** 4


def _cosine(part: float) -> float:
    return (1 + math.cos(math.pi * part)) / 2


# Of the share of the search that is over, counted in whole epochs.
RESTRICTIONS: dict[str, Callable[[float], float]] = {
    "none": lambda part: 1.0,
    "quartic": _quartic,
    "cosine": _cosine,
    "one": lambda part: 0.0,
}


@torch.no_grad()
def scores_of(kept: Tensor, gap: float, dtype: torch.dtype) -> Tensor:
    """The scores that a search begins with: 1 for what is kept and 1 - ``gap`` for what is pruned."""
    return torch.where(kept, torch.ones((), dtype=dtype), torch.full((), 1 - gap, dtype=dtype))
