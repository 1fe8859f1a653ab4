"""What a report says about the run beside its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportMeta:
    """Where a table of results comes from and how to make it again.

    ``data`` describes the data set in one line with its sizes; ``steps_run`` of ``steps_total`` training steps were run
    now, the others had been stored before; ``tickets`` are the exported ticket files; ``start`` says what weights the networks began
    with if not with drawn ones.
    """

    experiment: str
    command: str
    overrides: tuple[str, ...]
    data: str
    versions: Mapping[str, str]
    hardware: str
    seed: int
    replicates: int
    store: Path
    run_folder: Path
    tickets: tuple[Path, ...]
    steps_run: int
    steps_total: int
    wall_seconds: float
    start: str = ""
    energy: str = ""

    def facts(self) -> dict[str, str]:
        """The provenance as label and text, in the order in which a report lists it; the tickets are listed apart."""
        return {
            "Data": self.data,
            **({"Start": self.start} if self.start else {}),
            "Replicates": f"{self.replicates} (seed {self.seed})",
            "Overrides": " ".join(self.overrides) or "none",
            "Training steps": f"{self.steps_run:,} of {self.steps_total:,} run now, the others read from the store",
            "Wall time": f"{self.wall_seconds:,.0f} s",
            **({"Energy": self.energy} if self.energy else {}),
            "Hardware": self.hardware,
            "Versions": ", ".join(f"{name} {version}" for name, version in self.versions.items()),
            "Store": str(self.store),
            "Run folder": str(self.run_folder),
        }
