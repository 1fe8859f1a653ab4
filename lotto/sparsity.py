"""Two more ways to count how sparse a ticket is, beside the density of all weights of convolutions and linear layers.

Papers differ in what they divide by. Where layers are left out of pruning, the ones that are pruned are sparser than the whole; and some
count the scales of normalisation layers among the weights (Hossain et al. 2022, COLT), though these are never pruned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lotto.estimate import Notes
from lotto.pruning.allocate import Layer, Rule
from lotto.spec import Spec
from lotto.store import Store


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    Args:
        layers: kind and number of weights of every convolution and linear layer, by the weight's name.
        scales: of all normalisation layers together.
    """

    layers: Mapping[str, Sequence[Any]]
    scales: int

    def sparsities(self, kept: Mapping[str, Sequence[int]], rule: Rule) -> dict[str, float | None]:
        """The two columns of the results.

        Args:
            kept: for every masked weight how many remain, of how many; those not named are dense.
            rule: it says which layers are left out of pruning.

        Returns:
            ``sparsity_pruned``, zeros over the weights of the layers that are pruned at all (None if there are none), and
            ``sparsity_weights``, zeros over the weights of convolutions, linear layers and normalisation; biases count in neither.
        """
        zeros = {name: total - kept[name][0] if name in kept else 0 for name, (_, total) in self.layers.items()}
        pruned = [n for n, (kind, total) in self.layers.items() if rule.rate_of(Layer(n, kind, total, total)) > 0]
        inside = sum(self.layers[name][1] for name in pruned)
        whole = sum(total for _, total in self.layers.values()) + self.scales
        return {
            "sparsity_pruned": sum(zeros[name] for name in pruned) / inside if inside else None,
            "sparsity_weights": sum(zeros.values()) / whole,
        }


def network_weights(spec: Spec, store: Store) -> Weights:
    """Counted once for every network, and noted in the store."""
    notes = Notes(store)
    name = {"weights": [dict(spec.model), list(spec.data.input_shape), spec.data.classes]}
    found = notes.find(name)
    if found is None or "scales" not in found:
        found = _counted(spec)
        notes.keep(name, found)
    return Weights(found["layers"], found["scales"])


def _counted(spec: Spec) -> dict[str, Any]:
    from torch import nn
    from torch.nn.modules.batchnorm import _NormBase

    from lotto.models.anatomy import counts, kinds
    from lotto.models.build import skeleton

    model = skeleton(spec.model, spec.data.input_shape, spec.data.classes)
    norms = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    kind = kinds(model)
    return {
        "layers": {name: [kind[name], count] for name, count in counts(model).items()},
        "scales": sum(
            module.weight.numel()
            for module in model.modules()
            if isinstance(module, norms) and module.weight is not None
        ),
    }
