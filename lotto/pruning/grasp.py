"""GraSP: keep the weights without which the gradients would shrink (Wang, Zhang & Grosse 2020, Picking Winning Tickets Before Training).

With F(w) = |g(w)|^2 / 2, g = dL/dw and H the Hessian, removing weight q changes F to first order by S_q = -w_q (H g)_q (their eq. 8).
The weights of the largest S are pruned, those of the most negative S are kept: without them the least of the gradient would be left.
Lotto keeps the highest score, which is therefore -S = w * H g, with its sign.

The paper's loss is the cross-entropy of logits divided by T = 200; T is no harmless constant, since it flattens the softmax and changes
the ranking. Their batch is cut in halves, which are gone through one after another (each with its own statistics, if batch
normalisation takes those of the images). Theirs are sorted by class, so that each half holds half of the classes; here classes are
mixed. Gradient and Hessian are those of the prunable weights, as in their code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.pruning.gradients import Mode, differentiated, gradients, prunable, set_mode, total_gradients
from lotto.pruning.redrawn import redraw


def scores(
    model: nn.Module,
    batches: Sequence[Batch],
    generator: torch.Generator,
    temperature: float = 200.0,
    halves: bool = True,
    mode: Mode = "train",
    reinit: bool = False,
    absolute: bool = False,
) -> dict[str, Tensor]:
    """w * H g of every prunable weight.

    Args:
        batches: x float ``[B, ...]``, y int64 ``[B]``. Gradients are summed over them, and so are the parts of z = <g, dL/dw>, whose
            derivative is H g.
        generator: of what ``reinit`` draws.
        temperature: T.
        halves: cut every batch in two.
        mode: of the network while it is scored: ``train`` in the official code.
        reinit: draw linear layers afresh by Glorot's normal first, as the official code does. The model's own are not looked at.
        absolute: |w * H g|, the ablation.
    """
    if reinit:
        redraw(model, generator, (nn.Linear,))
    set_mode(model, mode)
    parts = list(_halves(batches)) if halves else list(batches)
    weights = prunable(model)
    g = total_gradients(model, parts, temperature)
    curved = [torch.zeros_like(weight) for weight in weights.values()]
    for part in parts:  # one graph at a time: z is a sum, and so is its derivative
        found = gradients(model, part, temperature, keep_graph=True)
        z = torch.stack([(g[name] * own).sum() for name, own in zip(weights, found, strict=True)]).sum()
        curved = [sum_ + own for sum_, own in zip(curved, differentiated(z, weights.values()), strict=True)]
    kept = {name: weight.detach() * hg for (name, weight), hg in zip(weights.items(), curved, strict=True)}
    return {name: score.abs() for name, score in kept.items()} if absolute else kept


def _halves(batches: Sequence[Batch]) -> Iterator[Batch]:
    for x, y in batches:
        yield from zip(x.chunk(2), y.chunk(2), strict=True)
