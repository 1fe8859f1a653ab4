"""What the optimizer moves: the network's parameters, or those that a regimen trains in their place; and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from lotto.training.network import Network, Tensors
from lotto.training.regimen import Regimens
from lotto.training.slots import gather_slots, read_slots, slot_of_replicate, write_slots


class Moved:
    """The parameters of an optimizer by name.

    A regimen's own are one for each replicate, ``<place>/<name>``; the network's hold all replicates in its layout.
    """

    def __init__(self, network: Network, regimens: Regimens | None) -> None:
        self._network = network
        self._apart = regimens is not None and bool(regimens.parameters)
        self.parameters: dict[str, nn.Parameter] = (
            regimens.parameters if regimens is not None and self._apart else network.trained()
        )

    def read(self, optimizer: torch.optim.Optimizer) -> Tensors:
        """The optimizer's state by slot and name, not copied."""
        return read_slots(optimizer, self.parameters)

    def write(self, slots: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        write_slots(slots, optimizer, self.parameters, device)

    def gather(self, members: Sequence[Mapping[str, Tensor]]) -> Tensors:
        """From the state of every replicate, in the shapes of the plain module, the state of all of them."""
        if not self._apart:
            return gather_slots(members, self._network)
        return {
            f"{slot}/{place}/{name}": value
            for place, slots in enumerate(members)
            for (slot, _, name), value in ((path.partition("/"), value) for path, value in slots.items())
        }

    def of_replicate(self, slots: Mapping[str, Tensor], place: int) -> Tensors:
        """The reverse: copies of one replicate's state."""
        if not self._apart:
            return {path: slot_of_replicate(path, slot, self._network, place).clone() for path, slot in slots.items()}
        found: Tensors = {}
        for path, value in slots.items():
            slot, owner, name = path.split("/", 2)
            if owner == str(place):
                found[f"{slot}/{name}"] = value.clone()
        return found
