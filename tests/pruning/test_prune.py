"""Scores and budgets make a mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.pruning.allocate import Rule
from lotto.pruning.prune import layers_of, prune_mask
from lotto.schedule import Density, Removal, Rounds

KINDS = {"a": "conv", "b": "dense", "c": "output"}
HALF = Rule("layerwise", 0.5)


def scores_of(**rows: list[float]) -> dict[str, Tensor]:
    return {name: torch.tensor(row) for name, row in rows.items()}


def lists(mask: Mask) -> dict[str, list[int]]:
    return {name: tensor.int().tolist() for name, tensor in mask.items()}


SCORES = scores_of(a=[9.0, 1.0, 8.0, 2.0], b=[0.1, 0.4, 0.2, 0.3], c=[5.0, 6.0])
DENSE = Mask.ones(SCORES)


def test_layerwise_prunes_every_layer_by_itself() -> None:
    assert lists(prune_mask(SCORES, DENSE, KINDS, HALF, Rounds(1))) == {
        "a": [1, 0, 1, 0],
        "b": [0, 1, 0, 1],
        "c": [0, 1],
    }


def test_global_lets_all_layers_compete_and_may_empty_one() -> None:
    # The five highest of 9 8 6 5 2 1 .4 .3 .2 .1
    assert lists(prune_mask(SCORES, DENSE, KINDS, Rule("global", 0.5), Rounds(1))) == {
        "a": [1, 0, 1, 1],
        "b": [0, 0, 0, 0],
        "c": [1, 1],
    }


def test_global_breaks_ties_in_the_order_of_the_layers() -> None:
    equal = scores_of(a=[1.0, 1.0], b=[1.0, 1.0])
    made = prune_mask(equal, Mask.ones(equal), KINDS, Rule("global", 0.5), Density(0.75))
    assert lists(made) == {"a": [1, 1], "b": [1, 0]}


def test_excluded_layers_keep_their_weights_and_do_not_compete() -> None:
    made = prune_mask(SCORES, DENSE, KINDS, Rule("global", 0.5, ("dense",)), Removal(0.5))
    assert lists(made) == {"a": [1, 0, 1, 0], "b": [1, 1, 1, 1], "c": [0, 1]}


def test_what_was_pruned_stays_pruned_however_it_scores() -> None:
    before = Mask({"a": torch.tensor([0, 1, 0, 1]), "b": torch.ones(4), "c": torch.ones(2)})
    assert lists(prune_mask(SCORES, before, KINDS, HALF, Rounds(1)))["a"] == [0, 0, 0, 1]


def test_shapes_and_order_are_the_masks() -> None:
    scores = {"b": torch.arange(6.0).view(2, 3), "a": torch.arange(8.0).view(2, 2, 2)}
    made = prune_mask(scores, Mask.ones(scores), KINDS, HALF, Rounds(1))
    assert list(made) == ["b", "a"]
    assert made["b"].tolist() == [[False, False, False], [True, True, True]]
    assert made["a"].tolist() == [[[False, False], [False, False]], [[True, True], [True, True]]]
    assert [(layer.name, layer.kind, layer.total, layer.alive) for layer in layers_of(made, KINDS)] == [
        ("b", "dense", 6, 3),
        ("a", "conv", 8, 4),
    ]


@given(st.integers(0, 10**6), st.sampled_from(["layerwise", "global"]), st.floats(0.2, 0.9))
def test_result_is_within_the_mask_and_has_the_exact_count(seed: int, allocation: str, density: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    # Whole numbers below 5 make ties.
    scores = {name: torch.randint(5, (60,), generator=generator).float() for name in KINDS}
    before = Mask({name: torch.rand(60, generator=generator) < 0.95 for name in KINDS})
    made = prune_mask(scores, before, KINDS, Rule(allocation, 0.2), Density(density * before.density))
    assert made.remaining == round(density * before.density * 180)
    assert made <= before
    assert made != before


def openlth(weights: list[np.ndarray], mask: list[np.ndarray], ignored: set[int], fraction: float) -> list[np.ndarray]:
    """``sparse_global`` as open_lth_reference.md, section 7, states it."""
    count = math.ceil(fraction * sum(int(layer.sum()) for layer in mask))
    alive = [weights[i][mask[i] == 1] for i in range(len(weights)) if i not in ignored]
    threshold = np.sort(np.abs(np.concatenate(alive)))[count]
    return [
        mask[i] if i in ignored else np.where(np.abs(weights[i]) > threshold, mask[i], 0) for i in range(len(weights))
    ]


@pytest.mark.parametrize("exclude", [(), ("output",)])
def test_openlth_masks_for_six_levels(exclude: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=size).astype(np.float32) for size in (70, 90, 20)]
    scores = {name: torch.from_numpy(np.abs(layer)) for name, layer in zip(KINDS, weights, strict=True)}
    theirs, ours = [np.ones_like(layer) for layer in weights], Mask.ones(scores)
    for _ in range(6):
        theirs = openlth(weights, theirs, {2} if exclude else set(), 0.2)
        ours = prune_mask(scores, ours, KINDS, Rule("openlth", 0.2, exclude), Rounds(1))
        assert ours == Mask({name: torch.from_numpy(layer) for name, layer in zip(KINDS, theirs, strict=True)})


def test_a_target_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(BadRequest, match="removes no weight"):
        prune_mask(SCORES, DENSE, KINDS, Rule("layerwise", 0.01), Rounds(1))
