"""A user's own images, decoded once and held in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.data.augment import Augmentation
from lotto.data.base import Labelled, ResidentData
from lotto.data.decode import decode
from lotto.data.facts import Facts
from lotto.data.folder import list_as_declared, split_test
from lotto.data.listing import Listing


class ImageFolder(ResidentData):
    """Images in ``<root>/train/<class>`` and ``<root>/test/<class>``, or in ``<root>/<class>``.

    Args:
        root: the folder.
        folders: what the two folders are called, ``{train: train, test: test}`` if None.
        test_fraction: the fraction held out for testing, by ``split_seed``, where there are no two folders.
        size: None where all images agree in size, else the shorter side is scaled to it and the middle cut out.
        channels: 3 converts every image to RGB, 1 to grey.
        workers: processes that decode, one a core if None.
    """

    def __init__(
        self,
        facts: Facts,
        normalise: nn.Module,
        augment: Sequence[Augmentation] | None = None,
        split_seed: int = 0,
        root: str | None = None,
        folders: Mapping[str, str] | None = None,
        test_fraction: float | None = None,
        size: int | None = None,
        channels: int = 3,
        workers: int | None = None,
    ) -> None:
        super().__init__(facts, normalise, augment, split_seed)
        self.root = root
        self.folders = folders
        self.test_fraction = test_fraction
        self.size = size
        self.channels = channels
        self.workers = workers

    def read(self) -> tuple[Labelled, Labelled]:
        listing = list_as_declared(self.facts, self.root, self.folders, self.test_fraction)
        whole = Labelled(self._images(listing), torch.tensor(listing.labels))
        train, test = split_test(listing, self.split_seed)
        return whole.take(train), whole.take(test)

    def _images(self, listing: Listing) -> Tensor:
        """Every image of the listing in its order, uint8 ``[n, C, H, W]``: from the cache where it has them."""
        key = {"data": "image_folder", "listing": listing.digest(), "size": self.size, "channels": self.channels}
        kept = self.cache.load(key) if self.cache else None
        if kept is not None:
            return kept["images"]
        paths = [listing.path(index) for index in range(len(listing.files))]
        images = torch.from_numpy(decode(paths, self.input_shape, self.size, self.workers))
        if self.cache:
            self.cache.save(key, {"images": images})
        return images
