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

    def whole(self, like: Tensor) -> Tensor:
        """The labels of all weights, in the shape of ``like``."""
        first = self.labels.view(*self.labels.shape, *[1] * (like.dim() - 2))
        return first.expand(like.shape)


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
        found = torch.zeros(self.size, dtype=torch.int64)
        for part in self.parts:
            labels = part.whole(mask[part.weight])[mask[part.weight]]
            found += torch.bincount(labels + 1, minlength=self.size + 1)[1:]
        return found

    def alive(self, mask: Mapping[str, Tensor]) -> Tensor:
        """The groups of which a weight remains: bool ``[size]``."""
        return self.weights(mask) > 0

    def pooled(self, scores: Mapping[str, Tensor], mask: Mapping[str, Tensor], pool: str) -> Tensor:
        """One score for every group, of its scored weights that remain: float64 ``[size]``.

        Args:
            pool: ``mean`` or ``sum``.
        """
        total, count = torch.zeros(self.size, dtype=torch.float64), torch.zeros(self.size, dtype=torch.float64)
        for part in self.parts:
            if part.scored:
                kept = mask[part.weight]
                labels = part.whole(kept)[kept] + 1
                own = scores[part.weight].cpu()[kept].double()
                total += torch.bincount(labels, own, self.size + 1)[1:]
                count += torch.bincount(labels, minlength=self.size + 1)[1:]
        return total / count.clamp_min(1) if pool == "mean" else total

    def prune(self, mask: dict[str, Tensor], kept: Tensor) -> None:
        """Take the groups out of ``mask`` that are not kept, bool ``[size]``; its tensors are replaced, not written to."""
        for part in self.parts:
            with_none = torch.cat([kept.new_ones(1), kept])
            mask[part.weight] = mask[part.weight] & with_none[part.labels + 1].view(
                *part.labels.shape, *[1] * (mask[part.weight].dim() - 2)
            )
