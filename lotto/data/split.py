"""Random samples held out of a set, the same for every replicate."""

from __future__ import annotations

import torch
from torch import Tensor

from lotto.seeds import Streams


def hold_out(examples: int, count: int, split: str, split_seed: int) -> tuple[Tensor, Tensor]:
    """Holds ``count`` of ``examples`` out as ``split``: the kept and the held indices, ascending int64."""
    order = torch.randperm(examples, generator=Streams(split_seed, 0).generator("split-" + split))
    return order[count:].sort().values, order[:count].sort().values
