"""Whether a network is right as often as it says: expected calibration error and reliability diagram (Guo et al. 2017, §2)."""

from __future__ import annotations

import math

import torch
from torchmetrics.classification import MulticlassCalibrationError

from lotto.probes.evaluation import outputs
from lotto.probes.options import Count, Split
from lotto.probes.subject import Numbers, Subject

# Confidences are float32 to torchmetrics, which makes a bin of its own of those that are 1.
_BELOW_ONE = 1 - torch.finfo(torch.float32).eps / 2


def probe(subject: Subject, numbers: Numbers, bins: Count, split: Split, examples: Count | None = None) -> None:
    """``ece``, and for every bin of confidence, x being its middle, ``share`` of the examples, mean ``confidence`` and ``accuracy``.

    The confidence is the highest of an example's probabilities. Bins are equally wide over [0, 1], each with its lower edge and the last
    with both; an empty one has a share of 0 and neither confidence nor accuracy. ``ece`` = sum of share * |accuracy - confidence|.
    """
    metric = MulticlassCalibrationError(num_classes=subject.data.classes, n_bins=bins, norm="l1")
    module = subject.module()
    for logits, y in outputs(subject, module, subject.network("trained").weights, split, examples):
        # On the CPU, where sums are taken in the same order every time.
        metric.update(logits.softmax(1).float().clamp(max=_BELOW_ONE).cpu(), y.cpu())
    numbers.add("ece", float(metric.compute()))

    confidence, right = torch.cat(metric.confidences), torch.cat(metric.accuracies).double()
    edges = torch.linspace(0, 1, bins + 1)
    place = torch.bucketize(confidence, edges, right=True) - 1
    count, confident, correct = (
        torch.bincount(place, weight, bins).tolist() for weight in (torch.ones_like(right), confidence.double(), right)
    )
    for number in range(bins):
        middle, held = (number + 0.5) / bins, count[number]
        numbers.add("share", held / len(confidence), x=middle)
        numbers.add("confidence", confident[number] / held if held else math.nan, x=middle)
        numbers.add("accuracy", correct[number] / held if held else math.nan, x=middle)
