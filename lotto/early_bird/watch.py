"""The queue of masks that tells when a mask has settled."""

from __future__ import annotations

from collections import deque

from torch import Tensor

from lotto.early_bird.distance import distance


class Watch:
    """The last few masks, and how far the newest lies from each of the others.

    Args:
        epsilon: a distance above this is a move.
        length: how many masks the queue holds.
    """

    def __init__(self, epsilon: float = 0.1, length: int = 5) -> None:
        self._epsilon = epsilon
        self.masks: deque[Tensor] = deque(maxlen=length)
        self.distances: tuple[float, ...] = ()

    def push(self, mask: Tensor) -> None:
        """The mask of another epoch, bool ``[C]``; where the queue is full the oldest one falls out."""
        self.masks.append(mask)
        if self.full:
            *older, newest = self.masks
            self.distances = tuple(distance(newest, other) for other in reversed(older))

    @property
    def full(self) -> bool:
        return len(self.masks) == self.masks.maxlen

    @property
    def settled(self) -> bool:
        """Whether the newest mask lies within epsilon of all others in a full queue."""
        return self.full and max(self.distances) <= self._epsilon

    @property
    def mean(self) -> float:
        """The mean of the distances, each of which counts as 1 until there is one."""
        return sum(self.distances) / len(self.distances) if self.distances else 1.0
