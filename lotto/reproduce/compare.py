"""From a figure's tables to its verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lotto.reproduce.differs import differences
from lotto.reproduce.figure import Figure
from lotto.reproduce.quantity import Tables
from lotto.reproduce.report import Compared
from lotto.reproduce.request import Request
from lotto.reproduce.verdict import judge
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep
from lotto.sweep.run import sweep_probes

if TYPE_CHECKING:
    import pandas as pd


def compare(
    figure: Figure,
    request: Request,
    planned: PlannedSweep,
    results: pd.DataFrame,
    store: Store,
    config_dir: str | None = None,
) -> Compared:
    """Every claim of the figure beside what the store holds.

    Args:
        results: the sweep's table.
    """
    tables = Tables(results, sweep_probes(planned, store), store.metrics)
    return Compared(
        figure,
        request.scale,
        tuple(differences(planned, request.paper(figure, config_dir))),
        tuple(judge(claim, tables) for claim in figure.claims),
        " ".join(["lotto", *planned.command]),
    )
