"""The lines of a page: one a branch, and where runs are compared one a run and branch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from lotto.report.branches import in_order, look


def branch_lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A line for every branch of ``table``, with the look that the branch has everywhere; its identifier is the branch."""
    return [{"id": name, "branch": name, "run": "", **_look(name)} for name in in_order(table["branch"])]


def run_lines(runs: Sequence[tuple[str, pd.DataFrame]]) -> list[dict[str, Any]]:
    """A line for every run and branch; ``id`` is the run's place and the branch, since two runs may bear one name."""
    return [
        {"id": line_id(place, branch), "branch": branch, "run": name, **_look(branch)}
        for place, (name, table) in enumerate(runs)
        for branch in in_order(table["branch"])
    ]


def line_id(place: int, branch: str) -> str:
    return f"{place}/{branch}"


def _look(branch: str) -> dict[str, str]:
    found = look(branch)
    return {"colour": found.colour, "marker": found.marker}
