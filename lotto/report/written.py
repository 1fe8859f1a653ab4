"""What writing a report leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lotto.report.finding import Finding
from lotto.report.first_times import Grid


@dataclass(frozen=True)
class Written:
    """Where the parts of a report lie, and what it finds."""

    csv: Path
    markdown: Path
    html: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]
    finding: Finding
    first_times: Grid | None = None
