"""SNIP: a weight counts as much as the loss reacts to its removal (Lee, Ajanthan & Torr 2019, Single-shot Network Pruning).

With a factor m on every weight, the connection sensitivity is |dL/dm| at m = 1, which equals |w g| with g = dL/dw (their eq. 4;
dividing all by their sum, as the paper does, changes no ranking). The paper prunes once, before training, with one batch of labelled
images and weights from an initialisation whose variance is scaled; of CIFAR-10 that is 128 images, as far as we remember.
``iterative_snip`` is the same score in several rounds (de Jorge et al. 2021; Verdenius et al. 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.pruning.gradients import Mode, gradients, prunable, set_mode, total_gradients
from lotto.pruning.redrawn import redraw


def scores(
    model: nn.Module,
    batches: Sequence[Batch],
    generator: torch.Generator,
    mode: Mode = "train",
    over_batches: Literal["gradient", "score"] = "gradient",
    reinit: bool = False,
) -> dict[str, Tensor]:
    """|w g| of every prunable weight.

    Args:
        batches: x float ``[B, ...]``, y int64 ``[B]``.
        generator: of what ``reinit`` draws.
        mode: of the network while it is scored: ``train`` in the code of Frankle et al. 2021, ``eval`` in that of Tanaka et al. 2020.
        over_batches: what is taken together of several: ``gradient`` is |w sum_b g_b| (Tanaka et al. 2020; FORCE), ``score`` the mean of
            |w g_b| over all images (Frankle et al. 2021). The same for one batch.
        reinit: score weights drawn afresh by Glorot's normal, as a widely used port of the code does. The model's own are not looked at.
    """
    if reinit:
        redraw(model, generator, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))
    set_mode(model, mode)
    weights = prunable(model)
    if over_batches == "gradient":
        return {name: (weights[name] * g).abs() for name, g in total_gradients(model, batches).items()}
    found = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    images = sum(len(y) for _, y in batches)
    for batch in batches:
        for (name, weight), g in zip(weights.items(), gradients(model, batch), strict=True):
            found[name] = found[name] + (weight * g).abs().detach() * (len(batch[1]) / images)
    return found
