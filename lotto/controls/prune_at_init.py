"""Pruning before training: the magnitudes that the weights start with choose the mask (Frankle & Carbin 2019, App. F.4)."""

from __future__ import annotations

from lotto.controls.origin import Origin, Start
from lotto.mask import Mask
from lotto.pruning.select import keep_highest


def make(origin: Origin) -> Start:
    """As many weights in every layer as the ticket has, the largest at the rewinding point (the paper's theta_0 if that is step 0).

    Of a structured ticket as many groups, those of the largest mean magnitude there.
    """
    if origin.regroup is not None:
        sizes = {name: origin.weights[name].abs() for name in origin.ticket.mask}
        return Start(origin.unpruned(), origin.regroup(origin.ticket.mask, sizes))
    counts = origin.ticket.mask.counts()
    mask = {}
    for name, kept in origin.ticket.mask.items():
        scores = origin.weights[name].abs().flatten()
        mask[name] = keep_highest(scores, kept.new_ones(kept.numel()), counts[name]).view_as(kept)
    return Start(origin.unpruned(), Mask(mask))
