"""The rows of a plan: tickets that are trained and reported, and what probes read of them. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from lotto.limit import Limit
from lotto.stage import Stage


@dataclass(frozen=True, eq=False)
class Entry:
    """A ticket to be trained and reported: one row of the results table.

    Args:
        start: the artifact it is trained from: weights and, but for the dense network, a mask.
        trained: the train stage that ends at the last step.
        ticket: the trained ticket of its level: itself, unless this is a control.
        limit: where the search may have ended before it came to this level.
        noted: a stage with numbers (``numbers`` of its record) on how the ticket was found, which stand in its row.
    """

    branch: str
    level: int
    replicate: int
    sample: int
    start: Stage
    trained: Stage
    ticket: Stage
    limit: Limit | None = None
    noted: Stage | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What a probe reads of a ticket: rows of ``probes.csv``.

    Args:
        stage: the probe stage.
        pair: the replicates it compares, as in ``0-1``; empty where it is about one.
    """

    probe: str
    entry: Entry
    stage: Stage
    pair: str = ""
