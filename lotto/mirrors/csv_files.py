"""``logger=csv``: one flat file of scalars for each ticket line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lotto.mirrors.line import Line, Row
from lotto.mirrors.mirror import Files
from lotto.report.aside import write_aside


class CsvFiles:
    """Writes ``scalars/LINE.csv`` in the run's folder: a record for each evaluation and one for each trained ticket.

    A file is replaced whole with every row that comes, so that a reader never meets half of one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "scalars"
        self._records: dict[str, list[dict[str, Any]]] = {}

    def check(self) -> None:
        """Needs nothing."""

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        """Writing is as quick as looking."""
        return False

    def begin(self, line: Line) -> None:
        self._records[line.name] = []

    def row(self, line: Line, row: Row) -> None:
        records = self._records[line.name]
        records += [*row.evaluations(), row.outcome()]
        write_aside(self._folder / f"{line.name}.csv", _text(records).encode())

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        del self._records[line.name]

    def close(self, exit_code: int) -> str:
        return str(self._folder)


def _text(records: Sequence[dict[str, Any]]) -> str:
    """The records as CSV: every column that one of them has, every number to its last digit."""
    from lotto.report.columns import cell

    text = io.StringIO(newline="")
    names = dict.fromkeys(name for record in records for name in record)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cell(record.get(name)) for name in names] for record in records)
    return text.getvalue()
