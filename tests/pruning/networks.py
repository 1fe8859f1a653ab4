"""Networks that criteria are tried on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lotto.pruning.criterion import Batch


def plain(*widths: int, bias: bool = False) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    made: list[nn.Module] = [nn.Flatten()]
    for number, (wide, next_wide) in enumerate(pairwise(widths)):
        made += [nn.ReLU()] * (number > 0) + [nn.Linear(wide, next_wide, bias=bias)]
    return nn.Sequential(*made)


def convolutional(norm: bool = True) -> nn.Sequential:
    """Convolutions, a grouped one among them, with batch normalisation, pooling and a classifier; no bias and no skip."""

    def block(wide: int, next_wide: int, groups: int = 1) -> list[nn.Module]:
        conv = nn.Conv2d(wide, next_wide, 3, padding=1, bias=False, groups=groups)
        return [conv, *([nn.BatchNorm2d(next_wide)] * norm), nn.ReLU()]

    return nn.Sequential(
        *block(3, 6), *block(6, 8, groups=2), nn.MaxPool2d(2), *block(8, 6), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(6, 4, bias=False),
    )  # fmt: skip


class Awkward(nn.Module):
    """Batch normalisation, a skip, a grouped convolution, a shared weight, functional dropout, and a layer that nothing goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 8, bias=False)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(8, 3)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = F.relu(x + self.grouped(x)).mean((2, 3))
        x = F.dropout(self.second(F.relu(self.first(x))), 0.2)  # in evaluation mode too
        return self.head(x)


def drawn(make: Callable[..., nn.Module], *arguments: object, seed: int = 0, double: bool = False) -> nn.Module:
    """The network with weights from that seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make(*arguments)
    return model.double() if double else model


def images(
    count: int, seed: int = 0, classes: int = 4, shape: tuple[int, ...] = (3, 8, 8), double: bool = False
) -> Batch:
    """Normal inputs, and labels that take turns."""
    x = torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
    return x.double() if double else x, torch.arange(count) % classes
