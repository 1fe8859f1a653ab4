"""The training images that a criterion looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lotto.data.interface import Data
from lotto.errors import StageFailed
from lotto.pruning.criterion import Batch


def draw(data: Data, settings: Mapping[str, Any], generator: torch.Generator) -> list[Batch]:
    """Images of the training set, normalised and not augmented, drawn without replacement and in random order.

    Args:
        settings: those of ``BatchSettings`` that are not None.

    Returns:
        x float32 ``[B, C, H, W]`` and y int64 ``[B]`` of every batch, on the data's device.

    Raises:
        StageFailed: a class has fewer images than are asked for.
    """
    labels = data.labels("train")
    order = torch.randperm(len(labels), generator=generator)
    if (each := settings.get("per_class")) is not None:
        chosen = order[_first_of_every_class(labels[order], data.classes, each)]
    else:
        chosen = order[: settings["count"] * settings["size"]]
    return [data.pick("train", indices) for indices in chosen.split(settings.get("size", len(chosen)))]


def _first_of_every_class(labels: Tensor, classes: int, each: int) -> Tensor:
    """The places of the first ``each`` of every class, ascending: classes are mixed as the labels are."""
    places = [(labels == label).nonzero().squeeze(1) for label in range(classes)]
    for label, found in enumerate(places):
        if len(found) < each:
            raise StageFailed(
                f"prune.batches.per_class={each}, and class {label} has {len(found)} images to train on: ask for fewer."
            )
    return torch.cat([found[:each] for found in places]).sort().values
