"""What an allocation is given and what it makes."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("dense", "conv", "output", "shortcut")


@dataclass(frozen=True)
class Layer:
    """Counts of one prunable tensor; ``kind`` is one of ``KINDS``.

    Args:
        shape: the tensor's, for allocations that look at it.
    """

    name: str
    kind: str
    total: int
    alive: int
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Budget:
    """Layers that are pruned together and the number of weights they keep between them."""

    names: tuple[str, ...]
    keep: int
