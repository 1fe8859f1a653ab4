"""How evenly a mask is spread over a layer: a unit that keeps nothing is dead, whatever the layer's density says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

BINS = 20


def kept_per_unit(tensors: Mapping[str, Tensor]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each masked layer of a ticket's artifact, counts and edges of the fraction of its weights that each unit keeps."""
    import numpy as np

    return {
        path.removeprefix("mask/"): np.histogram(mask.float().flatten(1).mean(1).numpy(), BINS, (0.0, 1.0))
        for path, mask in tensors.items()
        if path.startswith("mask/")
    }
