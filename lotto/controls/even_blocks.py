"""The plainer shallow network: as many blocks less, evenly over the stages, with weights of its own (a control of layer tickets)."""

from __future__ import annotations

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """As many residual blocks as the ticket has, removed from the ends of the stages in turn, and new weights.

    Of a ticket that lacks no blocks its own mask: nothing but the weights is new then.
    """
    mask = origin.ticket.mask if origin.spread is None else origin.spread(origin.ticket.mask)
    return Start(origin.fresh(origin.number("even_blocks")), mask)
