"""What controls are made from and what they make."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from lotto.mask import Mask
from lotto.seeds import Streams


@dataclass(frozen=True)
class Start:
    """What a sparse network is trained from: parameters and buffers by name, and what remains of them.

    The pruned weights need not be zero yet: the mask is applied when the control has been made.
    """

    weights: dict[str, Tensor]
    mask: Mask


# From a mask and a score for every weight to a mask with as many groups of every kind, those that score highest.
Regroup = Callable[[Mask, dict[str, Tensor]], Mask]


@dataclass(frozen=True)
class Origin:
    """A ticket, and what else a control may take from the network it was found in.

    Args:
        ticket: the ticket that the control is a control for.
        weights: the unpruned weights of the rewinding point, empty for controls that do not need them.
        fresh: draws new weights and buffers from the distribution of the initialisation, from a stream of the given name.
        streams: the replicate's random streams.
        level: of the ticket.
        sample: which of several draws of this control for this ticket.
        inverted: the mask that keeps the lowest of the scores that the ticket has the highest of, for controls that need it.
        regroup: for a ticket from which whole groups of weights were removed (channels, tiles, two of every four): how others of them
            come to stay. None where single weights were pruned.
        zeroed: parameters of which the ticket has zeros beside its mask, such as the scales of removed channels.
        redraw: of a layer ticket, in its place: as many blocks, any of them with the same probability.
        spread: as many blocks, removed evenly over the stages.
    """

    ticket: Start
    weights: dict[str, Tensor]
    fresh: Callable[[int], dict[str, Tensor]]
    streams: Streams
    level: int
    sample: int
    inverted: Mask | None = None
    regroup: Regroup | None = None
    zeroed: Collection[str] = ()
    redraw: Callable[[Mask, torch.Generator], Mask] | None = None
    spread: Callable[[Mask], Mask] | None = None

    def unpruned(self) -> dict[str, Tensor]:
        """The ticket with the rewinding point's value wherever it lacks one; biases, statistics and all else as the ticket has them."""
        return self.ticket.weights | {name: self.weights[name] for name in (*self.ticket.mask, *self.zeroed)}

    def shuffled(self, generator: torch.Generator) -> Mask:
        """The ticket's number of weights in every layer, at random places; where whole groups were removed, others of them are."""
        mask = self.ticket.mask
        if self.redraw is not None:
            return self.redraw(mask, generator)
        if self.regroup is None:
            return mask.shuffle(generator)
        return self.regroup(mask, {name: torch.rand(kept.shape, generator=generator) for name, kept in mask.items()})

    def number(self, control: str) -> int:
        """The seed of a control's own stream: another for every level and sample."""
        return self.streams.number(f"control/{control}", self.level, self.sample)

    def generator(self, control: str) -> torch.Generator:
        return torch.Generator().manual_seed(self.number(control))
