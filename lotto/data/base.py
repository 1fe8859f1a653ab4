"""Data sets that lie in memory whole, as uint8 tensors on the device."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lotto.data.augment import Augmentation
from lotto.data.cache import DataCache
from lotto.data.epoch import Epoch
from lotto.data.facts import Facts, steps_per_epoch
from lotto.data.interface import Batches, Data
from lotto.data.split import hold_out
from lotto.errors import BadRequest
from lotto.seeds import Streams


class Labelled(NamedTuple):
    """Examples: images uint8 ``[n, C, H, W]`` and labels int64 ``[n]``."""

    images: Tensor
    labels: Tensor

    def take(self, indices: Tensor) -> Labelled:
        """The examples at ``indices``, int64 ``[m]``."""
        return Labelled(self.images.index_select(0, indices), self.labels.index_select(0, indices))


class ResidentData(Data):
    """A data set held whole on the device, where batches are gathered, augmented and converted.

    A subclass says how the set is read. ``cache``, if set before loading, keeps what was slow to decode.
    """

    cache: DataCache | None = None

    def __init__(
        self, facts: Facts, normalise: nn.Module, augment: Sequence[Augmentation] | None = None, split_seed: int = 0
    ) -> None:
        super().__init__(facts, normalise)
        self.augment = list(augment or ())
        self.split_seed = split_seed
        self._splits: dict[str, Labelled] = {}
        self._epoch: tuple[object, Epoch] | None = None

    @abstractmethod
    def read(self) -> tuple[Labelled, Labelled]:
        """The whole training set, validation included, and the test set, on the CPU.

        Raises:
            BadRequest: they are missing or damaged.
        """

    def load(self) -> None:
        if self._splits:
            return
        train, test = self.read()
        self._check(train, "train", self.sizes["train"] + self.sizes["validation"])
        self._check(test, "test", self.sizes["test"])
        kept, held = hold_out(len(train.labels), self.sizes["validation"], "validation", self.split_seed)
        self._splits = {"train": train.take(kept), "validation": train.take(held), "test": test}

    def place(self, device: torch.device | str) -> None:
        self.load()
        self.device = torch.device(device)
        self.normalise.to(self.device)
        self._splits = {name: Labelled(*(t.to(self.device) for t in split)) for name, split in self._splits.items()}

    def train_batches(
        self, streams: Sequence[Streams], start: int, stop: int, batch_size: int, drop_last: bool
    ) -> Batches:
        self.load()
        train, replicates = self._splits["train"], len(streams)
        steps = steps_per_epoch(self.sizes["train"], batch_size, drop_last)
        for step in range(start, stop):
            epoch, position = divmod(step, steps)
            first = position * batch_size
            indices, draws = self._drawn(tuple(streams), epoch).rows(first, first + batch_size)
            images, labels = train.take(indices)
            for augmentation, drawn in zip(self.augment, draws, strict=True):
                images = augmentation.apply(images, drawn)
            yield self.normalise(images).view(replicates, -1, *self.input_shape), labels.view(replicates, -1)

    def evaluation_batches(self, split: str, batch_size: int) -> Batches:
        self.check_split(split)
        self.load()
        images, labels = (tensor.split(batch_size) for tensor in self._splits[split])
        return ((self.normalise(x), y) for x, y in zip(images, labels, strict=True))

    def _drawn(self, streams: tuple[Streams, ...], epoch: int) -> Epoch:
        """The epoch's draws, kept until another epoch is asked for: training asks once a step."""
        wanted = (streams, epoch, self.device)
        if self._epoch is None or self._epoch[0] != wanted:
            self._epoch = wanted, Epoch.drawn(streams, epoch, self.sizes["train"], self.augment, self.device)
        return self._epoch[1]

    def _check(self, found: Labelled, split: str, examples: int) -> None:
        shape = tuple(found.images.shape[1:])
        if len(found.labels) != examples or len(found.images) != examples or shape != self.input_shape:
            raise BadRequest(
                f"data.examples and data.input_shape declare {examples} {split} images of {self.input_shape}, but "
                f"{len(found.images)} of {shape} with {len(found.labels)} labels were read."
            )
        if len(found.labels) and not 0 <= int(found.labels.min()) <= int(found.labels.max()) < self.classes:
            raise BadRequest(f"data.classes={self.classes} but the {split} labels go up to {int(found.labels.max())}.")
