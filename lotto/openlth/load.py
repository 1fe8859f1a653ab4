"""A replicate of an OpenLTH ``lottery`` run, as it lies on the disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.openlth.architecture import Architecture, recognise
from lotto.openlth.defaults import is_default_run
from lotto.openlth.files import Evaluation, read_log, read_mask, read_sparsity, read_state
from lotto.openlth.steps import step_of


@dataclass(frozen=True)
class Level:
    """What is saved of one level, under lotto's names and in the model's order.

    Args:
        start: parameters and buffers that it was trained from.
        end: the same at the end of training; None if it was not finished.
        end_step: the iteration of ``end``.
        sparsity: weights that remain and all prunable weights, as OpenLTH reported them; None without a report.
        log: evaluations; empty if training was not finished.
    """

    number: int
    mask: Mask
    start: dict[str, Tensor]
    end: dict[str, Tensor] | None
    end_step: int | None
    sparsity: tuple[int, int] | None
    log: list[Evaluation]


class Replicate:
    """A folder ``lottery_<hash>/replicate_<R>``. Levels are read when they are asked for.

    Args:
        folder: has ``level_0/main`` with at least its start.
        iterations_per_epoch: of the run; by default that of the family's default batch size.

    Raises:
        BadRequest: there is no such start, or it is of a network that lotto does not know.
    """

    def __init__(self, folder: str | Path, iterations_per_epoch: int | None = None) -> None:
        self.folder = Path(folder)
        self._given = iterations_per_epoch
        self.levels = sorted(
            int(path.name.removeprefix("level_"))
            for path in self.folder.glob("level_[0-9]*")
            if (path / "main").is_dir()
        )
        if 0 not in self.levels:
            raise BadRequest(
                f"{self.folder} has no level_0/main: name a folder replicate_<number> of an OpenLTH lottery run."
            )

    @property
    def iterations_per_epoch(self) -> int:
        return self._given or self.architecture.family.iterations_per_epoch

    @cached_property
    def architecture(self) -> Architecture:
        """The network, from the weights at the rewinding point."""
        return recognise(self._rewinding_point)

    @cached_property
    def weights_k(self) -> dict[str, Tensor]:
        """The unpruned weights at the rewinding point, W_k."""
        return self.architecture.renamed(self._rewinding_point)

    @cached_property
    def rewind_step(self) -> int:
        """k: the smallest step saved in ``level_0/main``, as an iteration."""
        return self._iteration(self._models(0)[0])

    @cached_property
    def has_default_hyperparameters(self) -> bool:
        """Whether the run folder's name is the hash of the family's defaults with this rewinding point."""
        architecture = self.architecture
        return is_default_run(
            self.folder.absolute().parent.name, architecture.family, architecture.name, self.rewind_step
        )

    def level(self, number: int) -> Level:
        """Read one level.

        Raises:
            BadRequest: it is not there, lacks its mask or its start, or a file of it is damaged.
        """
        if number not in self.levels:
            raise BadRequest(f"{self.folder} has no level {number}: its levels are {', '.join(map(str, self.levels))}.")
        main = self._main(number)
        models = self._models(number)
        if self._iteration(models[0]) != self.rewind_step:
            raise BadRequest(
                f"{main} has no model of step {self.rewind_step}, which level 0 starts from: "
                f"its first is {models[0].name}."
            )
        end = models[-1] if len(models) > 1 else None
        report, log = main / "sparsity_report.json", main / "logger"
        return Level(
            number=number,
            mask=self._mask(main / "mask.pth"),
            start=self._state(models[0]),
            end=self._state(end) if end else None,
            end_step=self._iteration(end) if end else None,
            sparsity=read_sparsity(report) if report.exists() else None,
            log=read_log(log) if log.exists() else [],
        )

    def files(self, number: int, point: str) -> tuple[Path, ...]:
        """What is read for the ``start`` or the ``end`` of a level: level 0's start, which shows the network, its model, and its mask."""
        if number not in self.levels:
            raise BadRequest(f"{self.folder} has no level {number}: its levels are {', '.join(map(str, self.levels))}.")
        return self._models(0)[0], self._models(number)[0 if point == "start" else -1], self._main(number) / "mask.pth"

    @cached_property
    def _rewinding_point(self) -> dict[str, Tensor]:
        return read_state(self._models(0)[0])

    def _main(self, number: int) -> Path:
        return self.folder / f"level_{number}" / "main"

    def _models(self, number: int) -> list[Path]:
        """The saved models of a level, earliest first."""
        found = list(self._main(number).glob("model_ep*_it*.pth"))
        if not found:
            raise BadRequest(f"{self._main(number)} has no model_ep<epoch>_it<iteration>.pth.")
        return sorted(found, key=lambda path: (step_of(path.name).epochs, step_of(path.name).iterations))

    def _iteration(self, model: Path) -> int:
        return step_of(model.name).steps(self.iterations_per_epoch)

    def _state(self, path: Path) -> dict[str, Tensor]:
        state = self.architecture.renamed(read_state(path))
        for name, tensor in self.weights_k.items():
            if name not in state or state[name].shape != tensor.shape:
                raise BadRequest(f"{path} has no {name} of shape {list(tensor.shape)}, as level 0 has.")
        return state

    def _mask(self, path: Path) -> Mask:
        mask = self.architecture.renamed(read_mask(path))
        if list(mask) != list(self.architecture.kinds):
            raise BadRequest(
                f"{path} masks {', '.join(mask)}, and not the network's {', '.join(self.architecture.kinds)}."
            )
        for name, kept in mask.items():
            if kept.shape != self.weights_k[name].shape:
                raise BadRequest(
                    f"{path} has a mask of shape {list(kept.shape)} for {name}, "
                    f"which has {list(self.weights_k[name].shape)}."
                )
        return Mask(mask)
