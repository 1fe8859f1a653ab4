"""What is asked of a figure: its scale, its data, how many replicates, and whatever else is overridden."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lotto.errors import BadRequest
from lotto.reproduce.figure import PAPER, Figure
from lotto.sweep.planned import PlannedSweep

VALUED = ("--scale", "--replicates", "--data", "--workers")
FLAGS = (*VALUED, "--plan", "--no-estimate")
DEFAULT_SCALE = "cpu"


@dataclass(frozen=True)
class Request:
    """The words behind ``lotto reproduce NAME``.

    Args:
        overrides: those of the flags first.
        flags: as they were written.
    """

    scale: str
    overrides: tuple[str, ...]
    flags: tuple[str, ...]

    @classmethod
    def read(cls, overrides: Sequence[str], flags: Sequence[str]) -> Request:
        """Raises BadRequest for a flag that there is not, or one without its value."""
        scale, own = DEFAULT_SCALE, []
        for flag in flags:
            name, _, value = flag.partition("=")
            if name not in FLAGS:
                raise BadRequest(
                    f"lotto reproduce does not take {flag}: only {', '.join(FLAGS)}, --config-dir and overrides."
                )
            if name in VALUED and not value:
                raise BadRequest(f"{name} needs a value: write {name}=….")
            if name == "--scale":
                scale = value
            elif name == "--replicates":
                own.append(f"replicates={value}")
            elif name == "--data":
                own += _data(value)
        return cls(scale, (*own, *overrides), tuple(flags))

    def planned(self, figure: Figure, config_dir: str | None = None) -> PlannedSweep:
        """All points at the scale that is asked for."""
        sweep, of_scale = figure.at(self.scale)
        made = PlannedSweep.of(sweep, [*of_scale, *self.overrides], config_dir)
        words = [f"--scale={self.scale}", *(flag for flag in self.flags if flag.startswith(("--replicates", "--data")))]
        own = [override for override in self.overrides if override not in self._of_flags]
        digest = hashlib.sha256("/".join(point.name for point in made.points).encode()).hexdigest()[:8]
        asked = next((o.partition("=")[2] for o in self.overrides if o.startswith("hydra.run.dir=")), None)
        folder = (
            Path(asked.strip("'\"")) if asked else Path("outputs/reproduce") / figure.name / f"{self.scale}-{digest}"
        )
        return replace(made, folder=folder, command=("reproduce", figure.name, *words, *own))

    def paper(self, figure: Figure, config_dir: str | None = None) -> PlannedSweep:
        """All points at the paper's size, which what is asked for is compared with."""
        sweep, overrides = figure.at(PAPER)
        return PlannedSweep.of(sweep, overrides, config_dir)

    @property
    def _of_flags(self) -> tuple[str, ...]:
        return tuple(override for flag in self.flags for override in Request._overrides(flag))

    @staticmethod
    def _overrides(flag: str) -> list[str]:
        name, _, value = flag.partition("=")
        return [f"replicates={value}"] if name == "--replicates" else _data(value) if name == "--data" else []


def _data(value: str) -> list[str]:
    """``--data=mnist``, ``--data=image_folder:DIR``, or ``--data=DIR`` for the folder of the figure's own data set."""
    option, colon, root = value.partition(":")
    if Path(value).is_dir() or value.startswith((".", "/", "~")):
        return [f"data.root='{Path(value).expanduser()}'"]
    return [f"data={option}", *([f"data.root='{root}'"] if colon else [])]
