"""What a report shows beside the table of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lotto.report.columns import cell


@dataclass(frozen=True)
class Beside:
    """Numbers that are not in ``results.csv``.

    Args:
        probes: the frame of ``probes.csv``: ``experiment, method, criterion, branch, replicate, level, density, sample, probe, measure,
            layer, pair, x, value, key``, one number a row; ``layer`` and ``pair`` are empty and ``x`` is NaN where they do not apply.
        claims: of a paper, each with ``figure``, ``claim``, ``unit``, ``published`` (text), ``mark`` (``read``, ``computed``,
            ``from memory`` or ``plotted``), ``measured``, ``sd``, ``low``, ``high`` (numbers or None; the ends of the 95% interval), ``n``,
            ``difference``, ``verdict``, ``reason``, ``rule`` and ``tolerance``.
        differs: sentences on how data and scale differ from the paper's.
    """

    probes: pd.DataFrame | None = None
    claims: Sequence[Mapping[str, Any]] = ()
    differs: Sequence[str] = ()

    def words(self) -> str:
        """All of it as one text, the same for the same numbers."""
        probed = "" if self.probes is None else self.probes.map(cell).to_csv(index=False)
        return "\n".join((probed, *(repr(sorted(claim.items())) for claim in self.claims), *self.differs))


NOTHING = Beside()
