"""Which channels of a network are one: two that are added can only stay or go together."""

from __future__ import annotations

import torch
from torch import Tensor


class Units:
    """Numbered units; a channel of a value carries the number of one, and units that are joined are one from then on.

    Some are fixed: what cannot be followed reads them, or the network's users do.
    """

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._fixed: set[int] = set()

    def new(self, count: int) -> Tensor:
        """``count`` fresh units: int64 ``[count]``."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return torch.arange(first, first + count)

    def join(self, one: Tensor, other: Tensor) -> None:
        """Channel by channel, the units of two vectors of equal length are one."""
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            low, high = sorted((self._root(a), self._root(b)))
            self._parent[high] = low

    def fix(self, ids: Tensor) -> None:
        """These stay whatever their values are."""
        self._fixed.update(ids.tolist())

    def roots(self, ids: Tensor) -> Tensor:
        """One number for all units that were joined, for every channel."""
        return torch.tensor([self._root(number) for number in ids.tolist()], dtype=torch.int64)

    def fixed(self) -> Tensor:
        """bool ``[units]``, by root: whether any of those that are one is fixed."""
        found = torch.zeros(len(self._parent), dtype=torch.bool)
        for number in self._fixed:
            found[self._root(number)] = True
        return found

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number
