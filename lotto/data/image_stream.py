"""Images that do not fit in memory, decoded while training goes on."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lotto.data.facts import Facts, steps_per_epoch
from lotto.data.folder import list_as_declared, split_test
from lotto.data.images import fit, read_image, to_array
from lotto.data.interface import Batches, Data
from lotto.data.listing import Listing
from lotto.data.narrow import narrow
from lotto.data.share import Share
from lotto.data.split import hold_out
from lotto.data.views import RandomView
from lotto.errors import BadRequest
from lotto.seeds import Streams


class Request(NamedTuple):
    """An image to decode: its place in the listing, and the stream that chooses its view (None for evaluation).

    Another process may decode it, of a batch that several share; then only its label is asked for.
    """

    image: int
    stream: int | None
    decoded: bool = True


class StreamedData(Data):
    """Class folders of images, as ``ImageFolder`` reads them, decoded by worker processes a batch at a time.

    The view that a replicate has of an example in an epoch is drawn from a stream named by these three, so that no
    batch depends on the number of workers or on the step where training started.

    Args:
        root: the folder.
        size: height and width of the inputs.
        resize: what the shorter side is scaled to before evaluation cuts the middle out, at least ``size``.
        augment: the view of training; None for that of evaluation.
        folders: what the two folders are called, ``{train: train, test: test}`` if None.
        test_fraction: the fraction held out for testing, by ``split_seed``, where there are no two folders.
        channels: 3 converts every image to RGB, 1 to grey.
        workers: processes that decode, one a core if None, 0 for none beside this one.
    """

    def __init__(
        self,
        facts: Facts,
        normalise: nn.Module,
        size: int,
        resize: int,
        augment: RandomView | None = None,
        split_seed: int = 0,
        root: str | None = None,
        folders: Mapping[str, str] | None = None,
        test_fraction: float | None = None,
        channels: int = 3,
        workers: int | None = None,
    ) -> None:
        super().__init__(facts, normalise)
        if resize < size:
            raise BadRequest(f"data.resize={resize} is not allowed with data.size={size}: at least the size.")
        self.size = size
        self.resize = resize
        self.augment = augment
        self.split_seed = split_seed
        self.root = root
        self.folders = folders
        self.test_fraction = test_fraction
        self.channels = channels
        self.workers = os.cpu_count() or 1 if workers is None else workers
        self._splits: dict[str, Tensor] = {}
        self._images: _Images | None = None

    def load(self) -> None:
        """Lists the folder; the images themselves are read when a batch needs them."""
        if self._images is not None:
            return
        listing = list_as_declared(self.facts, self.root, self.folders, self.test_fraction)
        train, test = split_test(listing, self.split_seed)
        kept, held = hold_out(len(train), self.sizes["validation"], "validation", self.split_seed)
        self._splits = {"train": train[kept], "validation": train[held], "test": test}
        labels = torch.tensor(listing.labels)
        if self.part is not None:
            renamed = labels.clone()
            for name, split in self._splits.items():
                chosen, new = narrow(self.part, labels[split], name)
                self._splits[name] = split[chosen]
                renamed[split[chosen]] = new
            self.sizes = {name: len(split) for name, split in self._splits.items()}
            labels = renamed
        self._images = _Images(listing, labels, self.channels, self.size, self.resize, self.augment)

    def place(self, device: torch.device | str) -> None:
        self.load()
        self.device = torch.device(device)
        self.normalise.to(self.device)

    def train_batches(
        self,
        streams: Sequence[Streams],
        start: int,
        stop: int,
        batch_size: int,
        drop_last: bool,
        share: Share | None = None,
    ) -> Batches:
        self.load()
        requests = self._train_requests(streams, start, stop, batch_size, drop_last, share)
        for x, y in self._decoded(requests):
            yield x.view(len(streams), -1, *self.input_shape), y.view(len(streams), -1)

    def evaluation_batches(self, split: str, batch_size: int, share: Share | None = None) -> Batches:
        self.check_split(split)
        self.load()
        examples = self._splits[split][slice(None) if share is None else share.rows(self.sizes[split])]
        return self._decoded([Request(index, None) for index in batch.tolist()] for batch in examples.split(batch_size))

    def labels(self, split: str) -> Tensor:
        self.check_split(split)
        self.load()
        assert self._images is not None
        return torch.from_numpy(self._images.labels)[self._splits[split]]

    def pick(self, split: str, indices: Tensor) -> tuple[Tensor, Tensor]:
        self.check_split(split)
        self.load()
        batch = [Request(index, None) for index in self._splits[split][indices].tolist()]
        return next(iter(self._decoded([batch])))

    def _train_requests(
        self,
        streams: Sequence[Streams],
        start: int,
        stop: int,
        batch_size: int,
        drop_last: bool,
        share: Share | None,
    ) -> Iterator[list[Request]]:
        """The requests of every step, replicate after replicate."""
        train = self._splits["train"]
        steps = steps_per_epoch(len(train), batch_size, drop_last)

        @lru_cache(maxsize=len(streams))
        def order(stream: Streams, epoch: int) -> Tensor:
            return train[stream.permutation(len(train), epoch)]

        for step in range(start, stop):
            epoch, position = divmod(step, steps)
            first, last = position * batch_size, min((position + 1) * batch_size, len(train))
            own = range(last - first) if share is None else range(last - first)[share.rows(last - first)]
            yield [
                Request(index, stream.number("augment", epoch, index), row in own)
                for stream in streams
                for row, index in enumerate(order(stream, epoch)[first:last].tolist())
            ]

    def _decoded(self, requests: Iterable[list[Request]]) -> Batches:
        """Decodes in the workers, normalises on the device: x float32 ``[n, C, H, W]``, y int64 ``[N]``."""
        loader = DataLoader(
            self._images,  # type: ignore[arg-type]  # one item is a whole batch, asked for by its requests
            batch_size=None,
            sampler=requests,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # else the loader would advance the global one
        )
        for batch in loader:
            if isinstance(batch, BadRequest):
                raise batch
            images, labels = (tensor.to(self.device, non_blocking=True) for tensor in batch)
            yield self.normalise(images), labels


class _Images(Dataset[tuple[Tensor, Tensor] | BadRequest]):
    """What a worker holds: where the images lie and how one is viewed."""

    def __init__(
        self, listing: Listing, labels: Tensor, channels: int, size: int, resize: int, augment: RandomView | None
    ) -> None:
        # Arrays, not a million strings: counting references to strings copies the pages that workers share.
        self.paths = np.array([os.fsencode(listing.path(index)) for index in range(len(listing.files))])
        self.labels = labels.numpy()
        self.channels = channels
        self.size = size
        self.resize = resize
        self.augment = augment

    def __getitem__(self, requests: list[Request]) -> tuple[Tensor, Tensor] | BadRequest:
        """Images uint8 ``[n, C, H, W]`` of the n requests to be decoded, and labels int64 ``[N]`` of all.

        An error is handed over as a value, since the loader would wrap what is raised in a worker's traceback.
        """
        try:
            images = np.stack([self._view(request) for request in requests if request.decoded])
        except BadRequest as error:
            return error
        return torch.from_numpy(images), torch.from_numpy(self.labels[[request.image for request in requests]])

    def _view(self, request: Request) -> np.ndarray:
        image = read_image(os.fsdecode(self.paths[request.image]), self.channels)
        if request.stream is None or self.augment is None:
            return to_array(fit(image, self.resize, self.size))
        return to_array(self.augment(image, self.size, random.Random(request.stream)))
