"""SynFlow: synaptic flow, conserved from layer to layer, found without data (Tanaka, Kunin, Yamins & Ganguli 2020).

In a copy every parameter and every statistic is replaced by its absolute value, batch normalisation uses its running statistics, and
the input is all ones. R is the sum of the outputs and S = |dR/dw * w| (their eq. 8 and Alg. 1). In a network without biases and skips
the scores of every layer add up to R, so that a layer with few weights has large ones: pruned in many rounds, exponentially (100 of
them), no layer is emptied before all are down to a single path. In one round, or with a linear path, it does empty layers.

The authors' code takes the absolute value of the whole state, running means included, that of Frankle et al. 2021 of parameters alone:
at initialisation both are the same. Scores multiply through the depth, and so are computed and given in float64. SynFlow's repository
starts batch normalisation with scale 1, the study of Frankle et al. 2021 from U[0, 1): the layers' densities differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lotto.errors import LottoError
from lotto.pruning.gradients import differentiated, prunable, set_mode


def scores(model: nn.Module, input_shape: tuple[int, ...]) -> dict[str, Tensor]:
    """|dR/dw * w| of every prunable weight, float64.

    Args:
        input_shape: of one input, without the batch.

    Raises:
        LottoError: R is too large for float64.
    """
    model.double()
    set_mode(model, "eval")
    with torch.no_grad():
        for tensor in {**dict(model.named_parameters()), **dict(model.named_buffers())}.values():
            if tensor.is_floating_point():
                tensor.abs_()
    weights = prunable(model)
    like = next(iter(weights.values()))
    flow = model(torch.ones(1, *input_shape, dtype=like.dtype, device=like.device)).sum()
    if not bool(flow.isfinite()):
        raise LottoError("The synaptic flow of this network is too large for float64: start from smaller weights.")
    found = differentiated(flow, weights.values())
    return {name: (weight * s).abs() for (name, weight), s in zip(weights.items(), found, strict=True)}
