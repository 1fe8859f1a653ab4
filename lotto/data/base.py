"""Data sets that lie in memory whole, as uint8 tensors on the device."""

from __future__ import annotations

import math
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
from lotto.data.narrow import narrow
from lotto.data.part import Part
from lotto.data.share import Share
from lotto.data.split import hold_out
from lotto.errors import BadRequest
from lotto.seeds import Streams

# Bytes up to which a split that is not augmented is kept as normalised float32: one pass over it, instead of one at every batch.
KEEP_NORMALISED = 512 * 1024**2
# Numbers that are gathered at once on a GPU, where a small batch costs as much as a large one. A CPU likes a batch that is still warm.
GATHERED_NUMBERS = 32 * 1024**2


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
        self._ready: dict[str, Labelled] = {}
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
        self._splits = self.divide(*self.read())
        for name, split in self._splits.items():
            self._check(split, name, self.sizes[name])
        if self.part is not None:
            self._splits = {name: _narrowed(self.part, split, name) for name, split in self._splits.items()}
            self.sizes = {name: len(split.labels) for name, split in self._splits.items()}

    def divide(self, train: Labelled, test: Labelled) -> dict[str, Labelled]:
        """Training, validation and test set: validation is a random part of what is there to train on."""
        self._check(train, "train", self.sizes["train"] + self.sizes["validation"])
        kept, held = hold_out(len(train.labels), self.sizes["validation"], "validation", self.split_seed)
        return {"train": train.take(kept), "validation": train.take(held), "test": test}

    def place(self, device: torch.device | str) -> None:
        self.load()
        if self._ready and self.device == torch.device(device):
            return
        self.device = torch.device(device)
        self.normalise.to(self.device)
        self._splits = {name: Labelled(*(t.to(self.device) for t in split)) for name, split in self._splits.items()}
        self._ready = {name: self._normalised(name, split) for name, split in self._splits.items()}

    def train_batches(
        self,
        streams: Sequence[Streams],
        start: int,
        stop: int,
        batch_size: int,
        drop_last: bool,
        share: Share | None = None,
    ) -> Batches:
        self._make_ready()
        steps = steps_per_epoch(self.sizes["train"], batch_size, drop_last)
        step = start
        while step < stop:
            epoch, position = divmod(step, steps)
            if share is not None:
                yield self._shared(tuple(streams), epoch, position * batch_size, batch_size, share)
                step += 1
                continue
            together = min(self._gathered_steps(len(streams) * batch_size), steps - position, stop - step)
            images, labels = self._gathered(tuple(streams), epoch, position * batch_size, together * batch_size)
            yield from zip(images.split(batch_size, 1), labels.split(batch_size, 1), strict=True)
            step += together

    def _gathered_steps(self, examples: int) -> int:
        numbers = examples * math.prod(self.input_shape)
        return max(1, GATHERED_NUMBERS // numbers) if self.device.type == "cuda" else 1

    def _gathered(self, streams: tuple[Streams, ...], epoch: int, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Images ``[R, n, C, H, W]`` and labels ``[R, n]`` at ``count`` positions of an epoch, or as many as are left."""
        indices, draws = self._drawn(streams, epoch).rows(first, first + count)
        images, labels = self._ready["train"].take(indices)
        for augmentation, drawn in zip(self.augment, draws, strict=True):
            images = augmentation.apply(images, drawn)
        floats = images if images.is_floating_point() else self.normalise(images)
        return floats.view(len(streams), -1, *self.input_shape), labels.view(len(streams), -1)

    def _shared(
        self, streams: tuple[Streams, ...], epoch: int, first: int, count: int, share: Share
    ) -> tuple[Tensor, Tensor]:
        """The images of a share of one batch, and the labels of all of it."""
        last = min(first + count, self.sizes["train"])
        own = share.rows(last - first, first)
        images, _ = self._gathered(streams, epoch, own.start, own.stop - own.start)
        indices, _ = self._drawn(streams, epoch).rows(first, last)
        return images, self._ready["train"].labels.index_select(0, indices).view(len(streams), -1)

    def evaluation_batches(self, split: str, batch_size: int, share: Share | None = None) -> Batches:
        self.check_split(split)
        self._make_ready()
        own = slice(None) if share is None else share.rows(self.sizes[split])
        images, labels = (tensor[own].split(batch_size) for tensor in self._ready[split])
        # A copy: a module may write into its input.
        return (
            (x.clone() if x.is_floating_point() else self.normalise(x), y) for x, y in zip(images, labels, strict=True)
        )

    def labels(self, split: str) -> Tensor:
        self.check_split(split)
        self.load()
        return self._splits[split].labels.cpu()

    def pick(self, split: str, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.check_split(split)
        self._make_ready()
        images, labels = self._splits[split].take(indices.to(self.device))
        return self.normalise(images), labels

    def _make_ready(self) -> None:
        if not self._ready:
            self.place(self.device)

    def _normalised(self, name: str, split: Labelled) -> Labelled:
        """The split with its images normalised for good, where nothing is to be done to them before and they are not too many."""
        floats = split.images.numel() * torch.float32.itemsize
        if (name == "train" and self.augment) or floats > KEEP_NORMALISED:
            return split
        chunks = [self.normalise(images) for images in split.images.split(1000)]
        return Labelled(torch.cat(chunks) if chunks else split.images.float(), split.labels)

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
        classes = self.classes if self.part is None else self.facts.classes
        if len(found.labels) and not 0 <= int(found.labels.min()) <= int(found.labels.max()) < classes:
            raise BadRequest(f"data.classes={classes} but the {split} labels go up to {int(found.labels.max())}.")


def _narrowed(part: Part, split: Labelled, name: str) -> Labelled:
    kept, labels = narrow(part, split.labels, name)
    return Labelled(split.images.index_select(0, kept), labels)
