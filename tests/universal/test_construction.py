"""Constructions A and B: what the masked network computes, by the formulas and by the sheet's tables."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.build import build, skeleton
from lotto.models.candidates import CandidateNetwork
from lotto.seeds import Streams
from lotto.universal.construction import Construction, construct
from lotto.universal.measure import measure, outputs, pairs, points_of, slopes
from lotto.universal.subset_sum import nearest
from lotto.universal.targets import Target, target_of

GRID = {"examples": {"test": 4001}, "input_shape": [1, 1, 1], "low": 0.0, "high": 1.0, "draw": "grid"}
CUBE = {"examples": {"test": 2000}, "input_shape": [8, 1, 1], "low": -1.0, "high": 1.0, "draw": "uniform"}
SHAPES = {"sine": (1, 1), "monomials": (1, 4), "layer": (8, 5), "mlp": (8, 5), "weight": (1, 50)}


def network(name: str, draw: int, candidates: int = 16, **options: Any) -> CandidateNetwork:
    torch.manual_seed(draw)
    takes, gives = SHAPES[name]
    return CandidateNetwork({"name": name}, candidates, (takes, 1, 1), gives, **options)


def ticket(name: str, draw: int, candidates: int, **options: Any) -> tuple[CandidateNetwork, Target, Construction]:
    """A masked network of ``candidates`` in room for just as many."""
    model, target = network(name, draw, candidates, **options), target_of({"name": name}, draw)
    made = construct(model, target, candidates, nearest)
    made.mask.apply_(model)
    return model, target, made


def points(config: dict[str, Any]) -> np.ndarray:
    return points_of(config, Streams(0, 0))


def errors(name: str, draws: int, candidates: int, column: str = "error_sup") -> list[float]:
    where = points(GRID if SHAPES[name][0] == 1 else CUBE)
    found = []
    for draw in range(draws):
        model, target, _ = ticket(name, draw, candidates)
        found.append(measure(model, target, where)[column])
    return found


# -- the exact networks -----------------------------------------------------------------------------------------------------------------


def test_the_exact_networks_err_as_the_sheet_says() -> None:
    where = points(GRID)
    sine, monomials = target_of({"name": "sine"}), target_of({"name": "monomials"})
    assert np.abs(sine.exact(where) - np.sin(2 * math.pi * where)).max() == pytest.approx(0.01114, abs=5e-6)
    off = np.abs(monomials.exact(where) - ((1 + where) / 2) ** np.arange(1, 5)).max(0)
    assert off == pytest.approx([0.00059, 0.00062, 0.00091, 0.00110], abs=5e-6)
    # (b - a)^2 / (8 N^2) max |f''|
    assert np.abs(sine.exact(where) - sine.function(where)).max() <= (2 * math.pi) ** 2 / (8 * 21**2)
    assert (sine.scalars, monomials.scalars) == (64, 152 + 4)


def test_pieces_meet_the_function_at_their_knots() -> None:
    target = target_of({"name": "sine", "segments": 5})
    knots = np.linspace(0, 1, 6)[:, None]
    assert target.exact(knots) == pytest.approx(target.function(knots), abs=1e-12)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"name": "cosine"}, "choose from sine"),
        ({"name": "sine", "pieces": 3}, "does not take"),
        ({"name": "sine", "segments": 0}, "segments=0"),
        ({"name": "mlp", "widths": [4]}, "no network"),
        ({"name": "layer", "bound": -1}, "greater than 0"),
    ],
)
def test_a_target_that_there_is_not_is_refused(config: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        target_of(config)


# -- construction A ---------------------------------------------------------------------------------------------------------------------


def test_the_masked_pair_is_its_algebraic_form() -> None:
    model, target, _ = ticket("layer", 3, 8)
    ((first, second),) = pairs(model, target)
    # Written out unit by unit: a unit on the positive side gives V U x there, one on the negative side likewise.
    where = points(CUBE)
    expected = np.zeros((len(where), 5))
    for unit in range(first.shape[0]):
        (inputs,) = np.nonzero(first[unit])
        for k in inputs:
            fires = where[:, k] * first[unit, k] > 0
            expected += np.outer(np.where(fires, where[:, k] * first[unit, k], 0), second[:, unit])
    assert np.abs(outputs(model, where, 5) - expected).max() < 1e-12
    plus, minus = slopes(first, second)  # type: ignore[misc]
    algebraic = np.maximum(where, 0) @ plus.T + np.minimum(where, 0) @ minus.T
    assert np.abs(outputs(model, where, 5) - algebraic).max() < 1e-12


def test_the_mask_is_what_the_construction_says() -> None:
    model = network("layer", 1, 6)
    before = copy.deepcopy(model.state_dict())
    target = target_of({"name": "layer"}, 1)
    made = construct(model, target, 6, nearest)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert isinstance(made.mask, Mask) and list(made.mask) == [name for name, _ in model.named_parameters()]
    first, second = (made.mask[f"branches.layers.0.{part}.weight"] for part in ("first", "second"))
    # Unit i of block k keeps U_ik alone, and only if an output uses it.
    blocks = torch.arange(first.shape[0]) // 12
    assert torch.equal(first.any(1), second.any(0))
    assert not bool((first & (torch.arange(8) != blocks[:, None])).any())
    assert made.used == int(second.sum()) and made.offered == 2 * 6 * 8 * 5


def test_subsets_of_one_weight_share_no_candidate_and_are_the_best() -> None:
    model, target = network("layer", 2, 6), target_of({"name": "layer"}, 2)
    made = construct(model, target, 6, nearest)
    (weight,) = (layer.weight for layer in target.branches[0].layers)
    ((first, second),) = pairs(model, target)
    kept = made.mask["branches.layers.0.second.weight"].numpy()
    for j, k, side in [(0, 0, 1), (4, 7, -1), (2, 3, 1)]:
        block = [i for i in range(12 * k, 12 * (k + 1)) if np.sign(first[i, k]) == side]
        assert len(block) == 6
        products = np.array([second[j, i] * first[i, k] for i in block])
        every = np.array([products[[bool(s >> b & 1) for b in range(6)]].sum() for s in range(64)])
        found = products[kept[j, block]].sum()
        assert abs(found - weight[j, k]) == pytest.approx(np.abs(every - weight[j, k]).min(), abs=1e-12)


def test_the_error_is_within_its_bound_and_falls() -> None:
    where = points(CUBE)
    medians = []
    for candidates in (4, 8, 12, 16):
        rows = []
        for draw in range(6):
            model, target, made = ticket("layer", draw, candidates)
            rows.append(measure(model, target, where))
            assert rows[-1]["error_sup"] <= rows[-1]["error_bound"] + 1e-12
            if candidates == 16:
                assert made.mask.density == pytest.approx(0.25, abs=0.03)
        medians.append(float(np.median([row["error_sup"] for row in rows])))
    assert medians == sorted(medians, reverse=True)
    assert medians[0] > 0.4 and medians[-1] < 0.03


def test_a_deep_target_is_pruned_layer_by_layer() -> None:
    model, target, _ = ticket("mlp", 0, 12)
    where = points(CUBE)
    values = where
    for place, pair in enumerate(pairs(model, target)):
        plus, minus = slopes(*pair)  # type: ignore[misc]
        values = np.maximum(values, 0) if place else values
        values = np.maximum(values, 0) @ plus.T + np.minimum(values, 0) @ minus.T
    assert np.abs(outputs(model, where, 5) - values).max() < 1e-12
    assert np.median(errors("mlp", 4, 6, "error_relative_sup")) > np.median(errors("mlp", 4, 14, "error_relative_sup"))


def test_nested_candidates_are_those_of_a_smaller_network() -> None:
    """A level with fewer candidates looks at the first of every block, and at no other."""
    model, target = network("layer", 4, 10), target_of({"name": "layer"}, 4)
    made = construct(model, target, 4, nearest)
    first = made.mask["branches.layers.0.first.weight"]
    place = torch.arange(first.shape[0]) % 20
    assert not bool(first[place >= 8].any()) and bool(first[place < 8].any())
    errors = [measure(masked(model, target, n), target, points(CUBE))["weight_error_max"] for n in (2, 4, 6, 8, 10)]
    assert errors == sorted(errors, reverse=True)


def masked(model: CandidateNetwork, target: Target, candidates: int) -> CandidateNetwork:
    made = copy.deepcopy(model)
    construct(model, target, candidates, nearest).mask.apply_(made)
    return made


# -- construction B ---------------------------------------------------------------------------------------------------------------------


def test_sixteen_candidates_reach_the_exact_networks_error() -> None:
    assert np.median(errors("sine", 5, 16)) < 2 * 0.01114
    for power, exact in zip(range(1, 5), (0.00059, 0.00062, 0.00091, 0.00110), strict=True):
        assert np.median(errors("monomials", 5, 16, f"error_t{power}_sup")) < 2 * exact


def test_one_mask_serves_all_powers_and_their_combinations() -> None:
    model, target, made = ticket("monomials", 1, 16)
    found = measure(model, target, points(GRID))
    assert set(found) >= {f"error_t{power}_sup" for power in range(1, 5)}
    # Fitted coefficients do no worse than those of the combination itself would.
    assert found["error_combined_sup"] <= found["error_expected_sup"]
    # The exponential's weights are there once, whatever the number of powers.
    assert sum(".exp." in name for name in made.mask) == 4


def test_the_error_of_the_sine_falls_with_candidates() -> None:
    medians = [float(np.median(errors("sine", 5, candidates))) for candidates in (6, 10, 16)]
    assert medians == sorted(medians, reverse=True) and medians[0] > 3 * medians[-1]


def test_biases_are_sought_for_the_weights_that_were_found() -> None:
    """Unit i bends at -b^/w^: of all subsets the bias has the one that is nearest to -s_i w^_i, with w^_i found before."""
    model, target = network("sine", 1, 6), target_of({"name": "sine"})
    kept = construct(model, target, 6, nearest).mask["branches.sine.0.second.weight"].numpy()
    (first, second), _ = pairs(model, target)
    blocks = [[i for i in range(12 * column, 12 * column + 12) if first[i, column] > 0] for column in (0, 1)]
    for unit, place in enumerate(np.linspace(0, 1, 22)[:-1]):
        products = [second[unit, block] * first[block, column] for column, block in enumerate(blocks)]
        weight, bias = (own[kept[unit, block]].sum() for own, block in zip(products, blocks, strict=True))
        every = np.array([products[1][[bool(s >> b & 1) for b in range(6)]].sum() for s in range(64)])
        assert abs(bias + place * weight) == pytest.approx(np.abs(every + place * weight).min(), abs=1e-12)


def test_values_follow_the_sum_from_knot_to_knot() -> None:
    """With plenty of candidates the ticket meets the function at the knots that it has."""
    model, _, _ = ticket("sine", 0, 18)
    knots = np.linspace(0, 1, 22)[:, None]
    assert np.abs(outputs(model, knots, 1) - np.sin(2 * math.pi * knots)).max() < 2e-3


# -- the network ------------------------------------------------------------------------------------------------------------------------


def test_random_networks_are_drawn_as_said() -> None:
    model = network("layer", 0, 50)
    first, second = (p.detach() for p in model.parameters())
    for tensor in (first, second):
        assert -1 <= float(tensor.min()) < -0.99 and 0.99 < float(tensor.max()) <= 1
        assert abs(float(tensor.mean())) < 0.02
    own = first[torch.arange(800), torch.arange(800) // 100]
    assert torch.equal(own > 0, torch.arange(800) % 2 == 0)
    drawn = network("layer", 0, 50, signs="random")
    signs = next(drawn.parameters())[torch.arange(800), torch.arange(800) // 100] > 0
    assert 340 < int(signs.sum()) < 460 and not torch.equal(signs, torch.arange(800) % 2 == 0)


def test_scales_are_the_groups_or_the_authors() -> None:
    ours = network("sine", 0).state_dict()
    second = ours["branches.sine.0.second.weight"]
    # 32 units of the input's block, then 32 of the bias: weights 1, biases up to 20 / 21.
    assert float(second[:, :32].abs().max()) == pytest.approx(2, abs=0.02)
    assert float(second[:, 32:].abs().max()) == pytest.approx(2 * 20 / 21, abs=0.02)
    theirs = network("sine", 0, scale=2.0).state_dict()
    assert float(theirs["branches.sine.0.second.weight"][:, :32].abs().max()) == pytest.approx(2, abs=0.02)
    assert float(theirs["branches.sine.0.first.weight"][:, 0].abs().max()) == pytest.approx(2, abs=0.1)
    assert float(theirs["branches.sine.0.first.weight"][:, 1].abs().max()) == pytest.approx(1, abs=0.1)


def test_the_network_is_built_and_drawn_like_any_other() -> None:
    config = {"_target_": "lotto.models.candidates.CandidateNetwork", "target": {"name": "sine"}, "candidates": 4}
    one, other = (build(config, (1, 1, 1), 1, seed_number=7) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    meta = skeleton(config, (1, 1, 1), 1)
    assert [p.shape for p in meta.parameters()] == [p.shape for p in one.parameters()]
    with pytest.raises(BadRequest, match="takes 1 and gives 1 numbers"):
        build(config, (1, 8, 8), 10, seed_number=0)


def test_points_are_a_grid_or_each_replicates_own() -> None:
    assert points(GRID)[[0, 2000, 4000], 0] == pytest.approx([0, 0.5, 1])
    drawn = [points_of(CUBE, Streams(0, replicate)) for replicate in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1]) and not np.array_equal(drawn[0], drawn[2])
    assert drawn[0].shape == (2000, 8) and drawn[0].min() >= -1 and drawn[0].max() <= 1
