"""``report.html`` of a sweep: the page in which runs are compared, of its points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lotto.report.aside import write_aside
from lotto.report.beside import NOTHING, Beside
from lotto.report.compare import compare
from lotto.report.compared import read_compared
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep


def write_page(planned: PlannedSweep, store: Store, beside: Beside = NOTHING) -> Path:
    """Write it from the tables that lie in the sweep's folder.

    Args:
        beside: a paper's claims, and how this differs from the paper.
    """
    command = " ".join(["lotto", *planned.command])
    # A sweep of one point differs from nothing, and has no label but its own name.
    runs = [
        replace(run, command=command, label=run.label or planned.sweep.name)
        for run in read_compared([planned.folder], store.root)
    ]
    title = f"{planned.sweep.name}: {planned.sweep.title}"
    return write_aside(planned.folder / "report.html", compare(runs, beside=beside, title=title).encode())
