"""The sets that torchvision knows how to fetch and read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torchvision import datasets

from lotto.data.augment import Augmentation
from lotto.data.base import Labelled, ResidentData
from lotto.data.facts import Facts
from lotto.errors import BadRequest


class TorchvisionSet(ResidentData):
    """A set that torchvision reads from ``root``, after fetching what is missing if ``download``.

    A subclass names torchvision's class and the folder below ``root`` that holds its files.
    """

    dataset: ClassVar[type[Any]]
    folder: ClassVar[str]

    def __init__(
        self,
        facts: Facts,
        normalise: nn.Module,
        augment: Sequence[Augmentation] | None = None,
        split_seed: int = 0,
        root: str = "data",
        download: bool = False,
    ) -> None:
        super().__init__(facts, normalise, augment, split_seed)
        self.root = Path(root).expanduser()
        self.download = download

    def read(self) -> tuple[Labelled, Labelled]:
        folder = (self.root / self.folder).resolve()
        if not (self.download or folder.is_dir()):
            raise BadRequest(
                f"data.root={self.root} has no {self.dataset.__name__} (looked at {folder}): give the folder that "
                "has it with data.root=…, or fetch it with data.download=true."
            )
        try:
            return self._read("train"), self._read("test")
        except (OSError, RuntimeError, ValueError, AssertionError) as error:
            raise BadRequest(
                f"{self.dataset.__name__} cannot be read from {folder} ({error}): mend the files there, give another "
                "data.root=…, or remove the folder and fetch it again with data.download=true."
            ) from error

    def _read(self, split: str) -> Labelled:
        read = self.dataset(self.root, train=split == "train", download=self.download)
        return Labelled(_channels_first(torch.as_tensor(read.data)), torch.as_tensor(read.targets, dtype=torch.int64))


class Mnist(TorchvisionSet):
    """Handwritten digits, 28x28 grey (LeCun et al., 1998)."""

    dataset = datasets.MNIST
    folder = "MNIST/raw"


class FashionMnist(TorchvisionSet):
    """Articles of clothing, 28x28 grey (Xiao et al., 2017)."""

    dataset = datasets.FashionMNIST
    folder = "FashionMNIST/raw"


class Cifar10(TorchvisionSet):
    """Ten kinds of object, 32x32 RGB (Krizhevsky, 2009)."""

    dataset = datasets.CIFAR10
    folder = "cifar-10-batches-py"


class Cifar100(TorchvisionSet):
    """A hundred kinds of object, 32x32 RGB (Krizhevsky, 2009)."""

    dataset = datasets.CIFAR100
    folder = "cifar-100-python"


def _channels_first(images: Tensor) -> Tensor:
    """uint8 ``[n, H, W]`` or ``[n, H, W, C]``, as torchvision keeps them, to ``[n, C, H, W]``."""
    return images.unsqueeze(1) if images.dim() == 3 else images.permute(0, 3, 1, 2).contiguous()
