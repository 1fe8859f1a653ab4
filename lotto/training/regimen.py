"""What happens while a network trains, beside the optimizer's updates: masks that move, gradients that are damped, scores that are trained.

A train stage's field ``regimen`` names a class below ``Regimen`` and its options. Every replicate of a fit has a regimen of its own, which
sees its replicate alone through a ``View``: stacked or alone it does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from hydra.utils import get_class
from torch import Tensor, nn

from lotto.mask import Mask
from lotto.training.network import Network, Tensors

if TYPE_CHECKING:
    from lotto.training.member import Member


class View:
    """One replicate of a fit, in the names and shapes of the plain module. Tensors are views: what is written in place is trained on.

    Attributes:
        model: the plain module, for its structure alone: its own tensors mean nothing.
        kinds: the prunable weights and their kinds, in registration order.
        streams: the replicate's streams of random numbers.
        recipe: the fields of the train stage.
        first: the absolute step that this fit begins at.
        steps_per_epoch: optimizer steps of an epoch.
        start: the mask that the replicate started from, or None for a dense network.
    """

    def __init__(
        self,
        network: Network,
        member: Member,
        place: int,
        model: nn.Module,
        kinds: Mapping[str, str],
        recipe: Mapping[str, Any],
        first: int,
        steps_per_epoch: int,
        multipliers: Tensors,
    ) -> None:
        self.model, self.kinds, self.recipe = model, dict(kinds), recipe
        self.streams, self.start, self.first, self.steps_per_epoch = (
            member.streams,
            member.mask,
            first,
            steps_per_epoch,
        )
        self._network, self._place, self._multipliers = network, place, multipliers
        self._slots: Callable[[str], Mapping[str, Tensor]] = lambda name: {}

    @property
    def names(self) -> list[str]:
        """All parameters and persistent buffers."""
        return list(self._network.tensors())

    @property
    def parameters(self) -> list[str]:
        return list(self._network.trained())

    def weight(self, name: str) -> Tensor:
        """A parameter or buffer."""
        return self._network.of_replicate(name, self._network.tensors()[name].detach(), self._place)

    def gradient(self, name: str) -> Tensor | None:
        """The gradient of a parameter after the backward pass, of the effective weight: dense, not yet masked. None if it has none."""
        gradient = self._network.trained()[name].grad
        return None if gradient is None else self._network.of_replicate(name, gradient, self._place)

    def slots(self, name: str) -> dict[str, Tensor]:
        """The optimizer's state for a parameter where it has one number for each weight: momentum, moments."""
        shape = self._network.tensors()[name].shape
        return {
            slot: self._network.of_replicate(name, value, self._place)
            for slot, value in self._slots(name).items()
            if value.shape == shape
        }

    def kept(self, name: str) -> Tensor:
        """Which of a prunable weight's entries remain now: bool, shaped like the weight."""
        return self._network.of_replicate(name, self._multipliers[name], self._place) != 0

    @torch.no_grad()
    def keep(self, name: str, kept: Tensor) -> None:
        """Let these entries of a prunable weight remain from now on, bool, shaped like it.

        Weights that are left out become zero, and so does the optimizer's state of all whose part changes: what grows starts clean.
        """
        changed = self.kept(name) != kept
        self._network.of_replicate(name, self._multipliers[name], self._place).copy_(kept)
        self.weight(name).masked_fill_(~kept, 0.0)
        for slot in self.slots(name).values():
            slot.masked_fill_(changed, 0.0)

    def mask(self) -> Mask:
        """All that remains now, on the CPU."""
        return Mask({name: self.kept(name).cpu().clone() for name in self.kinds})

    def generator(self, *indices: int) -> torch.Generator:
        """A generator on the CPU, for these numbers (a step, a layer) the same wherever a fit was begun or resumed."""
        return self.streams.generator("regimen", *indices)


class Regimen:
    """Does nothing. A regimen overrides what it needs; its options are those of its constructor, after the view.

    ``step`` is the absolute step everywhere. A regimen is made anew when a fit is resumed: what it must remember is its ``state``.

    Attributes:
        moves_masks: whether it calls ``View.keep``; the trained artifact then holds the mask that it ends with.
    """

    moves_masks = False

    def __init__(self, view: View) -> None:
        self.view = view

    @classmethod
    def check(cls, model: nn.Module) -> None:
        """Raises BadRequest where it can do nothing with this network; asked before anything is trained."""

    def begin(self) -> None:
        """The weights are in place; nothing was trained in this fit. Not called where a checkpoint's state is taken up."""

    def trained(self) -> dict[str, nn.Parameter]:
        """What the optimizer moves instead of the network's parameters, by name; empty for those. Asked once, before ``begin``."""
        return {}

    def before_forward(self, step: int) -> None:
        """Before the forward pass of a step."""

    def after_backward(self, step: int) -> bool:
        """Gradients are there, dense, not yet masked. Returns whether the optimizer is to take its step."""
        return True

    def after_update(self, step: int) -> None:
        """The optimizer has moved what it trains."""

    def before_evaluation(self, step: int) -> None:
        """The network is about to be evaluated after ``step`` steps."""

    def row(self) -> dict[str, float]:
        """Numbers for the line of metrics that an evaluation writes."""
        return {}

    def state(self) -> Tensors:
        """What it remembers, so that another object can go on."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Takes up the ``state`` of an earlier object."""

    @property
    def over(self) -> bool:
        """Whether this replicate needs no further training. The fit ends once all of them are over."""
        return False

    @property
    def settled(self) -> bool:
        """Whether the network is what it will be reported as: an evaluation before that is no early-stopping step.

        A network that is still denser than its level must not lend it an accuracy. Settled at the last step at the latest.
        """
        return True

    def results(self) -> dict[str, Any]:
        """What it found, for the record of the trained artifact: JSON values."""
        return {}

    def artifact(self) -> Tensors:
        """Tensors of the trained artifact: ``weights/NAME`` in place of the trained ones, ``mask/NAME`` (bool), or others."""
        return {f"mask/{name}": kept for name, kept in self.view.mask().items()} if self.moves_masks else {}


