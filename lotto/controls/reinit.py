"""Random reinitialisation: the ticket's mask with weights drawn afresh (Frankle & Carbin 2019, §2 to §4)."""

from __future__ import annotations

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """The same mask; weights, biases and normalisation anew from the same distribution as the first ones."""
    return Start(origin.fresh(origin.number("reinit")), origin.ticket.mask)
