"""What a report shows beside the table of results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from lotto.report.columns import cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Exhibit:
    """A figure with what is to be said about it, for a method that finds more than a table shows.

    Args:
        name: of its files, and its address in the page.
        short: its title in the index.
    """

    name: str
    short: str
    title: str
    sentences: tuple[str, ...]
    figure: Figure


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
        exhibits: what the method shows besides.
    """

    probes: pd.DataFrame | None = None
    claims: Sequence[Mapping[str, Any]] = ()
    differs: Sequence[str] = ()
    exhibits: Sequence[Exhibit] = ()

    def words(self) -> str:
        """All of it as one text, the same for the same numbers."""
        probed = "" if self.probes is None else self.probes.map(cell).to_csv(index=False)
        shown = (sentence for exhibit in self.exhibits for sentence in (exhibit.title, *exhibit.sentences))
        return "\n".join((probed, *(repr(sorted(claim.items())) for claim in self.claims), *self.differs, *shown))


NOTHING = Beside()
