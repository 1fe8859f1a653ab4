"""Loss and error of a network on a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from lotto.probes.options import Count, Split
from lotto.probes.subject import Numbers, Subject, Tensors


@torch.no_grad()
def outputs(
    subject: Subject, module: nn.Module, weights: Tensors, split: str, examples: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """The network's answers to a split, batch by batch.

    Args:
        module: as ``subject.module()`` makes it.
        weights: to be used in place of the module's own.

    Yields:
        Logits ``[B, classes]`` in the dtype of the module, and labels int64 ``[B]``.
    """
    dtype = next(module.parameters()).dtype
    for x, y in subject.batches(split, examples):
        yield functional_call(module, dict(weights), (x.to(dtype),)), y


def loss_and_error(
    subject: Subject, module: nn.Module, weights: Tensors, split: str, examples: int | None = None
) -> tuple[float, float]:
    """Mean cross-entropy in nats, and the fraction of examples that are classified wrongly; arguments as in ``outputs``."""
    loss, wrong = 0.0, 0
    for logits, y in outputs(subject, module, weights, split, examples):
        loss += float(F.cross_entropy(logits, y, reduction="sum"))
        wrong += int((logits.argmax(1) != y).sum())
    count = subject.size(split, examples)
    return loss / count, wrong / count


def probe(subject: Subject, numbers: Numbers, splits: Sequence[Split], examples: Count | None = None) -> None:
    """``<split>_loss`` and ``<split>_accuracy`` of the trained network, on images without augmentation.

    The results table has the accuracy on the test split; on the training split it shows whether a ticket still fits all of it (Frankle &
    Carbin 2019, §2: tickets reach 100% there while they differ on the test split, so that the gap is one of generalisation).
    """
    module = subject.module()
    for split in splits:
        loss, error = loss_and_error(subject, module, subject.network("trained").weights, split, examples)
        numbers.add(f"{split}_loss", loss)
        numbers.add(f"{split}_accuracy", 1 - error)
