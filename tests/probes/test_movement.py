"""Movement of weights that are written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from lotto.probes.movement import probe
from tests.probes.probe_samples import read, sparse, subject


def module() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def network(first: list[float], second: list[float], bias: float) -> dict[str, torch.Tensor]:
    return {
        "0.weight": torch.tensor(first).view(2, 2),
        "0.bias": torch.full((2,), bias),
        "1.weight": torch.tensor(second).view(1, 2),
        "1.bias": torch.full((1,), bias),
    }


MASK = {"0.weight": [[1, 1], [0, 1]], "1.weight": [[0, 1]]}


def test_movement_of_the_ticket_and_of_the_dense_network() -> None:
    found = read(
        probe,
        subject(
            {
                "start": sparse(network([1, -2, 5, 1], [7, 0.5], 0), MASK),
                # moves by 2, 3, (pruned), 1, and (pruned), 1; across zero the second grows, the last shrinks
                "trained": sparse(network([3, -5, 5, 0], [7, -0.5], 99), MASK),
                "dense_start": network([1, -2, 5, 1], [7, 0.5], 0),
                "dense": network([2, -2, 9, -4], [3, 1.5], 99),
            },
            module,
        ),
    )
    assert found == {
        ("l2",): pytest.approx(math.sqrt(4 + 9 + 1 + 1)),
        ("l2", "0.weight"): pytest.approx(math.sqrt(14)),
        ("l2", "1.weight"): 1.0,
        ("mean",): 7 / 4,
        ("mean", "0.weight"): 2.0,
        ("mean", "1.weight"): 1.0,
        ("grew",): 0.5,
        ("grew", "0.weight"): pytest.approx(2 / 3),
        ("grew", "1.weight"): 0.0,
        # inside 1, 0, 5 and 1; outside 4 and 4
        ("dense_inside_mean",): 7 / 4,
        ("dense_inside_mean", "0.weight"): 2.0,
        ("dense_inside_mean", "1.weight"): 1.0,
        ("dense_inside_grew",): 0.75,
        ("dense_inside_grew", "0.weight"): pytest.approx(2 / 3),
        ("dense_inside_grew", "1.weight"): 1.0,
        ("dense_outside_mean",): 4.0,
        ("dense_outside_mean", "0.weight"): 4.0,
        ("dense_outside_mean", "1.weight"): 4.0,
        ("dense_outside_grew",): 0.5,
        ("dense_outside_grew", "0.weight"): 1.0,
        ("dense_outside_grew", "1.weight"): 0.0,
    }


def test_of_a_dense_network_nothing_lies_outside() -> None:
    start, end = network([1, -2, 5, 1], [7, 0.5], 0), network([2, -2, 9, -4], [3, 1.5], 0)
    found = read(probe, subject({"start": start, "trained": end, "dense_start": start, "dense": end}, module))
    assert found[("mean",)] == found[("dense_inside_mean",)]
    assert found[("dense_outside_mean",)] is found[("dense_outside_grew", "0.weight")] is None
