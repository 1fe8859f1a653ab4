"""Loss and error of a network on a split."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from lotto.errors import BadRequest
from lotto.probes.subject import Numbers, Subject, Tensors


@torch.no_grad()
def loss_and_error(
    subject: Subject, module: nn.Module, weights: Tensors, split: str, examples: int | None = None
) -> tuple[float, float]:
    """Mean cross-entropy in nats, and the fraction of examples that are classified wrongly.

    Args:
        module: as ``subject.module()`` makes it.
        weights: to be used in place of the module's own.
    """
    loss, wrong, dtype = 0.0, 0, next(module.parameters()).dtype
    for x, y in subject.batches(split, examples):
        logits = functional_call(module, dict(weights), (x.to(dtype),))
        loss += float(F.cross_entropy(logits, y, reduction="sum"))
        wrong += int((logits.argmax(1) != y).sum())
    count = subject.size(split, examples)
    return loss / count, wrong / count


def check_splits(subject: Subject, probe: str, splits: Sequence[str]) -> None:
    """Raises BadRequest unless every split holds examples."""
    if not splits:
        raise BadRequest(f"probes.{probe}.splits=[] reads nothing: choose of train, validation, test.")
    for split in splits:
        subject.data.check_split(split)


def probe(subject: Subject, numbers: Numbers, splits: Sequence[str], examples: int | None = None) -> None:
    """``<split>_loss`` and ``<split>_accuracy`` of the trained network, on images without augmentation.

    The results table has the accuracy on the test split; on the training split it shows whether a ticket still fits all of it (Frankle &
    Carbin 2019, §2: tickets reach 100% there while they differ on the test split, so that the gap is one of generalisation).
    """
    check_splits(subject, "evaluate", splits)
    module = subject.module()
    for split in splits:
        loss, error = loss_and_error(subject, module, subject.networks["trained"].weights, split, examples)
        numbers.add(f"{split}_loss", loss)
        numbers.add(f"{split}_accuracy", 1 - error)