class Regimens:
    """The regimens of a fit's replicates, as one; without any there is nothing to do.

    Args:
        multipliers: what keeps pruned weights at zero, in the network's layout, as ``Network.multipliers`` gives it.
    """

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        model: nn.Module,
        kinds: Mapping[str, str],
        recipe: Mapping[str, Any],
        first: int,
        steps_per_epoch: int,
        multipliers: Tensors,
    ) -> None:
        config = dict(recipe["regimen"])
        kind = regimen_class(config)
        options = {name: value for name, value in config.items() if name != "_target_"}
        self._views = [
            View(network, member, place, model, kinds, recipe, first, steps_per_epoch, multipliers)
            for place, member in enumerate(members)
        ]
        self.each = [kind(view, **options) for view in self._views]
        own = [regimen.trained() for regimen in self.each]
        self.parameters = {f"{place}/{name}": p for place, found in enumerate(own) for name, p in found.items()}

    def attach(self, optimizer: torch.optim.Optimizer, network: Network) -> None:
        """The optimizer is there: its state can be seen."""
        state = optimizer.state

        def slots(name: str) -> Mapping[str, Tensor]:
            found = state.get(network.trained()[name], {})
            return {slot: value for slot, value in found.items() if isinstance(value, Tensor)}

        for view in self._views:
            view._slots = slots

    def begin(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        """Begin, or go on from the states that an earlier fit ended with."""
        for regimen, state in zip(self.each, states, strict=True):
            with torch.no_grad():
                _restore(regimen, state) if state else regimen.begin()

    def before_forward(self, step: int) -> None:
        with torch.no_grad():
            for regimen in self.each:
                regimen.before_forward(step)

    def after_backward(self, step: int) -> bool:
        with torch.no_grad():
            wanted = [regimen.after_backward(step) for regimen in self.each]
        if any(wanted) != all(wanted):
            raise AssertionError("the regimens of a stack disagree about a step: it must follow from the recipe alone")
        return all(wanted)

    def after_update(self, step: int) -> None:
        with torch.no_grad():
            for regimen in self.each:
                regimen.after_update(step)

    def before_evaluation(self, step: int) -> None:
        for regimen in self.each:
            regimen.before_evaluation(step)

    @property
    def over(self) -> bool:
        return all(regimen.over for regimen in self.each)

    def settled(self, device: torch.device) -> Tensor:
        """Of every replicate, bool ``[R]``."""
        return torch.tensor([regimen.settled for regimen in self.each], device=device)

    def row(self, device: torch.device) -> Tensors:
        """The numbers of every replicate, float64 ``[R]``."""
        rows = [regimen.row() for regimen in self.each]
        return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64, device=device) for name in rows[0]}

    def states(self) -> list[Tensors]:
        """What every replicate's regimen remembers, its mask included where it moves it."""
        return [_state(regimen) for regimen in self.each]

    def restore(self, states: Sequence[Mapping[str, Tensor]]) -> None:
        with torch.no_grad():
            for regimen, state in zip(self.each, states, strict=True):
                _restore(regimen, state)


def regimen_class(config: Mapping[str, Any]) -> type[Regimen]:
    """The class that a train stage's ``regimen`` names."""
    found: type[Regimen] = get_class(config["_target_"])
    return found


_MASK = "kept/"


def _state(regimen: Regimen) -> Tensors:
    own = {f"own/{name}": tensor.detach() for name, tensor in regimen.state().items()}
    masks = {name: regimen.view.kept(name) for name in regimen.view.kinds} if regimen.moves_masks else {}
    return own | {f"{_MASK}{name}": kept.to(torch.uint8) for name, kept in masks.items()}


def _restore(regimen: Regimen, state: Mapping[str, Tensor]) -> None:
    view = regimen.view
    for name, kept in state.items():
        if name.startswith(_MASK):
            multiplier = view._network.of_replicate(
                name.removeprefix(_MASK), view._multipliers[name.removeprefix(_MASK)], view._place
            )
            multiplier.copy_(kept)
    regimen.restore({name.removeprefix("own/"): t for name, t in state.items() if name.startswith("own/")})
