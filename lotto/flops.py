"""FLOPs of networks and of their training: a multiplication and an addition count as two.

Of a convolution or linear layer with a mask a fraction density of the dense layer's count is left, which is what a device that skips
zeros would compute; today's dense kernels compute all of it. What is no such layer (attention's products, say) counts as dense. Biases,
normalisations, activations and poolings are not counted, as is usual.

Training costs three forward passes a step, one forward and two of the same size backward, where the mask stays; where it moves, what its
regimen says (``lotto.passes``). Evaluations are not counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lotto.estimate import Notes
from lotto.spec import Spec
from lotto.store import Store


@dataclass(frozen=True)
class Flops:
    """Of one example's forward pass through the dense network.

    Args:
        layers: by the name of the prunable weight.
        others: of everything else.
    """

    layers: Mapping[str, int]
    others: int

    def inference(self, kept: Mapping[str, Sequence[int]]) -> float:
        """Of one example, where of each layer as many weights are kept of as many: those not named are dense."""
        densities = {name: count / total for name, (count, total) in kept.items()}
        return self.others + sum(flops * densities.get(name, 1.0) for name, flops in self.layers.items())


def examples(spec: Spec, start: int, stop: int) -> int:
    """Training examples that one replicate sees from one step to another; an epoch's last batch may be a part of one."""
    return _seen(spec, stop) - _seen(spec, start)


def _seen(spec: Spec, steps: int) -> int:
    train = spec.train
    epochs, rest = divmod(steps, train.steps_per_epoch)
    whole = train.steps_per_epoch * train.batch_size if train.drop_last else spec.data.train
    return epochs * min(whole, spec.data.train) + min(rest * train.batch_size, spec.data.train)


def network_flops(spec: Spec, store: Store) -> Flops | None:
    """Counted once for every network, and noted in the store; None for one that cannot be followed without data."""
    notes = Notes(store)
    name = {"flops": [dict(spec.model), list(spec.data.input_shape), spec.data.classes]}
    found = notes.find(name) or {}
    if "layers" not in found:
        found = _counted(spec)
        notes.keep(name, found)
    return None if found["layers"] is None else Flops(found["layers"], found["others"])


def _counted(spec: Spec) -> dict[str, Any]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from lotto.models.anatomy import kinds, layers
    from lotto.models.build import skeleton

    model = skeleton(spec.model, spec.data.input_shape, spec.data.classes).eval()
    if hasattr(model, "by_layers"):  # it would else compute for many examples at once what is to be counted of one
        setattr(model, "by_layers", True)  # noqa: B010 - a name that modules in general have not
    counter = FlopCounterMode(display=False)
    try:
        with counter, torch.no_grad():
            model(torch.empty(1, *spec.data.input_shape, device=next(model.parameters()).device))
    except Exception:
        return {"layers": None, "others": None}  # a network whose forward pass looks at values
    own = {path: sum(counts.values()) for path, counts in counter.get_flop_counts().items()}
    root = type(model).__name__
    named = {id(tensor): name for name, tensor in model.named_parameters() if name in kinds(model)}
    found: dict[str, int] = {}
    for path, layer in layers(model):
        name = named[id(layer.weight)]
        found[name] = found.get(name, 0) + own.get(f"{root}.{path}" if path else root, 0)
    return {"layers": found, "others": counter.get_total_flops() - sum(found.values())}
