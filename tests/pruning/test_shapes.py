"""Allocations by the layers' shapes: uniform, Erdős-Rényi, Erdős-Rényi-Kernel, balanced."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.models.resnet import CifarResNet
from lotto.pruning.allocate import Budget, Layer, Rule, budgets, forecast
from lotto.pruning.allocation.shared_out import balanced_claim, erk_claim, shares
from lotto.pruning.prune import layers_in
from lotto.schedule import Density, Geometric, Removal, Rounds

BY_SHAPE = ("uniform", "erk", "er", "balanced")


def network(*shapes: tuple[int, ...]) -> list[Layer]:
    return [Layer(f"layer{number}", "dense", n := math.prod(shape), n, shape) for number, shape in enumerate(shapes)]


LENET = network((300, 784), (100, 300), (10, 100))
# ResNet-20 without its shortcuts' convolutions: 268,336 weights.
RESNET = [layer for layer in layers_in(CifarResNet((3, 32, 32), 10, depth=20)) if layer.kind != "shortcut"]


def counts(layers: list[Layer], allocation: str, density: float) -> dict[str, int]:
    return {made.names[0]: made.keep for made in budgets(layers, Rule(allocation, 0.2), Density(density))}


def densities(layers: list[Layer], allocation: str, density: float) -> list[float]:
    found = counts(layers, allocation, density)
    return [found[layer.name] / layer.total for layer in layers]


@pytest.mark.parametrize(
    ("density", "scale", "measured"),
    [
        (0.5, 94.1882, (0.4341, 1, 1)),
        (0.2, 35.2022, (0.16224, 0.46936, 1)),
        (0.1, 17.2642, (0.07957, 0.23019, 1)),
        (0.05, 8.3501, (0.03848, 0.11133, 0.91851)),
    ],
)
def test_erk_of_lenet(density: float, scale: float, measured: tuple[float, ...]) -> None:
    """The densities and the factor epsilon that the sheet measured."""
    wanted = round(density * 266_200)
    exact = shares({layer: erk_claim(layer) for layer in LENET}, wanted)
    found = [exact[layer.name] / layer.total for layer in LENET]
    assert found == pytest.approx(measured, abs=6e-5)
    assert exact["layer0"] / (300 + 784) == pytest.approx(scale, abs=6e-5)
    whole = counts(LENET, "erk", density)
    assert all(abs(whole[layer.name] - exact[layer.name]) < 1 for layer in LENET)


@pytest.mark.parametrize(
    ("density", "measured"),
    [
        (0.2, (1, 0.61785, 0.43900, 0.28453, 0.20730, 0.13617, 1)),
        (0.1, (1, 0.30263, 0.21502, 0.13937, 0.10154, 0.06670, 1)),
        (0.05, (0.51742, 0.14747, 0.10478, 0.06791, 0.04948, 0.03250, 1)),
    ],
)
def test_erk_of_resnet_20(density: float, measured: tuple[float, ...]) -> None:
    assert sum(layer.total for layer in RESNET) == 268_336
    known = dict(zip([(16, 3), (16, 16), (32, 16), (32, 32), (64, 32), (64, 64), (10, 64)], measured, strict=True))
    exact = shares({layer: erk_claim(layer) for layer in RESNET}, density * 268_336)
    for layer in RESNET:
        assert exact[layer.name] / layer.total == pytest.approx(known[layer.shape[:2]], abs=1e-5), layer


def test_a_single_cut_at_one_would_lose_density() -> None:
    """What the loop is there for: min(1, scale * claim) at the first scale keeps 9.69% where 10% are asked for."""
    claims = {layer: erk_claim(layer) for layer in LENET}
    scale = 26_620 / sum(claims.values())
    cut = sum(min(scale * claim, layer.total) for layer, claim in claims.items())
    assert cut / 266_200 == pytest.approx(0.0969, abs=1e-4)
    assert sum(counts(LENET, "erk", 0.1).values()) == 26_620


@pytest.mark.parametrize(("density", "measured"), [(0.1, (0.0545, 0.427, 1)), (0.2, (0.1111, 0.8707, 1))])
def test_balanced_of_lenet(density: float, measured: tuple[float, ...]) -> None:
    """Filled like water: the last layer holds fewer than its part, and the first two share the rest equally."""
    found = counts(LENET, "balanced", density)
    assert densities(LENET, "balanced", density) == pytest.approx(measured, abs=6e-5)
    assert found["layer2"] == 1000
    assert abs(found["layer0"] - found["layer1"]) <= 1


def test_erdos_renyi_of_a_convolution_leaves_the_kernel_out() -> None:
    layers = network((16, 4, 3, 3), (20, 30))
    found = densities(layers, "er", 0.1)
    assert found[0] / found[1] == pytest.approx((20 / 64) / (50 / 600), rel=0.05)
    found = densities(layers, "erk", 0.1)
    assert found[0] / found[1] == pytest.approx((26 / 576) / (50 / 600), rel=0.05)
    linear = network((30, 40), (50, 20))
    assert counts(linear, "er", 0.3) == counts(linear, "erk", 0.3)


def test_layers_of_one_shape_are_alike() -> None:
    equal = network((40, 25), (40, 25), (40, 25))
    for allocation in BY_SHAPE:
        assert set(counts(equal, allocation, 0.3).values()) == {300}


@pytest.mark.parametrize("allocation", BY_SHAPE)
def test_near_one_every_layer_is_full(allocation: str) -> None:
    assert densities(LENET, allocation, 1 - 1 / 266_200) == pytest.approx([1, 1, 1], abs=1e-3)
    with pytest.raises(BadRequest, match="removes no weight"):
        counts(LENET, allocation, 1.0)


SHAPES = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        st.tuples(st.integers(1, 16), st.integers(1, 16), st.just(3), st.just(3)),
    ),
    min_size=1,
    max_size=6,
)


@given(SHAPES, st.sampled_from(BY_SHAPE), st.floats(0.01, 0.99))
def test_counts_add_up_exactly_and_stay_within_the_layers(
    shapes: list[tuple[int, ...]], allocation: str, density: float
) -> None:
    layers = network(*shapes)
    total = sum(layer.total for layer in layers)
    wanted = round(density * total)
    if wanted < len(layers) or wanted == total:
        with pytest.raises(BadRequest):
            counts(layers, allocation, density)
        return
    found = counts(layers, allocation, density)
    assert sum(found.values()) == wanted
    assert all(1 <= found[layer.name] <= layer.total for layer in layers)


@given(SHAPES, st.floats(0.01, 0.99))
def test_shares_are_in_proportion_to_the_claims_where_a_layer_is_not_full(
    shapes: list[tuple[int, ...]], density: float
) -> None:
    layers = network(*shapes)
    wanted = density * sum(layer.total for layer in layers)
    for claim in (erk_claim, balanced_claim):
        found = shares({layer: claim(layer) for layer in layers}, wanted)
        assert sum(found.values()) == pytest.approx(wanted)
        assert all(found[layer.name] <= layer.total * (1 + 1e-12) for layer in layers)
        free = [found[layer.name] / claim(layer) for layer in layers if found[layer.name] < layer.total * (1 - 1e-9)]
        assert max(free) == pytest.approx(min(free))
        # What is full would have had at least as much.
        full = [layer.total / claim(layer) for layer in layers if found[layer.name] >= layer.total * (1 - 1e-9)]
        assert all(own <= free[0] * (1 + 1e-9) for own in full)


@given(SHAPES, st.sampled_from(BY_SHAPE), st.lists(st.floats(0.05, 0.95), min_size=2, max_size=5))
def test_levels_never_ask_for_a_weight_back(
    shapes: list[tuple[int, ...]], allocation: str, falling: list[float]
) -> None:
    layers = network(*shapes, (30, 30))
    total = sum(layer.total for layer in layers)
    for density in sorted(falling, reverse=True):
        if len(layers) <= (wanted := round(density * total)) < sum(layer.alive for layer in layers):
            found = counts(layers, allocation, density)
            assert sum(found.values()) == wanted
            assert all(found[layer.name] <= layer.alive for layer in layers)
            layers = [Layer(v.name, v.kind, v.total, found[v.name], v.shape) for v in layers]


def test_excluded_layers_keep_everything_and_count() -> None:
    made = budgets(LENET, Rule("erk", 0.2, ("layer2",)), Density(0.05))
    assert [budget.keep for budget in made] == [*(b.keep for b in made[:2]), 1000]
    assert sum(budget.keep for budget in made) == 13_310
    uniform = budgets(LENET, Rule("uniform", 0.2, ("layer2",)), Density(0.05))
    assert uniform[0].keep / 235_200 == pytest.approx(uniform[1].keep / 30_000, rel=1e-3)


@pytest.mark.parametrize("allocation", BY_SHAPE)
def test_rounds_and_removals_come_to_the_counts_of_layers_that_compete(allocation: str) -> None:
    for target in (Rounds(3), Removal(0.7)):
        compete = budgets(LENET, Rule("global", 0.2), target)
        assert sum(budget.keep for budget in budgets(LENET, Rule(allocation, 0.2), target)) == compete[0].keep
    schedule = Geometric(8)
    assert forecast(LENET, Rule(allocation, 0.2), schedule, True) == forecast(
        LENET, Rule("global", 0.2), schedule, True
    )
    assert forecast(LENET, Rule(allocation, 0.2), schedule, False) == forecast(
        LENET, Rule("global", 0.2), schedule, True
    )


def test_no_layer_is_emptied_by_rounding_and_too_few_weights_are_refused() -> None:
    layers = network((1000, 100), (3, 3))
    assert budgets(layers, Rule("uniform", 0.2), Density(0.001)) == [Budget(("layer0",), 99), Budget(("layer1",), 1)]
    with pytest.raises(BadRequest, match=r"^density 1e-05 cannot be met: 1 weights are not enough for 2 layers\.$"):
        budgets(layers, Rule("uniform", 0.2), Density(1e-5))
    with pytest.raises(BadRequest, match="itself says what every layer keeps: give one number"):
        Rule("erk", {"dense": 0.2})
