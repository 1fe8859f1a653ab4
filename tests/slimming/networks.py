"""Networks to make smaller, with normalisations that do something, and masks that lack whole outputs."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.conv import ConvNet
from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet
from lotto.models.resnet18 import CifarResNet18
from lotto.models.vgg import CifarVgg


class Gated(nn.Module):
    """Channels that are scaled by a gate, concatenated, split by depthwise convolutions and read after being flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depth = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.gate = nn.Conv2d(8, 8, 1)
        self.side = nn.Conv2d(8, 4, 1, bias=False)
        self.norm = nn.BatchNorm2d(12)
        self.fc = nn.Linear(12 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        x = self.depth(x)
        x = x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))
        x = self.norm(torch.cat([x, self.side(x)], 1))
        return self.fc(torch.flatten(F.avg_pool2d(x, 2), 1))


class Grouped(nn.Module):
    """A convolution in groups and a layer normalisation, between layers that can be made smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.groups = nn.Conv2d(8, 8, 3, groups=2)
        self.wide = nn.Linear(8, 16)
        self.norm = nn.LayerNorm(16)
        self.inner = nn.Linear(16, 12)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.groups(self.first(x).relu()).relu().mean((2, 3))
        return self.fc(F.gelu(self.inner(self.norm(self.wide(x)))))


class PreActivation(nn.Module):
    """y = x + f(x), where f begins with a normalisation, twice; a transposed convolution before them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ConvTranspose2d(3, 6, 2, stride=2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(6) for _ in range(2))
        self.first = nn.ModuleList(nn.Conv2d(6, 10, 3, padding=1) for _ in range(2))
        self.second = nn.ModuleList(nn.Conv2d(10, 6, 3, padding=1) for _ in range(2))
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, first, second in zip(self.norms, self.first, self.second, strict=True):
            x = x + second(first(norm(x).relu()).relu())
        return self.fc(x.mean((2, 3)))


Case = tuple[Callable[[], nn.Module], tuple[int, ...]]
NETWORKS: dict[str, Case] = {
    "lenet": (lambda: LeNet((1, 8, 8), 10, plan=(20, 12)), (1, 8, 8)),
    "conv4": (lambda: ConvNet((3, 8, 8), 10, depth=4, dropout=0.3), (3, 8, 8)),
    "vgg11": (lambda: CifarVgg((3, 16, 16), 10, depth=11), (3, 16, 16)),
    "resnet14": (lambda: CifarResNet((3, 8, 8), 10, depth=14, width=4), (3, 8, 8)),
    "resnet18": (lambda: CifarResNet18((3, 8, 8), 10, width=4), (3, 8, 8)),
    "gated": (Gated, (3, 8, 8)),
    "grouped": (Grouped, (3, 8, 8)),
    "pre-activation": (PreActivation, (3, 8, 8)),
}


def made(name: str, seed: int = 0) -> tuple[nn.Module, tuple[int, ...]]:
    """A network with normalisations as after training, in evaluation mode."""
    torch.manual_seed(seed)
    make, shape = NETWORKS[name]
    return trained(make()), shape


def trained(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


def without_outputs(model: nn.Module, part: float, seed: int = 0) -> Mask:
    """A mask that lacks some outputs of every layer but the last."""
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.ones(model.get_parameter(name).shape, dtype=torch.bool) for name in kinds(model)}
    for name, kind in kinds(model).items():
        if kind != "output":
            masks[name][torch.rand(len(masks[name]), generator=generator) < part] = False
    return Mask(masks)
