"""Groups of weights that are pruned at once, in families that are alike: the channels of a layer, the tiles of a weight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """What a family's groups have of one weight.

    Args:
        weight: the parameter's name.
        labels: int64 ``[outputs, 1]``, ``[1, inputs]`` or ``[outputs, inputs]``: the group that weights at this place of the first two
            dimensions belong to, -1 for none.
        scored: whether these weights' scores count for the group.
    """

    weight: str
    labels: Tensor
    scored: bool = True

    def totals(self, numbers: Tensor, size: int) -> Tensor:
        """The sum over the weights of each of ``size`` groups of one number for every weight: float64 ``[size]``."""
        summed = numbers.flatten(2).sum(2, dtype=torch.float64) if numbers.dim() > 2 else numbers.double()
        for dim, places in enumerate(self.labels.shape):
            if places == 1:
                summed = summed.sum(dim, keepdim=True)
        return torch.bincount(self.labels.flatten() + 1, summed.flatten(), size + 1)[1:]


@dataclass(frozen=True)
class Family:
    """Groups 0 to ``size`` - 1.

    Args:
        name: of the weight that stands for them where layers are told apart, in exclusions and rates.
        kind: of that weight.
    """

    name: str
    kind: str
    size: int
    parts: tuple[Part, ...]

    def weights(self, mask: Mapping[str, Tensor]) -> Tensor:
        """How many weights of each group remain: int64 ``[size]``."""
        found = torch.zeros(self.size, dtype=torch.float64)
        for part in self.parts:
            found += part.totals(mask[part.weight], self.size)
        return found.long()

    def alive(self, mask: Mapping[str, Tensor]) -> Tensor:
        """The groups of which a weight remains: bool ``[size]``."""
        return self.weights(mask) > 0

    def pooled(self, scores: Mapping[str, Tensor], mask: Mapping[str, Tensor], pool: str) -> Tensor:
        """One score for every group, of its scored weights that remain: float64 ``[size]``, rounded to 41 bits.

        Args:
            pool: ``mean`` or ``sum``.
        """
        total, count = torch.zeros(self.size, dtype=torch.float64), torch.zeros(self.size, dtype=torch.float64)
        for part in self.parts:
            if part.scored:
                kept = mask[part.weight]
                total += part.totals(scores[part.weight].cpu().masked_fill(~kept, 0.0), self.size)
                count += part.totals(kept, self.size)
        return _rounded(total / count.clamp_min(1) if pool == "mean" else total)

    def prune(self, mask: dict[str, Tensor], kept: Tensor) -> None:
        """Take the groups out of ``mask`` that are not kept, bool ``[size]``; its tensors are replaced, not written to."""
        for part in self.parts:
            with_none = torch.cat([kept.new_ones(1), kept])
            mask[part.weight] = mask[part.weight] & with_none[part.labels + 1].view(
                *part.labels.shape, *[1] * (mask[part.weight].dim() - 2)
            )


def _rounded(sums: Tensor) -> Tensor:
    """The upper 41 of 53 bits (Veltkamp 1968): groups of equal weights tie, whatever their sizes and the order of summation."""
    product = sums * (2**12 + 1)
    upper = product - (product - sums)
    return torch.where(upper.isfinite(), upper, sums)
