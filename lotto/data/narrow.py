"""The examples that belong to a part of a data set."""

from __future__ import annotations

import torch
from torch import Tensor

from lotto.data.part import Part
from lotto.errors import BadRequest


def narrow(part: Part, labels: Tensor, split: str) -> tuple[Tensor, Tensor]:
    """Which examples of a split the part keeps, and what it calls their classes.

    Shares are dealt out class by class, in the order of the examples: two shares of a class differ by one example at most, and so do
    whole shares. They are of the training examples alone: whoever trains on one is measured on all validation and test examples.

    Args:
        labels: of all examples of the split, int64 ``[n]``.

    Returns:
        Indices, ascending int64 ``[m]``, and new labels, int64 ``[m]``.

    Raises:
        BadRequest: there were examples, and none is left.
    """
    new = labels
    if part.classes is not None:
        highest = max([*part.classes, int(labels.max()) if len(labels) else 0])
        names = torch.full((highest + 1,), -1)
        names[list(part.classes)] = torch.arange(len(part.classes))
        new = names[labels]
    kept = (new >= 0).nonzero().squeeze(1)
    if split == "train" and part.of > 1:
        by_class = kept[new[kept].argsort(stable=True)]
        kept = by_class[part.share :: part.of].sort().values
    if len(labels) and not len(kept):
        raise BadRequest(f"data.part={part.field} leaves no example of the {split} split.")
    return kept, new[kept]
