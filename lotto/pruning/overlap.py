"""What several copies of a network have in common: the weights that all of them keep (Hossain et al. 2022, COLT)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor

from lotto.mask import Mask
from lotto.pruning.select import keep_highest


def overlap(masks: Sequence[Mask]) -> Mask:
    """The intersection of all masks, in whatever order they are given."""
    return reduce(Mask.__and__, masks)


def with_floor(common: Mask, masks: Sequence[Mask], before: Mask, sizes: Mapping[str, Tensor], floor: int) -> Mask:
    """``common`` with ``floor`` weights in every layer that would have fewer, or as many as the layer had before.

    Those come back that most copies keep, and of these the largest.

    Args:
        common: the overlap of ``masks``.
        before: what remained before the copies were pruned.
        sizes: how large every weight is in the copies together, non-negative floats shaped like the masks.
    """
    made = dict(common)
    for name, kept in common.items():
        least = min(floor, int(before[name].sum()))
        if int(kept.sum()) < least:
            votes = torch.stack([mask[name] for mask in masks]).sum(0, dtype=torch.float32)
            # A size decides among weights with as many votes, and never between a vote more and a vote less.
            rank = votes + sizes[name] / (2 * sizes[name].max().clamp(min=torch.finfo(torch.float32).tiny))
            made[name] = keep_highest(rank.flatten(), before[name].flatten(), least).view_as(kept)
    return Mask(made)


def overlap_numbers(common: Mask, masks: Sequence[Mask], before: Mask, pruned: Collection[str]) -> dict[str, float]:
    """How far the copies agree, over the layers ``pruned`` that they are pruned in.

    Returns:
        ``overlap_survival``, the fraction of what remained before that is in ``common``: with P copies that each remove a fraction q it
        lies between max(0, 1 - P q), where no two remove the same, and 1 - q, where all do; at random it is (1 - q)^P.
        ``overlap_iou``, the weights that all copies keep over those that any copy keeps.
    """

    def count(mask: Mask) -> int:
        return sum(kept for name, kept in mask.counts().items() if name in pruned)

    union = count(reduce(Mask.__or__, masks))
    remained = count(before)
    return {
        "overlap_survival": count(common) / remained if remained else 1.0,
        "overlap_iou": count(overlap(masks)) / union if union else 1.0,
    }
