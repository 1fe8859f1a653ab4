"""Error along the straight line between networks: instability analysis (Frankle et al. 2020, Linear Mode Connectivity, Alg. 1 and §3).

Copies of one network are trained with different noise u, that is data order, augmentation and dropout; all else is the same. With
E_alpha(W1, W2) = E((1 - alpha) W1 + alpha W2), the error barrier (instability) is

    sup_alpha E_alpha(W1, W2) - (E(W1) + E(W2)) / 2,

the supremum being taken over ``points`` evenly spaced alpha, both ends included. A network is called stable below 2% (absolute).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lotto.probes.evaluation import loss_and_error
from lotto.probes.options import AtLeast, Count, Split
from lotto.probes.subject import Numbers, Subject, Tensors


def probe(
    subject: Subject,
    numbers: Numbers,
    points: Annotated[int, AtLeast(3)],
    batch_norm: Literal["interpolate", "recalibrate"],
    splits: Sequence[Split],
    examples: Count | None = None,
) -> None:
    """For every two networks and every split ``<split>_error`` and ``<split>_loss`` at each alpha, and ``barrier_<split>``.

    ``barrier_<split>`` is in fractions of examples, ``barrier_loss_<split>`` in nats.

    Args:
        points: at both ends and between them.
        batch_norm: ``interpolate`` takes the running statistics along the line as all else; ``recalibrate`` estimates them anew at every
            point, the ends too, on the training split without augmentation. How the paper treats them is not known to us.
        examples: of each split, from its start; None for all.
    """
    module = subject.module()
    for pair, first, second in subject.pairs():
        one, other = subject.networks[first].weights, subject.networks[second].weights
        errors: dict[str, list[float]] = {split: [] for split in splits}
        losses: dict[str, list[float]] = {split: [] for split in splits}
        for alpha in torch.linspace(0, 1, points, dtype=torch.float64).tolist():
            weights = between(one, other, alpha)
            if batch_norm == "recalibrate":
                weights = recalibrated(subject, module, weights, examples)
            for split in splits:
                loss, error = loss_and_error(subject, module, weights, split, examples)
                numbers.add(f"{split}_error", error, pair=pair, x=alpha)
                numbers.add(f"{split}_loss", loss, pair=pair, x=alpha)
                errors[split].append(error)
                losses[split].append(loss)
        for split in splits:
            numbers.add(f"barrier_{split}", barrier(errors[split]), pair=pair)
            numbers.add(f"barrier_loss_{split}", barrier(losses[split]), pair=pair)


def barrier(values: Sequence[float]) -> float:
    """How far the highest value on the line lies above the mean of its ends; never negative, for the ends lie on the line.

    NaN if a value is: it may be higher than any other.
    """
    if any(map(math.isnan, values)):
        return math.nan
    return max(values) - (values[0] + values[-1]) / 2


def between(first: Tensors, second: Tensors, alpha: float) -> dict[str, Tensor]:
    """``alpha * second + (1 - alpha) * first`` of every parameter and floating-point buffer; whole numbers are the first network's."""
    return {
        name: torch.lerp(tensor, second[name], alpha) if tensor.is_floating_point() else tensor
        for name, tensor in first.items()
    }


@torch.no_grad()
def recalibrated(
    subject: Subject, module: nn.Module, weights: Tensors, examples: int | None = None
) -> dict[str, Tensor]:
    """``weights`` with the batch normalisations' statistics estimated anew on the training split, of which every example counts alike.

    Means are those of the split, and variances the average over its batches. Neither ``weights`` nor ``module`` is changed.
    """
    normalisations = {
        path: part
        for path, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.track_running_stats
    }
    momenta = {path: part.momentum for path, part in normalisations.items()}
    anew = dict(weights)
    for path, part in normalisations.items():
        anew |= {f"{path}.{name}" if path else name: torch.zeros_like(buffer) for name, buffer in part.named_buffers()}
        part.train()
    seen, dtype = 0, next(module.parameters()).dtype
    for x, _ in subject.batches("train", examples):
        seen += len(x)
        for part in normalisations.values():
            part.momentum = len(x) / seen  # the last batch may be a smaller one
        functional_call(module, anew, (x.to(dtype),))
    for path, part in normalisations.items():
        part.eval()
        part.momentum = momenta[path]
    return anew
