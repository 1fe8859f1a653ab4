"""What every data set offers, whether it lies in memory or is streamed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import torch
from lightning import LightningDataModule
from torch import Tensor, nn

from lotto.data.facts import SPLITS, Facts, steps_per_epoch
from lotto.data.part import Part
from lotto.data.share import Share
from lotto.errors import BadRequest
from lotto.seeds import Streams

Batches = Iterator[tuple[Tensor, Tensor]]


class Data(LightningDataModule):
    """Batches of one data set for any number of replicates, from any step on.

    It is a LightningDataModule besides: its loaders yield the batches of replicate 0 of ``seed``, with ``batch_size``
    examples each.

    Attributes:
        input_shape: channels, height, width.
        classes: how many there are.
        sizes: examples in ``train``, ``validation`` and ``test``; of a part those of the whole set until it is loaded.
        part: which of the examples there are; None for all.
    """

    part: Part | None = None

    def __init__(self, facts: Facts, normalise: nn.Module) -> None:
        super().__init__()
        self.facts = facts
        self.input_shape = facts.input_shape
        self.classes = facts.classes
        self.sizes = {"train": facts.train, "validation": facts.validation, "test": facts.test}
        self.normalise = normalise
        # Constants that do not fit the images are found out here, before anything is read.
        self.normalise(torch.zeros(1, *facts.input_shape, dtype=torch.uint8))
        self.device = torch.device("cpu")
        self.seed = 0
        self.batch_size = 128

    def narrow(self, part: Part) -> None:
        """Keep ``part`` alone, from loading on."""
        self.part = part
        self.classes = part.facts(self.facts).classes

    @abstractmethod
    def load(self) -> None:
        """Makes the examples ready to be used; a second call does nothing.

        Raises:
            BadRequest: they are missing, damaged or not as declared.
        """

    @abstractmethod
    def place(self, device: torch.device | str) -> None:
        """Loads, and has all later batches made on ``device``."""

    @abstractmethod
    def train_batches(
        self,
        streams: Sequence[Streams],
        start: int,
        stop: int,
        batch_size: int,
        drop_last: bool,
        share: Share | None = None,
    ) -> Batches:
        """The training batches of R replicates at the absolute steps from ``start`` up to ``stop``.

        Step s is the batch at s modulo the steps of an epoch, in the order that each replicate's streams give epoch
        s // steps. A partial last batch is kept unless ``drop_last``. No batch depends on ``start`` or on which other
        replicates there are.

        Yields:
            x float32 ``[R, B, C, H, W]``, augmented and normalised, and y int64 ``[R, B]``, on the device. Of a batch that
            several processes share, x holds the rows of ``share`` and y still the labels of all.
        """

    @abstractmethod
    def evaluation_batches(self, split: str, batch_size: int, share: Share | None = None) -> Batches:
        """Every example of ``split``, or of a ``share`` of it, once, in order and without augmentation.

        Yields:
            x float32 ``[B, C, H, W]`` and y int64 ``[B]``, on the device.

        Raises:
            BadRequest: there is no such split, or it is empty.
        """

    @abstractmethod
    def labels(self, split: str) -> Tensor:
        """The label of every example of ``split``, in order: int64 ``[n]`` on the CPU."""

    @abstractmethod
    def pick(self, split: str, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The examples of ``split`` at ``indices``, int64 ``[m]``, in that order and without augmentation.

        Returns:
            x float32 ``[m, C, H, W]`` and y int64 ``[m]``, on the device.
        """

    def check_split(self, split: str) -> None:
        """BadRequest unless ``split`` is the name of a split that holds examples."""
        if split not in SPLITS:
            raise BadRequest(f"split={split!r} is unknown: {', '.join(SPLITS)} are allowed.")
        if not self.sizes[split]:
            raise BadRequest(f"split={split!r} is empty: set data.{split} above 0 to have one.")

    def setup(self, stage: str) -> None:
        self.load()

    def train_dataloader(self) -> Iterable[tuple[Tensor, Tensor]]:
        return _TrainingEpochs(self)

    def val_dataloader(self) -> Iterable[tuple[Tensor, Tensor]]:
        return _Evaluation(self, "validation") if self.sizes["validation"] else []

    def test_dataloader(self) -> Iterable[tuple[Tensor, Tensor]]:
        return _Evaluation(self, "test")


class _TrainingEpochs:
    """The training batches of replicate 0 in one epoch: the Trainer's current one, or the first."""

    def __init__(self, data: Data) -> None:
        self.data = data

    def __len__(self) -> int:
        return steps_per_epoch(self.data.sizes["train"], self.data.batch_size, drop_last=False)

    def __iter__(self) -> Batches:
        data = self.data
        first = len(self) * (data.trainer.current_epoch if data.trainer else 0)
        for x, y in data.train_batches([Streams(data.seed, 0)], first, first + len(self), data.batch_size, False):
            yield x[0], y[0]


class _Evaluation:
    """The batches of one split, as often as it is gone through."""

    def __init__(self, data: Data, split: str) -> None:
        self.data = data
        self.split = split

    def __len__(self) -> int:
        return steps_per_epoch(self.data.sizes[self.split], self.data.batch_size, drop_last=False)

    def __iter__(self) -> Batches:
        return self.data.evaluation_batches(self.split, self.data.batch_size)
