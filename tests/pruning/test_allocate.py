"""Counts against the papers: pure arithmetic from the sizes of the layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.pruning.allocate import Budget, Layer, Rule, budgets, forecast
from lotto.schedule import Density, Geometric, Removal, Removals, Rounds

EACH = {"dense": 0.2, "conv": 0.1, "output": 0.1}


def layers(**sizes: list[int]) -> list[Layer]:
    return [
        Layer(f"{kind}{index}", kind, size, size) for kind, listed in sizes.items() for index, size in enumerate(listed)
    ]


def convs(*widths: int) -> list[int]:
    """Weights of 3x3 convolutions between these numbers of channels."""
    return [9 * fan_in * fan_out for fan_in, fan_out in pairwise(widths)]


LENET = layers(dense=[784 * 300, 300 * 100], output=[1000])
CONV2 = layers(conv=convs(3, 64, 64), dense=[16384 * 256, 256 * 256], output=[2560])
CONV4 = layers(conv=convs(3, 64, 64, 128, 128), dense=[8192 * 256, 256 * 256], output=[2560])
CONV6 = layers(conv=convs(3, 64, 64, 128, 128, 256, 256), dense=[4096 * 256, 256 * 256], output=[2560])
RESNET = layers(
    conv=convs(3, 16, *[16] * 6, *[32] * 6, *[64] * 6), shortcut=[16 * 32, 32 * 64], output=[640]
)  # fmt: skip
VGG_STAGES = {
    16: (64, 64, 128, 128, 256, 256, 256, *[512] * 6),
    19: (64, 64, 128, 128, 256, 256, 256, 256, *[512] * 8),
}
VGG16, VGG19 = (layers(conv=convs(3, *VGG_STAGES[depth]), output=[5120]) for depth in (16, 19))

PAPER = {
    "LeNet": (LENET, Rule("layerwise", EACH)),
    "Conv-2": (CONV2, Rule("layerwise", EACH)),
    "Conv-4": (CONV4, Rule("layerwise", EACH)),
    "Conv-6": (CONV6, Rule("layerwise", EACH | {"conv": 0.15})),
    "Resnet-18": (RESNET, Rule("global", 0.2, ("shortcut", "output"))),
    "VGG-19": (VGG19, Rule("global", 0.2, ("output",))),
}

# Percent remaining after so many rounds (Frankle & Carbin 2019; columns in the order of PAPER).
ROUNDS = {
    0: (100, 100, 100, 100, 100, 100),
    1: (80.0, 80.1, 81.1, 82.5, 80.2, 80.0),
    2: (64.1, 64.2, 65.8, 68.2, 64.4, 64.0),
    3: (51.3, 51.4, 53.5, 56.4, 51.8, 51.2),
    4: (41.1, 41.2, 43.6, 46.7, 41.7, 41.0),
    5: (32.9, 33.0, 35.6, 38.7, 33.6, 32.8),
    6: (26.3, 26.5, 29.1, 32.1, 27.1, 26.2),
    7: (21.1, 21.2, 23.9, 26.6, 21.9, 21.0),
    8: (16.9, 17.0, 19.6, 22.1, 17.8, 16.8),
    9: (13.5, 13.7, 16.2, 18.4, 14.4, 13.4),
    10: (10.8, 11.0, 13.3, 15.3, 11.8, 10.8),
    11: (8.7, 8.8, 11.1, 12.7, 9.7, 8.6),
    12: (7.0, 7.1, 9.2, 10.6, 8.0, 6.9),
    13: (5.6, 5.7, 7.7, 8.9, 6.6, 5.5),
    14: (4.5, 4.6, 6.4, 7.4, 5.5, 4.4),
    15: (3.6, 3.7, 5.4, 6.2, 4.7, 3.5),
    16: (2.9, 3.0, 4.5, 5.2, 4.0, 2.8),
    18: (1.9, 1.9, 3.2, 3.6, 3.0, 1.8),
    19: (1.5, 1.6, 2.7, 3.0, 2.6, 1.5),
    21: (1.0, 1.0, 2.0, 2.1, 2.1, 0.9),
    24: (0.5, 0.5, 1.3, 1.3, 1.6, 0.5),
    26: (0.3, 0.4, 1.0, 0.9, 1.5, 0.3),
    30: (0.1, 0.2, 0.6, 0.5, 1.3, 0.1),
}


def percent(network: list[Layer], remaining: int) -> float:
    return 100 * remaining / sum(layer.total for layer in network)


def test_sizes_are_the_papers() -> None:
    totals = [266_200, 4_300_992, 2_425_024, 2_261_184, 270_896, 20_024_000]
    assert [sum(layer.total for layer in network) for network, _ in PAPER.values()] == totals
    assert sum(layer.total for layer in VGG16) == 14_715_584


@pytest.mark.parametrize("name", PAPER)
def test_percent_remaining_at_every_round_of_the_paper(name: str) -> None:
    network, rule = PAPER[name]
    column = list(PAPER).index(name)
    remaining = forecast(network, rule, Geometric(31), iterative=True)
    found = {done: percent(network, remaining[done]) for done in ROUNDS}
    assert found == pytest.approx({done: labels[column] for done, labels in ROUNDS.items()}, abs=0.05)


@pytest.mark.parametrize("name", PAPER)
def test_one_shot_leaves_exactly_as_many_as_the_rounds_did(name: str) -> None:
    network, rule = PAPER[name]
    schedule = Geometric(20)
    assert forecast(network, rule, schedule, iterative=False) == forecast(network, rule, schedule, iterative=True)


def test_axis_of_figure_4c() -> None:
    removals = Removals([eighth / 8 for eighth in range(1, 8)])
    remaining = forecast(LENET, Rule("layerwise", EACH), removals, iterative=False)
    printed = [100, 87.5, 75.0, 62.6, 50.1, 37.6, 25.1, 12.7]
    assert [percent(LENET, count) for count in remaining] == pytest.approx(printed, abs=0.05)
    # The same axis in closed form: the output layer at half the rate.
    assert remaining == [round((1 - p) * 265_200 + (1 - p / 2) * 1000) for p in (0, *removals.values)]


OPENLTH_LEVELS = (1, 2, 3, 5, 7, 8, 10, 15, 20)


@pytest.mark.parametrize(
    ("network", "exclude", "alive"),
    [
        (RESNET, (), (216_715, 173_371, 138_695, 88_763, 56_806, 45_443, 29_081, 9_524, 3_116)),
        (LENET, ("output",), (212_959, 170_366, 136_291, 87_223, 55_820, 44_655, 28_577, 9_359, 3_062)),
        (
            VGG16,
            ("output",),
            (11_772_466, 9_417_971, 7_534_375, 4_821_998, 3_086_076, 2_468_859, 1_580_067, 517_751, 169_652),
        ),
    ],
    ids=["cifar_resnet_20", "mnist_lenet_300_100", "cifar_vgg_16"],
)
def test_openlth_counts(network: list[Layer], exclude: tuple[str, ...], alive: tuple[int, ...]) -> None:
    rule = Rule("openlth", 0.2, exclude)
    remaining = forecast(network, rule, Geometric(21), iterative=True)
    assert tuple(remaining[level] for level in OPENLTH_LEVELS) == alive
    assert forecast(network, rule, Geometric(21), iterative=False) == remaining


def test_openlth_ends_where_the_original_raises_an_index_error() -> None:
    rule = Rule("openlth", 0.2, ("output",))
    assert len(forecast(LENET, rule, Geometric(25), iterative=True)) == 25
    with pytest.raises(BadRequest, match=r"^schedule.levels=26: level 25 cannot be reached\. "):
        forecast(LENET, rule, Geometric(26), iterative=True)


def test_rounds_prune_each_layer_at_its_own_rate_and_round_each_time() -> None:
    made = budgets(layers(dense=[10], conv=[35], output=[11]), Rule("layerwise", EACH), Rounds(2))
    # 10 -> 8 -> 6 (1.6 rounds to 2); 35 -> 31 (3.5 rounds to even, 4) -> 28; 11 -> 10 -> 9
    assert made == [Budget(("dense0",), 6), Budget(("conv0",), 28), Budget(("output0",), 9)]


def test_an_excluded_layer_keeps_its_weights_whatever_names_it() -> None:
    network = [Layer("stem.weight", "conv", 20, 20), Layer("fc.weight", "output", 10, 10)]
    for exclude in ("output", "fc.weight", "fc*"):
        assert budgets(network, Rule("layerwise", 0.5, (exclude,)), Rounds(1))[1].keep == 10
        assert budgets(network, Rule("global", 0.5, (exclude,)), Rounds(1)) == [
            Budget(("stem.weight",), 10),
            Budget(("fc.weight",), 10),
        ]


def test_a_rate_of_zero_excludes_a_kind() -> None:
    made = budgets(layers(dense=[20], output=[10]), Rule("layerwise", {"dense": 0.5, "output": 0}), Rounds(1))
    assert [budget.keep for budget in made] == [10, 10]


def test_global_density_counts_excluded_layers() -> None:
    made = budgets(layers(conv=[60, 30], output=[10]), Rule("global", 0.2, ("output",)), Density(0.4))
    assert made == [Budget(("conv0", "conv1"), 30), Budget(("output0",), 10)]
    assert budgets(layers(conv=[60, 30], output=[10]), Rule("global", 0.2), Removal(0.3)) == [
        Budget(("conv0", "conv1", "output0"), 70)
    ]


@given(
    st.lists(st.integers(200, 5000), min_size=1, max_size=4),
    st.lists(st.integers(200, 5000), min_size=1, max_size=3),
    st.floats(0.2, 0.95),
)
def test_layerwise_density_is_met_exactly_in_the_relation_of_the_rates(
    dense: list[int], conv: list[int], density: float
) -> None:
    network = layers(dense=dense, conv=conv)
    made = budgets(network, Rule("layerwise", EACH), Density(density))
    keep = {budget.names[0]: budget.keep for budget in made}
    assert sum(keep.values()) == round(density * sum(dense + conv))
    # log(density of a layer) / log(1 - its rate) is the number of rounds t, the same for all; counts are within one weight of it.
    low, high = (
        [math.log(min((keep[layer.name] + off) / layer.total, 1)) / math.log(1 - EACH[layer.kind]) for layer in network]
        for off in (1, -1)
    )
    assert max(low) <= min(high) + 1e-9


@given(st.lists(st.integers(200, 900), min_size=2, max_size=5), st.lists(st.floats(0.2, 0.95), min_size=2, max_size=6))
def test_layerwise_densities_fall_without_a_weight_coming_back(sizes: list[int], falling: list[float]) -> None:
    current = layers(dense=sizes[1:], conv=sizes[:1])
    rule = Rule("layerwise", EACH)
    for density in sorted(falling, reverse=True):
        wanted = round(density * sum(sizes))
        if wanted == sum(layer.alive for layer in current):
            continue  # nothing to remove is refused
        made = {budget.names[0]: budget.keep for budget in budgets(current, rule, Density(density))}
        assert sum(made.values()) == wanted
        assert all(made[layer.name] <= layer.alive for layer in current)
        current = [Layer(layer.name, layer.kind, layer.total, made[layer.name]) for layer in current]


TEN = layers(dense=[10], output=[10])


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (
            lambda: Rule("globl", 0.2),
            "prune.allocation=globl is unknown: choose from layerwise, global, openlth, uniform, erk, er, balanced; did you mean global?",
        ),
        (lambda: Rule("layerwise", 1.0), "prune.rate=1.0 lies outside (0, 1)."),
        (lambda: Rule("global", "abc"), "prune.rate=abc lies outside (0, 1)."),
        (lambda: Rule("layerwise", {"dense": -0.1}), "prune.rate.dense=-0.1 lies outside (0, 1)."),
        (
            lambda: Rule("layerwise", {"fc": 0.1}),
            "prune.rate.fc=0.1 names no kind of layer: choose from dense, conv, output, shortcut.",
        ),
        (
            lambda: Rule("global", {"dense": 0.2}),
            "prune.rate={'dense': 0.2} is one rate per kind of layer, but prune.allocation=global lets all "
            "layers compete: give one number, e.g. prune.rate=0.2.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", {"dense": 0.2}), Rounds(1)),
            "prune.rate={'dense': 0.2} gives no rate for kind output, which output0 is: add it, or 0.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", 0.2, ("fc",)), Rounds(1)),
            "prune.exclude=fc matches neither a kind of layer (dense, conv, output, shortcut) nor a parameter: "
            "the parameters are dense0, output0.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", 0.01), Rounds(1)),
            "Pruning to 1 round(s) more removes no weight: there are more levels than these layers have weights for.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", {"dense": 0, "output": 0}), Removal(0.5)),
            "Pruning to 0.5 less removes no weight: there are more levels than these layers have weights for.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", {"dense": 0.99, "output": 0.1}), Rounds(1)),
            "Pruning to 1 round(s) more leaves no weight in dense0: there are more levels than these layers have weights for.",
        ),
        (
            lambda: budgets(TEN, Rule("layerwise", 0.2, ("output",)), Density(0.4)),
            "Density 0.4 cannot be met: the layers that are not pruned hold 10 weights alone.",
        ),
        (
            lambda: budgets([Layer("a", "dense", 10, 4)], Rule("layerwise", 0.2), Density(0.5)),
            "Density 0.5 cannot be met: fewer weights than that remain.",
        ),
        (
            lambda: budgets(TEN, Rule("global", 0.2, ("output",)), Density(0.4)),
            "density 0.4 cannot be met: layers that are not pruned hold 10 weights.",
        ),
        (
            lambda: budgets(TEN, Rule("global", 0.2, ("output", "dense")), Rounds(1)),
            "prune.exclude leaves no layer to prune.",
        ),
        (
            lambda: budgets(TEN, Rule("openlth", 0.2), Density(0.4)),
            "prune.allocation=openlth prunes a rate per round: choose schedule=geometric without schedule.density.",
        ),
        (
            lambda: forecast(TEN, Rule("layerwise", {"dense": 0.9, "output": 0.1}), Geometric(4), True),
            "schedule.levels=4: level 2 cannot be reached. Pruning to 1 round(s) more leaves no weight in "
            "dense0: there are more levels than these layers have weights for.",
        ),
    ],
)
def test_refusals(attempt: Callable[[], object], sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        attempt()
    assert str(refusal.value) == sentence


def test_forecast_follows_the_masks_that_pruning_makes() -> None:
    """Each level's budgets from the level before, by hand for the global rule: 0.8 of what is left of 90, and 10 kept."""
    network = layers(conv=[60, 30], output=[10])
    counts: Mapping[int, int] = {0: 100, 1: 82, 2: 68, 3: 56}  # 90 -> 72 -> 58 (14.4) -> 46 (11.6)
    rule = Rule("global", 0.2, ("output",))
    assert dict(enumerate(forecast(network, rule, Geometric(4), True))) == counts
