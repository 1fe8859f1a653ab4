"""Shuffled mask: the ticket's weights matter, but not which of them (random pruning of Frankle et al. 2019, layer by layer)."""

from __future__ import annotations

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """As many weights in every layer as the ticket has, at random places, with the values that the rewinding point has there.

    Of a structured ticket whole groups change places: its shuffled channels are channels.
    """
    return Start(origin.unpruned(), origin.shuffled(origin.generator("shuffle")))
