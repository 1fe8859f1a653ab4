"""Error along the straight line between networks: instability analysis (Frankle et al. 2020, Linear Mode Connectivity, Alg. 1 and §3).

Copies of one network are trained with different noise u, that is data order, augmentation and dropout; all else is the same. With
E_alpha(W1, W2) = E((1 - alpha) W1 + alpha W2), the error barrier (instability) is

    sup_alpha E_alpha(W1, W2) - (E(W1) + E(W2)) / 2,

the supremum being taken over ``points`` evenly spaced alpha, both ends included. A network is called stable below 2% (absolute).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lotto.errors import BadRequest
from lotto.probes.evaluation import check_splits, loss_and_error
from lotto.probes.subject import Numbers, Subject, Tensors


def probe(
    subject: Subject,
    numbers: Numbers,
    points: int,
    batch_norm: str,
    splits: Sequence[str],
    examples: int | None = None,
) -> None:
    """For every two networks and every split ``<split>_error`` and ``<split>_loss`` at each alpha, and ``barrier_<split>``.

    ``barrier_<split>`` is in fractions of examples, ``barrier_loss_<split>`` in nats.

    Args:
        batch_norm: ``interpolate`` takes the running statistics along the line as all else; ``recalibrate`` estimates them anew at every
            point, as averages over the training split without augmentation. How the paper treats them is not known to us.
        examples: of each split, from its start; None for all.

    Raises:
        BadRequest: fewer than three points, an unknown treatment of batch normalisation, or an empty split.
    """
    if points < 3:
        raise BadRequest(f"probes.interpolation.points={points} shows no barrier: 3 or more.")
    if batch_norm not in ("interpolate", "recalibrate"):
        raise BadRequest(
            f"probes.interpolation.batch_norm={batch_norm} is unknown: choose from interpolate, recalibrate."
        )
    check_splits(subject, "interpolation", splits)
    module = subject.module()
    for (first, one), (second, other) in combinations(subject.networks.items(), 2):
        pair = f"{first.removeprefix('copy')}-{second.removeprefix('copy')}"
        errors: dict[str, list[float]] = {split: [] for split in splits}
        losses: dict[str, list[float]] = {split: [] for split in splits}
        for alpha in torch.linspace(0, 1, points, dtype=torch.float64).tolist():
            weights = between(one.weights, other.weights, alpha)
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
    """How far the highest value on the line lies above the mean of its ends; never negative, for the ends lie on the line."""
    return max(values) - (values[0] + values[-1]) / 2


def between(first: Tensors, second: Tensors, alpha: float) -> dict[str, Tensor]:
    """``alpha * second + (1 - alpha) * first`` of every parameter and floating-point buffer; whole numbers are the first network's."""
    return {
        name: torch.lerp(tensor, second[name], alpha) if tensor.is_floating_point() else tensor
        for name, tensor in first.items()
    }


@torch.no_grad()
def recalibrated(subject: Subject, module: nn.Module, weights: Tensors, examples: int | None) -> dict[str, Tensor]:
    """``weights`` with the batch normalisations' statistics estimated anew: the mean over the training split's batches."""
    normalisations = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    momenta = [part.momentum for part in normalisations]
    anew = {name: tensor.clone() for name, tensor in weights.items()}
    for name, buffer in module.named_buffers():
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            anew[name] = torch.zeros_like(buffer)
    for part in normalisations:
        part.train()
        part.momentum = None  # a plain average over all batches
    dtype = next(module.parameters()).dtype
    for x, _ in subject.batches("train", examples):
        functional_call(module, anew, (x.to(dtype),))
    for part, momentum in zip(normalisations, momenta, strict=True):
        part.eval()
        part.momentum = momentum
    return anew
