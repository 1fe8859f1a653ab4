"""One of several processes that train made-up networks together: ``python -m tests.training.several FILE``, as torchrun would start it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lotto.data.augment import HorizontalFlip, PadCrop
from lotto.errors import BadRequest
from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet
from lotto.request.hardware import HardwareSpec
from lotto.training.engine import check_split
from lotto.training.member import Fitted
from lotto.training.ranks import Ranks, joined
from tests.training.made_up import IMAGE, fitted, members
from tests.training.test_engines import Dropping, Grouped, Wordy

COUNT = 2
# Of 40 examples: batches of 15, 15 and 10, which two processes share as 7 and 8, and as 5 each.
BATCH = 15


class Folding(nn.Module):
    """Examples become several rows, which are normalised and drawn for in a layout of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 12)
        self.norm = nn.BatchNorm1d(12, momentum=None)
        self.bare = nn.BatchNorm1d(12, affine=False)
        self.head = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.norm(self.embed(x.reshape(-1, 48))).relu()
        sequences = tokens.view(len(x), 16, 12).transpose(1, 2)
        dropped = nn.functional.alpha_dropout(nn.functional.dropout(sequences, 0.3, self.training), 0.1, self.training)
        return self.head(self.bare(dropped).mean(2))


class Choosing(nn.Module):
    """A layer that only some examples reach, and one that none does."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.rare, self.never = nn.Linear(768, 10), nn.Linear(768, 10), nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        chosen = x[:, 0] > 0.9
        logits = self.head(x)
        return logits.index_add(0, chosen.nonzero()[:, 0], self.rare(x[chosen])) if bool(chosen.any()) else logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lenet": partial(LeNet, IMAGE, 10),
    "resnet20": partial(CifarResNet, IMAGE, 10, width=2),
    "groups, skip and shared weight": Grouped,
    "dropout": Dropping,
    "sequences": Wordy,
    "rows of several examples": Folding,
    "a layer that few examples reach": Choosing,
}


class Mixing(nn.Module):
    """Its layer knows the other examples of the batch, in a way that is nobody's batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.head(x - x.mean(0))


class Noisy(nn.Module):
    """Draws by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) * (torch.rand(len(x), 1) if self.training else 1.0)


class Batchwise(nn.Module):
    """It keeps no statistics: an example's evaluation depends on what is evaluated beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.head = nn.BatchNorm1d(768, track_running_stats=False), nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(x.flatten(1)))


REFUSED: dict[str, Callable[[], nn.Module]] = {"mixing": Mixing, "noisy": Noisy, "no statistics": Batchwise}


# What moves masks looks at the gradient of the whole batch, and draws alike in every process.
_MOVING = {
    "_target_": "lotto.dynamic.moving.MovingMask",
    "every": 3,
    "begin": 0,
    "end": 10,
    "fraction": 0.5,
    "decay": "cosine",
    "least": 0.0,
}
REGIMENS: dict[str, dict[str, Any]] = {
    "set": {**_MOVING, "growth": "random", "replaces_step": False},
    "rigl": {**_MOVING, "growth": "gradient", "replaces_step": True},
    "gmp": {
        "_target_": "lotto.dynamic.gradual.GradualPruning", "every": 3, "begin": 1, "end": 10, "initial": 0.0, "allow_regrow": True,
        "rule": {"allocation": "global", "rate": 0.2, "exclude": []}, "target": {"target": "density", "value": 0.1},
    },
}  # fmt: skip


def moved(name: str, ranks: Ranks | None = None) -> list[Fitted]:
    """A residual network whose mask moves while it is trained."""
    make = NETWORKS["resnet20"]
    recipe = {"batch_size": BATCH, "stop": 12, "evaluate_every": 5, "regimen": REGIMENS[name]}
    return fitted(make, members(make, 1, 0.4), "alone", ranks=ranks, start=0, **recipe)


def trained(name: str, ranks: Ranks | None = None) -> list[Fitted]:
    """A ticket of 40% of the weights on augmented images, in float64."""
    make = NETWORKS[name]
    augment = (HorizontalFlip(), PadCrop(2))
    # PyTorch's fused SGD takes no first gradient that comes later than others.
    optimizer = {"optimizer": {"_target_": "torch.optim.Adam", "eps": 1e-3}} if make is Choosing else {}
    recipe = {"batch_size": BATCH, "stop": 12, "evaluate_every": 5, **optimizer}
    return fitted(make, members(make, 1, 0.4), "alone", ranks=ranks, augment=augment, **recipe)


def refusal(make: Callable[[], nn.Module], ranks: Ranks) -> str | None:
    torch.manual_seed(0)
    try:
        check_split(make(), IMAGE, ranks)
    except BadRequest as reason:
        return str(reason)
    return None


def launch(folder: Path) -> list[subprocess.Popen[str]]:
    """The processes, each of which leaves ``RANK.pt`` in the folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(COUNT), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.several", str(folder / f"{rank}.pt")],
            env={**os.environ, **common, "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(COUNT)
    ]


def main(path: str) -> None:
    with joined(HardwareSpec(accelerator="cpu", precision="64", devices=COUNT)) as ranks:
        made = {
            "trained": {name: trained(name, ranks) for name in NETWORKS},
            "moved": {name: moved(name, ranks) for name in REGIMENS},
            "refused": {name: refusal(make, ranks) for name, make in (NETWORKS | REFUSED).items()},
        }
        torch.save(made, path)
        if not ranks.first:
            assert ranks.hear() is None  # what the first one says when it leaves


if __name__ == "__main__":
    main(sys.argv[1])
