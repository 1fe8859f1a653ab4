"""Loss and accuracy against PyTorch's own over a split at once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lotto.errors import StageFailed
from lotto.probes.evaluation import probe
from tests.probes.probe_samples import Given, drawn, read, subject, weights


def module() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


def test_loss_and_accuracy_of_every_split() -> None:
    torch.manual_seed(0)
    given = weights(module())
    # Batches of unequal sizes: a mean of means would be another number.
    data = Given(3, batch_size=7, train=drawn(3, (1, 2, 2), 24, 1), validation=drawn(3, (1, 2, 2), 9, 2))
    found = read(probe, subject({"trained": given}, module, data), splits=["train", "validation"], examples=16)
    for split, count in (("train", 16), ("validation", 9)):
        x, y = (tensor[:count] for tensor in data.splits[split])
        logits = F.linear(x.flatten(1), given["1.weight"], given["1.bias"])
        assert found[(f"{split}_loss",)] == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-6)
        assert found[(f"{split}_accuracy",)] == pytest.approx(float((logits.argmax(1) == y).float().mean()))


def test_networks_in_float64_are_run_in_it() -> None:
    torch.manual_seed(0)
    given = {name: tensor.double() for name, tensor in weights(module()).items()}
    data = Given(3, test=drawn(3, (1, 2, 2), 5))
    found = read(probe, subject({"trained": given}, lambda: module().double(), data), splits=["test"])
    x, y = data.splits["test"]
    logits = F.linear(x.flatten(1).double(), given["1.weight"], given["1.bias"])
    assert found[("test_loss",)] == pytest.approx(float(F.cross_entropy(logits, y)), rel=1e-14)


def test_what_a_configuration_lacks_is_said() -> None:
    with pytest.raises(StageFailed, match="looks at the network trained: its configuration gives start"):
        read(probe, subject({"start": {}}, module, Given(3, test=drawn(3, (1, 2, 2), 5))), splits=["test"])
    with pytest.raises(StageFailed, match="must say data: true"):
        read(probe, subject({"trained": weights(module())}, module), splits=["test"])
