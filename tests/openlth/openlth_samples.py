"""Runs laid out as OpenLTH leaves them, pruned by its rule as its description states it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet

State = dict[str, Tensor]


def lenet() -> nn.Module:
    return LeNet((1, 28, 28), 10, (20, 10))


def resnet() -> nn.Module:
    return CifarResNet((3, 32, 32), 10, 8, 4)


def sparse_global(end: State, mask: State, fraction: float, ignored: Sequence[str]) -> State:
    """The next mask: what is above the (n + 1)-th smallest magnitude, n being a fraction of all that is alive."""
    count = math.ceil(fraction * sum(int(kept.sum()) for kept in mask.values()))
    candidates = [name for name in mask if name not in ignored]
    alive = torch.cat([end[name][mask[name] == 1].abs() for name in candidates]).sort().values
    threshold = alive[count]
    return {
        name: torch.where(end[name].abs() > threshold, kept, torch.zeros_like(kept)) if name in candidates else kept
        for name, kept in mask.items()
    }


def write_run(
    folder: Path,
    model: nn.Module,
    levels: int = 3,
    rewound: str = "ep0_it0",
    end: str = "ep40_it0",
    ignored: Sequence[str] = (),
    prefix: str = "",
    fraction: float = 0.2,
) -> Path:
    """Levels 0 to ``levels`` of a made-up run whose "training" adds noise; returns the replicate's folder."""
    generator = torch.Generator().manual_seed(0)
    weights = {prefix + name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    linear = (nn.Linear, nn.Conv2d)
    prunable = [f"{prefix}{path}.weight" for path, module in model.named_modules() if isinstance(module, linear)]
    mask = {name: torch.ones_like(weights[name], dtype=torch.int32) for name in prunable}
    for level in range(levels + 1):
        main = folder / f"level_{level}" / "main"
        main.mkdir(parents=True)
        start = {name: tensor * mask[name] if name in mask else tensor for name, tensor in weights.items()}
        trained = {
            name: tensor + torch.randn(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor + 7
            for name, tensor in start.items()
        }
        trained = {name: tensor * mask[name] if name in mask else tensor for name, tensor in trained.items()}
        torch.save(start, main / f"model_{rewound}.pth")
        torch.save(trained, main / f"model_{end}.pth")
        torch.save(mask, main / "mask.pth")
        counts = {
            "total": float(sum(kept.numel() for kept in mask.values())),
            "unpruned": float(sum(kept.sum() for kept in mask.values())),
        }
        (main / "sparsity_report.json").write_text(json.dumps(counts))
        (main / "logger").write_text(
            "test_loss,0,2.3\ntest_accuracy,0,0.1\ntest_examples,0,10000\ntest_loss,18760,0.5\ntest_accuracy,18760,0.9\n"
        )
        mask = sparse_global(trained, mask, fraction, ignored)
    return folder


def rewrite(path: Path, name: str, index: int, value: float) -> None:
    """Change one number of a ``.pth`` file."""
    tensors = torch.load(path, weights_only=True)
    tensors[name].view(-1)[index] = value
    torch.save(tensors, path)
