"""Running a probe stage: its networks from the store, its numbers back into it."""

from __future__ import annotations

from typing import Any

import torch
from hydra.utils import get_method
from torch import nn

from lotto.data.interface import Data
from lotto.mask import Mask
from lotto.probes.subject import Numbers, State, Subject
from lotto.stage import Stage
from lotto.stages import mask_of, model_of, streams_of, under
from lotto.store import Store


def run_probe(stage: Stage, store: Store, data: Data | None, device: torch.device) -> list[dict[str, Any]]:
    """The rows that the probe reads: ``measure``, ``value``, and where they apply ``layer``, ``pair`` and ``x``."""
    networks = {role: _state(parent, store, device) for role, parent in stage.parents.items()}
    if data is not None:
        data.place(device)
    doubled = any(t.dtype == torch.float64 for state in networks.values() for t in state.weights.values())

    def module() -> nn.Module:
        model = model_of(stage.fields).to(device).eval()
        return model.double() if doubled else model

    subject = Subject(networks, module, streams_of(stage.fields), device, data)
    options = dict(stage.fields["probe"])
    numbers = Numbers()
    get_method(options.pop("_target_"))(subject, numbers, **options)
    return numbers.rows


def _state(stage: Stage, store: Store, device: torch.device) -> State:
    tensors = store.tensors(stage.key)
    weights = {name: tensor.to(device) for name, tensor in under(tensors, "weights/").items()}
    start = store.tensors(stage.parents["start"].key) if stage.kind == "train" else {}
    mask = mask_of(tensors, start)
    mask = None if mask is None else Mask({name: kept.to(device) for name, kept in mask.items()})
    if stage.kind != "train":
        return State(weights, mask)
    return State(weights, mask, stage.fields["stop"], store.metrics(stage.key))
