"""Distances, angles and disagreements worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lotto.errors import StageFailed
from lotto.probes import distance, stability
from lotto.probes.distance import angle_between
from lotto.probes.subject import State
from tests.probes.probe_samples import Given, read, sparse, subject

X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]).view(4, 1, 1, 2)
DATA = Given(2, test=(X, torch.zeros(4, dtype=torch.int64)))


def module() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.Linear(2, 2))


def network(first: list[list[float]], second: list[list[float]], bias: float = 0.0) -> dict[str, torch.Tensor]:
    return {"1.weight": torch.tensor(first), "2.weight": torch.tensor(second), "2.bias": torch.tensor([bias, 0.0])}


UNIT = [[1.0, 0.0], [0.0, 1.0]]
SWAP = [[0.0, 1.0], [1.0, 0.0]]


def test_distance_angle_and_disagreement() -> None:
    one, other = network(UNIT, UNIT), network([[3.0, 0.0], [0.0, 1.0]], SWAP, bias=100.0)
    found = read(distance.probe, subject({"trained": one, "dense": other}, module, DATA), splits=["test"])
    pair = "trained-dense"
    assert found["l2", "1.weight", pair] == 2.0
    assert found["l2", "2.weight", pair] == 2.0
    # biases are no part of it
    assert found["l2", pair] == pytest.approx(math.sqrt(8))
    # (1, 1) and (3, 1): cos = 4 / sqrt(20); a swapped unit matrix is orthogonal; together 4 / sqrt(4 * 12)
    assert found["angle", "1.weight", pair] == pytest.approx(math.degrees(math.acos(4 / math.sqrt(20))))
    assert found["angle", "2.weight", pair] == 90.0
    assert found["angle", pair] == pytest.approx(math.degrees(math.acos(4 / math.sqrt(48))))
    # The first says class 0 but for (0, 1), the second, for its bias, always.
    assert found["disagreement_test", pair] == 0.25


def test_only_what_both_keep_counts() -> None:
    mask = {"1.weight": [[True, False], [False, True]], "2.weight": [[True, True], [False, False]]}
    ticket = sparse(network([[1.0, 9.0], [9.0, 2.0]], [[0.0, 0.0], [9.0, 9.0]]), mask)
    dense = network([[2.0, 5.0], [5.0, 1.0]], [[3.0, 4.0], [7.0, 7.0]])
    found = read(distance.probe, subject({"trained": ticket, "dense": dense}, module, DATA), splits=["test"])
    pair = "trained-dense"
    assert found["l2", "1.weight", pair] == pytest.approx(math.sqrt(2))
    assert found["angle", "1.weight", pair] == pytest.approx(math.degrees(math.acos(4 / 5)))
    assert found["l2", "2.weight", pair] == 5.0
    assert found["angle", "2.weight", pair] is None, "a zero vector has no direction"
    assert found["l2", pair] == pytest.approx(math.sqrt(27))
    assert found["angle", pair] == pytest.approx(math.degrees(math.acos(4 / math.sqrt(5 * 30))))


def test_opposite_and_equal_networks() -> None:
    one = network([[0.1, 0.2], [0.3, 0.7]], [[0.6, 0.9], [0.31, 0.17]])
    minus = {name: -tensor for name, tensor in one.items()}
    of = subject({"copy1": one, "copy2": minus, "copy3": dict(one)}, module, DATA)
    found = read(distance.probe, of, splits=["test"])
    assert found["angle", "1-2"] == 180.0
    assert (found["angle", "1-3"], found["l2", "1-3"], found["disagreement_test", "1-3"]) == (0.0, 0.0, 0.0)
    assert found["l2", "1-2"] == pytest.approx(2 * math.sqrt(sum(float(t.square().sum()) for t in one.values())))


@given(st.lists(st.floats(-1e3, 1e3, width=32, allow_subnormal=False), min_size=3, max_size=3), st.floats(1e-3, 1e3))
def test_angle_of_a_multiple_is_none_at_all(vector: list[float], factor: float) -> None:
    """Rounding must not push the cosine out of [-1, 1]."""
    length = sum(x * x for x in vector)
    angle = angle_between(length, factor * factor * length, factor * length)
    assert math.isnan(angle) == (length == 0 or factor * factor * length == 0)
    if length > 1e-100:
        assert angle == pytest.approx(0, abs=1e-5)


def test_nan_is_no_angle() -> None:
    assert math.isnan(angle_between(math.nan, 1.0, 1.0))
    assert math.isnan(angle_between(1.0, math.inf, math.inf))


def trained(number: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    return {name: torch.randn(tensor.shape, generator=generator) for name, tensor in network(UNIT, UNIT).items()}


def test_stability_to_order_is_between_copies_and_to_pruning_between_the_dense_network_and_the_ticket() -> None:
    mask = {"1.weight": [[True, False], [True, True]], "2.weight": [[True, True], [False, True]]}
    networks: dict[str, dict[str, torch.Tensor] | State] = {"trained": sparse(trained(0), mask), "dense": trained(1)}
    networks |= {f"copy{number}": sparse(trained(number + 1), mask) for number in (1, 2, 3)}
    of = subject(networks, module, DATA)
    found = read(stability.probe, of, splits=["test"])
    kept = {name: torch.tensor(values) for name, values in mask.items()}

    def expected(one: str, other: str) -> float:
        apart = [of.networks[one].weights[name] - of.networks[other].weights[name] for name in kept]
        return math.sqrt(sum(float((kept[name] * a).square().sum()) for name, a in zip(kept, apart, strict=True)))

    for pair, one, other in (("1-2", "copy1", "copy2"), ("1-3", "copy1", "copy3"), ("2-3", "copy2", "copy3")):
        assert found["order_l2", pair] == pytest.approx(expected(one, other), rel=1e-6)
        assert 0 < (found["order_angle", pair] or 0) < 180
        assert ("order_disagreement_test", pair) in found
    assert found[("pruning_l2",)] == pytest.approx(expected("dense", "trained"), rel=1e-6)
    assert found["pruning_l2", "1.weight"] < found[("pruning_l2",)]
    assert {key[0].split("_")[0] for key in found} == {"order", "pruning"}
    alone = subject({role: networks[role] for role in ("trained", "dense", "copy1")}, module, DATA)
    with pytest.raises(StageFailed, match="compares networks: its configuration gives copy1"):
        read(stability.probe, alone, splits=["test"])


def test_the_dense_network_is_its_own_ticket() -> None:
    dense = trained(1)
    networks = {"trained": dense, "dense": dense, "copy1": trained(2), "copy2": trained(3)}
    found = read(stability.probe, subject(networks, module, DATA), splits=["test"])
    own = {key: value for key, value in found.items() if key[0].startswith("pruning_")}
    assert len(own) == 7
    assert set(own.values()) == {0.0}
