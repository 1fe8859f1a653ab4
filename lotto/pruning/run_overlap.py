"""Running an overlap stage: from the masks of several copies to the one that all of them go on with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Rule
from lotto.pruning.overlap import overlap, overlap_numbers, with_floor
from lotto.pruning.prune import emptied, layers_of
from lotto.slimming import gone_with
from lotto.stages import Tensors, mask_counts, mask_in, mask_tensors, model_of, under
from lotto.zeroed import zeroed_in, zeroed_tensors


def run_overlap(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """What all copies keep, its counts, and in ``numbers`` how far the copies agree.

    Args:
        fields: of the stage: the copies' network, ``exclude`` and ``floor``.
        parents: the copies' masks, ``mask0``, ``mask1``, …; what remained ``before`` unless they were dense; and for a floor the trained
            networks, ``trained0``, ``trained1``, ….
    """
    masks = [Mask(under(tensors, "mask/")) for role, tensors in parents.items() if role.startswith("mask")]
    before = mask_in(parents.get("before", {})) or Mask.ones(masks[0])
    common = overlap(masks)
    if fields["floor"]:
        trained = [under(tensors, "weights/") for role, tensors in parents.items() if role.startswith("trained")]
        sizes = {name: torch.stack([copy[name] for copy in trained]).abs().sum(0) for name in common}
        common = with_floor(common, masks, before, sizes, fields["floor"])
    model = model_of(fields)
    spared = Rule("global", 0.5, tuple(fields["exclude"])).rates(layers_of(common, kinds(model)))
    numbers = overlap_numbers(common, masks, before, [name for name, rate in spared.items() if rate > 0])
    empty = emptied(common, before)
    structured = any(zeroed_in(tensors) for tensors in parents.values())
    zeroed = gone_with(model, tuple(fields["input_shape"]), common) if structured else {}
    result = mask_counts(common) | {"numbers": numbers} | ({"emptied": empty} if empty else {})
    return mask_tensors(common) | zeroed_tensors(zeroed), result
