"""Overlap against masks written out, and chance against every mask there is."""

from __future__ import annotations

import math
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lotto.chance import SMALLEST, Chance
from lotto.mask import Mask
from lotto.probes.overlap import probe
from tests.probes.probe_samples import read, sparse, subject, weights


def module() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))


FIRST = {"0.weight": [[1, 1, 1], [0, 0, 0]], "1.weight": [[1, 0], [0, 0]]}
SECOND = {"0.weight": [[1, 1, 0], [1, 1, 0]], "1.weight": [[0, 1], [0, 0]]}


def masks(one: dict[str, list[list[int]]], other: dict[str, list[list[int]]]) -> dict[tuple[str, ...], float | None]:
    given = {"trained": sparse(weights(module()), one), "trained'": sparse(weights(module()), other)}
    return read(probe, subject(given, module))


def every(places: int, kept: int) -> list[set[int]]:
    return [set(chosen) for chosen in combinations(range(places), kept)]


def test_overlap_and_chance_by_hand() -> None:
    found = masks(FIRST, SECOND)
    # two in common of 3 + 4 - 2; none of two; together 2 of 9 - 2
    assert (found["iou", "0.weight"], found["iou", "1.weight"]) == (2 / 5, 0.0)
    assert found[("iou",)] == pytest.approx(2 / 7)
    assert (found["hamming", "0.weight"], found["hamming", "1.weight"]) == (0.5, 0.5)
    assert found[("hamming",)] == 0.5
    for layer, places, one, other in (("0.weight", 6, 3, 4), ("1.weight", 4, 1, 1)):
        shared = np.array([(len(a & b), len(a | b)) for a, b in product(every(places, one), every(places, other))])
        assert found["iou_chance", layer] == pytest.approx((shared[:, 0] / shared[:, 1]).mean())
        assert found["hamming_chance", layer] == pytest.approx(((shared[:, 1] - shared[:, 0]) / places).mean())
        common = {"0.weight": 2, "1.weight": 0}[layer]
        assert found["p", layer] == pytest.approx((shared[:, 0] >= common).mean())
        assert found["z", layer] == pytest.approx((common - shared[:, 0].mean()) / shared[:, 0].std(), abs=1e-9)
    # The whole network: both layers by themselves.
    layers = [product(every(6, 3), every(6, 4)), product(every(4, 1), every(4, 1))]
    counts = [[(len(a & b), len(a | b)) for a, b in layer] for layer in layers]
    together = [(x + z) / (y + w) for (x, y), (z, w) in product(*counts)]
    assert found[("iou_chance",)] == pytest.approx(sum(together) / len(together))
    pairs = [x[0] + y[0] for x, y in product(*counts)]
    assert found[("p",)] == pytest.approx(sum(common >= 2 for common in pairs) / len(pairs))


def test_equal_and_dense_masks() -> None:
    same = masks(FIRST, FIRST)
    assert (same[("iou",)], same[("hamming",)]) == (1.0, 0.0)
    assert same["p", "0.weight"] == pytest.approx(1 / 20)
    dense = read(probe, subject({"trained": weights(module()), "trained'": weights(module())}, module))
    assert {dense[("iou",)], dense[("iou_chance",)], dense["iou_chance", "0.weight"]} == {1.0}
    assert dense[("z",)] is None
    nothing = {name: torch.zeros(2, 3 if name == "0.weight" else 2) for name in FIRST}
    empty = masks(nothing, nothing)
    assert (empty[("iou",)], empty[("iou_chance",)], empty[("z",)]) == (1.0, 1.0, None)


def test_pairs_of_more_than_two_networks_are_told_apart() -> None:
    given = {role: sparse(weights(module()), mask) for role, mask in zip("abc", (FIRST, SECOND, FIRST), strict=True)}
    found = read(probe, subject(given, module))
    assert (found["iou", "a-c"], found["iou", "a-b"]) == (1.0, found["iou", "b-c"]) == (1.0, pytest.approx(2 / 7))
    assert found["iou", "0.weight", "a-b"] == 2 / 5


def test_tails_against_every_pair_of_masks_and_no_smaller_than_their_rounding() -> None:
    chance = Chance.of(6, 3, 4) + Chance.of(4, 1, 1)
    layers = [product(every(6, 3), every(6, 4)), product(every(4, 1), every(4, 1))]
    commons = np.array([x + y for x, y in product(*[[len(a & b) for a, b in layer] for layer in layers])])
    for common in range(-1, 6):
        assert chance.at_least(common) == pytest.approx(max(SMALLEST, (commons >= common).mean()))
        assert chance.at_most(common) == pytest.approx(max(SMALLEST, (commons <= common).mean()))
    whole = Chance.of(10_000, 1000, 1000)
    assert whole.at_least(1000) == SMALLEST
    assert whole.at_most(1000) == 1


@given(st.integers(1, 40), st.data())
def test_chance_is_a_distribution_with_the_hypergeometric_moments(places: int, data: st.DataObject) -> None:
    one, other = (data.draw(st.integers(0, places)) for _ in range(2))
    chance = Chance.of(places, one, other)
    values = np.arange(chance.first, chance.first + len(chance.mass))
    assert chance.mass.sum() == pytest.approx(1)
    assert (chance.mass * values).sum() == pytest.approx(chance.mean) == pytest.approx(one * other / places)
    assert (chance.mass * (values - chance.mean) ** 2).sum() == pytest.approx(chance.variance, abs=1e-9)


def test_large_layers_agree_with_masks_that_are_drawn() -> None:
    """Far more weights than any support that could be summed in a loop; the mean of draws lies within four standard errors."""
    chance = Chance.of(1_000_000, 200_000, 50_000) + Chance.of(3_000, 900, 100)
    assert len(chance.mass) < 10_000
    # X / (S - X) hardly bends over the few standard deviations that X strays.
    assert chance.iou == pytest.approx(chance.mean / (chance.kept - chance.mean), rel=1e-4)

    generator = torch.Generator().manual_seed(0)
    small = Chance.of(400, 120, 80) + Chance.of(60, 30, 12)
    mask, other = (Mask({"a": torch.arange(400) < a, "b": torch.arange(60) < b}) for a, b in ((120, 30), (80, 12)))
    drawn = torch.tensor(
        [mask.shuffle(generator).iou(other.shuffle(generator)) for _ in range(2000)], dtype=torch.float64
    )
    assert abs(float(drawn.mean()) - small.iou) < 4 * float(drawn.std()) / math.sqrt(2000)
