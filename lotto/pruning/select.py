"""Exactly-k selection: which weights remain, given their scores."""

from __future__ import annotations

import torch
from torch import Tensor

from lotto.errors import LottoError


def keep_highest(scores: Tensor, alive: Tensor, count: int) -> Tensor:
    """Keep exactly ``count`` of the alive weights, those of the highest score; of equal scores the first by index.

    Args:
        scores: float ``[n]``; only those of alive weights are looked at.
        alive: bool ``[n]``.
        count: 0 to the number of alive weights.

    Returns:
        bool ``[n]`` with exactly ``count`` true entries, a subset of ``alive``.

    Raises:
        LottoError: a score is not a number, or fewer than ``count`` weights are alive.
    """
    places = alive.nonzero().squeeze(1)
    # Wider than float32 is left as it is: what only float64 can tell apart, or hold, must not become equal here.
    candidates = scores[places] if scores.dtype == torch.float64 else scores[places].to(torch.float32)
    if count > len(places):
        raise LottoError(f"{count} weights cannot be kept where {len(places)} remain.")
    if torch.isnan(candidates).any():
        raise LottoError("A criterion gave scores that are not numbers.")
    kept = torch.zeros_like(alive)
    if count == 0:
        return kept
    threshold = candidates.kthvalue(len(places) - count + 1).values
    above = candidates > threshold
    tied = (candidates == threshold).nonzero().squeeze(1)[: count - int(above.sum())]
    kept[places[above]] = True
    kept[places[tied]] = True
    return kept
