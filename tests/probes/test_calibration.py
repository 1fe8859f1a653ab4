"""Calibration error and reliability against bins counted by hand, and against torchmetrics' own on random answers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from lotto.probes.calibration import probe
from tests.probes.probe_samples import Given, drawn, read, subject, weights

OPTIONS = {"bins": 15, "split": "test"}


class Says(nn.Module):
    """Answers with its input as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.flatten(1)


def saying(probabilities: list[list[float]], labels: list[int], batch_size: int = 3) -> Given:
    logits = torch.tensor(probabilities, dtype=torch.float64).log()
    return Given(len(probabilities[0]), batch_size, test=(logits.view(len(labels), 1, 1, -1), torch.tensor(labels)))


def calibration(data: Given, **options: object) -> dict[tuple[object, ...], float | None]:
    def module() -> nn.Module:
        return Says().double()

    return read(probe, subject({"trained": weights(module())}, module, data), **{**OPTIONS, **options})


def test_bins_by_hand() -> None:
    # Confidences 0.62, 0.64 (both in the bin from 0.6 to 0.666…), 0.9 and a certain 1 (the bins from 0.866… and 0.933…).
    data = saying([[0.62, 0.38], [0.36, 0.64], [0.9, 0.1], [1.0, 0.0], [0.0, 1.0]], [0, 0, 0, 0, 0])
    found = calibration(data)
    shares = [found["share", (number + 0.5) / 15] for number in range(15)]
    assert shares == [
        0.4 if number == 9 else 0.2 if number == 13 else 0.4 if number == 14 else 0 for number in range(15)
    ]
    third = 9.5 / 15
    assert (found["accuracy", third], found["confidence", third]) == (0.5, pytest.approx(0.63))
    assert (found["accuracy", 13.5 / 15], found["confidence", 13.5 / 15]) == (1.0, pytest.approx(0.9))
    assert (found["accuracy", 14.5 / 15], found["confidence", 14.5 / 15]) == (0.5, pytest.approx(1.0))
    assert found["accuracy", 0.5 / 15] is found["confidence", 0.5 / 15] is None
    # Being certain and wrong half of the time: torchmetrics alone would take the ones for a bin beside the last.
    assert found[("ece",)] == pytest.approx(0.4 * 0.13 + 0.2 * 0.1 + 0.4 * 0.5)


def test_certainties_share_the_last_bin_with_those_near_them() -> None:
    # 0.95 and right, 1 and wrong: together |0.5 - 0.975|, but of bins by themselves (0.05 + 1) / 2.
    data = saying([[0.95, 0.05], [1.0, 0.0]], [0, 1])
    assert calibration(data)[("ece",)] == pytest.approx(0.475)
    apart = multiclass_calibration_error(data.splits["test"][0].flatten(1).exp(), torch.tensor([0, 1]), 2, 15)
    assert float(apart) == pytest.approx(0.525)


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_ece_is_the_sum_over_the_diagram_and_torchmetrics_own(bins: int) -> None:
    x, y = drawn(4, (1, 2, 2), 200)
    found = calibration(Given(4, 64, test=(x.double() * 3, y)), bins=bins)
    places = [(number + 0.5) / bins for number in range(bins)]
    total = sum(
        (found["share", place] or 0) * abs((found["accuracy", place] or 0) - (found["confidence", place] or 0))
        for place in places
    )
    assert found[("ece",)] == pytest.approx(total, abs=1e-6)
    probabilities = (x.double() * 3).flatten(1).softmax(1)
    assert found[("ece",)] == pytest.approx(float(multiclass_calibration_error(probabilities, y, 4, bins)), abs=1e-6)
    assert math.fsum(found["share", place] or 0 for place in places) == pytest.approx(1)
    few = calibration(Given(4, 64, test=(x.double() * 3, y)), bins=bins, examples=70)
    assert few[("ece",)] == pytest.approx(float(multiclass_calibration_error(probabilities[:70], y[:70], 4, bins)))
