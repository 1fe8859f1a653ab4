"""Inverted scores: does it matter which weights a criterion likes, or only how many in each layer? (Frankle et al. 2021, §5)."""

from __future__ import annotations

from lotto.controls.origin import Origin, Start


def make(origin: Origin) -> Start:
    """As many weights in every layer as the ticket has, those that score lowest, with the values that the rewinding point has there.

    A criterion that prunes in rounds does so here too, from the other end. Whether the study keeps the layers' counts, or turns the
    ranking of all weights round, we have not checked; equal counts tell the ranking from the densities.
    """
    assert origin.inverted is not None
    return Start(origin.unpruned(), origin.inverted)
