"""The plain loop in a contestant's place: on the images, from the weights and with the masks of lotto's first replicate."""

from __future__ import annotations

import time
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor, nn

from lotto.bench.data import made_up
from lotto.bench.measurement import Measurement
from lotto.bench.memory import PeakMemory
from lotto.bench.ours import make_starts
from lotto.bench.plain import Batches, PlainLoop, cropped_batches, prepare_process, whole_batches
from lotto.models.build import build
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.store import Store


def measure_plain(spec: Spec, device: torch.device) -> Measurement:
    """Train what ``spec`` asks for by hand. The recipes that are measured smooth no label and hold their first learning rate for long."""
    prepare_process(spec.hardware.threads, tf32=spec.hardware.precision == "tf32")
    loop = plain_loop(spec, device)
    memory = PeakMemory(device)
    memory.reset()
    began = time.perf_counter()
    loop.train(spec.train.steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    return Measurement(1, spec.train.steps, seconds, memory.peak(), "plain", str(device))


def plain_loop(spec: Spec, device: torch.device) -> PlainLoop:
    """The loop, ready for its first step."""
    start = _start(spec)
    model = build(spec.model, spec.data.input_shape, spec.data.classes, 0)
    model.load_state_dict(_under("weights/", start))
    model.to(device, torch.float64 if spec.hardware.precision == "64" else torch.float32)
    model.to(memory_format=torch.channels_last)
    masks = {name: mask.to(device) for name, mask in _under("mask/", start).items()}
    bf16 = spec.hardware.precision == "bf16"
    return PlainLoop(model, _optimizer(model, spec), masks, _batches(spec, device), bf16)


def _start(spec: Spec) -> dict[str, Tensor]:
    """What lotto's first replicate starts from."""
    plan, store = Plan.of(spec), Store(spec.store)
    make_starts(spec, plan, store)
    return store.tensors(plan.entries[0].start.key)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _optimizer(model: nn.Module, spec: Spec) -> torch.optim.Optimizer:
    options: dict[str, Any] = dict(spec.train.optimizer)
    kind = get_class(options.pop("_target_"))
    made: torch.optim.Optimizer = kind(
        model.parameters(), lr=spec.train.lr, weight_decay=spec.train.weight_decay, fused=True, **options
    )
    return made


def _batches(spec: Spec, device: torch.device) -> Batches:
    drawn = made_up(spec.data.train, spec.data.input_shape, spec.data.classes)
    images, labels = (tensor.to(device) for tensor in drawn)
    normalise = spec.data_config["normalise"]
    given = (images, labels, spec.train.batch_size, normalise["mean"], normalise["std"])
    paddings = [step["padding"] for step in spec.data_config["augment"] or () if "padding" in step]
    return cropped_batches(*given, paddings[0]) if paddings else whole_batches(*given)
