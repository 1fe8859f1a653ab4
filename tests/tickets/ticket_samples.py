"""A store with a small run in it, made by hand: dense, trained, pruned, rewound to step 7, trained, and a control."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lotto.mask import Mask
from lotto.models.build import build
from lotto.stage import Stage
from lotto.store import Store
from lotto.training.network import state_of

NETWORK = {"model": {"_target_": "lotto.models.lenet.LeNet", "plan": [5]}, "input_shape": [1, 2, 3], "classes": 3}
STREAMS = {"seed": 4, "replicate": 1}
PRUNING = {
    **NETWORK,
    "criterion": {"_target_": "a.b"},
    "allocation": "layerwise",
    "rate": 0.2,
    "target": "rounds",
    "count": 1,
}


def fresh_model(seed: int = 99) -> nn.Module:
    return build(NETWORK["model"], (1, 2, 3), 3, seed)  # type: ignore[arg-type]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {f"weights/{name}": tensor.detach() for name, tensor in state_of(model).items()}


@dataclass(frozen=True)
class StoredRun:
    store: Store
    dense: Stage
    ticket: Stage
    control: Stage
    stages: dict[str, Stage]
    mask: Mask


def store_run(root: Path) -> StoredRun:
    store = Store(root)
    init = Stage("init", {**NETWORK, **STREAMS})

    def train(start: Stage, first: int, stop: int) -> Stage:
        fields = {**NETWORK, **STREAMS, "data": {"name": "toy"}, "start": first, "stop": stop}
        return Stage("train", fields, {"start": start})

    point, dense = train(init, 0, 7), train(init, 0, 50)
    prune = Stage("prune", PRUNING, {"trained": dense})
    rewind = Stage("rewind", {"optimizer_state": "fresh", "batch_norm": "follow"}, {"weights": point, "mask": prune})
    control = Stage("control", {**NETWORK, **STREAMS, "control": {"_target_": "a.c"}}, {"ticket": rewind})
    late = Stage("rewind", {"optimizer_state": "fresh", "batch_norm": "follow"}, {"weights": dense, "mask": prune})
    trained, trained_late = train(rewind, 7, 50), train(late, 7, 50)

    weights = {stage: weights_of(fresh_model(seed)) for seed, stage in enumerate([init, point, dense])}
    generator = torch.Generator().manual_seed(0)
    names = ("fc_layers.0.weight", "fc.weight")
    mask = Mask({name: torch.rand(weights[init][f"weights/{name}"].shape, generator=generator) < 0.6 for name in names})

    def masked(tensors: dict[str, Tensor], kept: Mask) -> dict[str, Tensor]:
        plain = {name.removeprefix("weights/"): tensor for name, tensor in tensors.items()}
        return {f"weights/{name}": tensor for name, tensor in kept.apply(plain).items()} | in_store(kept)

    def in_store(kept: Mask) -> dict[str, Tensor]:
        return {f"mask/{name}": tensor.to(torch.uint8) for name, tensor in kept.items()}

    shuffled = mask.shuffle(torch.Generator().manual_seed(1))
    contents = {
        **weights,
        prune: in_store(mask),
        rewind: masked(weights[point], mask),
        late: masked(weights[dense], mask),
        control: masked(weights[point], shuffled),
        trained: masked(weights[dense], mask),
        trained_late: masked(weights[dense], mask),
    }
    for stage, tensors in contents.items():
        parents = {role: parent.key for role, parent in stage.parents.items()}
        record: dict[str, Any] = {"kind": stage.kind, "fields": dict(stage.fields), "parents": parents, "result": {}}
        store.publish(stage.key, record, tensors)
    stages = {
        "init": init,
        "point": point,
        "prune": prune,
        "trained": trained,
        "late": late,
        "trained_late": trained_late,
    }
    return StoredRun(store, dense, rewind, control, stages, mask)
