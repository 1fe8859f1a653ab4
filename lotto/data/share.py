"""A batch that several processes compute together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """What one process has of every batch: one of ``count`` runs of rows, as equal as can be."""

    rank: int
    count: int

    def rows(self, length: int, first: int = 0) -> slice:
        """The positions that are this share's, of ``length`` from ``first`` on."""
        return slice(first + self.rank * length // self.count, first + (self.rank + 1) * length // self.count)
