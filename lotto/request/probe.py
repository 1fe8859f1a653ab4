"""One entry of the ``probes`` section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest
from lotto.fields import flag, levels_of, list_of, section, whole
from lotto.request.train import TrainSpec, step_before_the_end
from lotto.starts.checkpoint import Checkpoint

if TYPE_CHECKING:
    from lotto.entry import Entry


@dataclass(frozen=True)
class ProbeSpec:
    """A probe by name.

    Args:
        config: the function that reads (``_target_``) and its options: the probe's identity.
        networks: the roles that it looks at (``lotto.probes.planning``).
        copies: how often the network is trained again with other noise, for roles ``copy1``, ``copy2``, ….
        across: whether it compares replicates: the roles are then those of two of them.
        files: tickets or other weights to look at beside them, with the roles ``file1``, ``file2``, ….
        branches: those it looks at; None for all.
        levels: those it looks at; None for all.
        steps: of the same training, before its end, for roles ``step0``, ``step300``, …: the network is stored there.
    """

    name: str
    config: Mapping[str, Any]
    networks: tuple[str, ...]
    copies: int
    across: bool
    data: bool
    branches: tuple[str, ...] | None
    levels: tuple[int, ...] | None
    files: tuple[Checkpoint, ...] = ()
    steps: tuple[int, ...] = ()

    @classmethod
    def read(cls, name: str, config: Mapping[str, Any], train: TrainSpec) -> ProbeSpec:
        from lotto.probes.planning import check_role

        own = f"probes.{name}"
        config = section(own, config, ("_target_", "networks", "data", "branches"))
        files = [str(path) for path in list_of(f"{own}.files", config.pop("files", []))]
        across = flag(f"{own}.across", config.pop("across", False))
        if files and across:
            raise BadRequest(
                f"{own}.files={files} is impossible where replicates are compared: give {own}.across=false."
            )
        branches, steps = config.pop("branches"), list_of(f"{own}.steps", config.pop("steps", []))
        return cls(
            name=name,
            networks=tuple(
                check_role(f"{own}.networks", role) for role in list_of(f"{own}.networks", config.pop("networks"))
            ),
            copies=whole(f"{own}.copies", config.pop("copies", 0), 0),
            across=across,
            files=tuple(Checkpoint(path=path, field=f"{own}.files") for path in files),
            data=flag(f"{own}.data", config.pop("data")),
            branches=None if branches is None else tuple(map(str, list_of(f"{own}.branches", branches))),
            levels=levels_of(f"{own}.levels", config.pop("levels", None)),
            steps=tuple(sorted({step_before_the_end(f"{own}.steps", step, train) for step in steps})),
            config=config,
        )

    def reads(self, entry: Entry) -> bool:
        """Whether it looks at this row."""
        return (self.branches is None or entry.branch in self.branches) and (
            self.levels is None or entry.level in self.levels
        )
