"""Every control changes what it must and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from lotto.controls import noise, norm, prune_at_init, random, reinit, reinit_from_ticket, shuffle, signed_constant
from lotto.controls.origin import Origin, Start
from lotto.mask import Mask
from lotto.seeds import Streams

SHAPES = {
    "conv.weight": (6, 3, 2, 2),
    "norm.weight": (6,),
    "norm.running_mean": (6,),
    "fc.weight": (8, 6),
    "fc.bias": (8,),
}
MASKED = ("conv.weight", "fc.weight")
KEPT = {"conv.weight": 30, "fc.weight": 12}
Made = dict[str, Tensor]


def draw(number: int) -> Made:
    generator = torch.Generator().manual_seed(number)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def origin(level: int = 1, sample: int = 0, replicate: int = 0) -> Origin:
    """A ticket whose biases and statistics differ from the rewinding point's, as they do under rewind.batch_norm=keep."""
    weights = draw(1)
    generator = torch.Generator().manual_seed(2)
    mask = Mask(
        {
            name: (torch.randperm(weights[name].numel(), generator=generator) < KEPT[name]).view(SHAPES[name])
            for name in MASKED
        }
    )
    ticket = mask.apply(weights) | {"norm.running_mean": torch.full((6,), 0.5), "fc.bias": torch.full((8,), 0.25)}
    return Origin(Start(ticket, mask), weights, draw, Streams(0, replicate), level, sample)


def masked(start: Start) -> Made:
    """What is trained: the control with its mask applied."""
    return start.mask.apply(start.weights)


def changed(start: Start, of: Origin) -> set[str]:
    """Names of the tensors that are trained from other values than the ticket's, or under another mask."""
    made = masked(start)
    assert made.keys() == of.ticket.weights.keys()
    assert start.mask.keys() == of.ticket.mask.keys()
    differ = {name for name in made if not torch.equal(made[name], of.ticket.weights[name])}
    return differ | {f"mask of {name}" for name in MASKED if not torch.equal(start.mask[name], of.ticket.mask[name])}


ALL = set(SHAPES)
WEIGHTS = set(MASKED)
MASKS = {f"mask of {name}" for name in MASKED}
CONTROLS: dict[str, tuple[Callable[..., Start], dict[str, Any], set[str]]] = {
    "reinit": (reinit.make, {}, ALL),
    "random": (random.make, {}, ALL | MASKS),
    "shuffle": (shuffle.make, {}, WEIGHTS | MASKS),
    "prune_at_init": (prune_at_init.make, {}, WEIGHTS | MASKS),
    "noise": (noise.make, {"scale": 0.5}, WEIGHTS),
    "signed_constant": (signed_constant.make, {}, WEIGHTS),
    "reinit_from_ticket": (reinit_from_ticket.make, {}, WEIGHTS),
    "reinit_from_ticket by sign": (reinit_from_ticket.make, {"keep_sign": True}, WEIGHTS),
}
# The whole network: not counted among those that keep what the ticket keeps.
WHOLE: dict[str, tuple[Callable[..., Start], dict[str, Any], set[str]]] = {
    "norm L1": (norm.make, {"q": 1}, WEIGHTS | MASKS),
    "norm L2": (norm.make, {"q": 2}, WEIGHTS | MASKS),
    "norm L2 by layer": (norm.make, {"q": 2, "by_layer": True}, WEIGHTS | MASKS),
}
EVERY = CONTROLS | WHOLE
every_control = pytest.mark.parametrize("name", EVERY)


def make(name: str, of: Origin) -> Start:
    function, options, _ = EVERY[name]
    return function(of, **options)


@every_control
def test_changes_what_it_must_and_nothing_else(name: str) -> None:
    ticket = origin()
    assert changed(make(name, ticket), ticket) == EVERY[name][2]


@pytest.mark.parametrize("name", CONTROLS)
def test_has_the_tickets_counts_in_every_layer(name: str) -> None:
    start = make(name, origin())
    assert start.mask.counts() == KEPT
    assert {tensor: int(masked(start)[tensor].count_nonzero()) for tensor in MASKED} == KEPT


@every_control
def test_leaves_the_ticket_as_it_was(name: str) -> None:
    ticket, before = origin(), origin()
    make(name, ticket)
    for one, other in ((ticket.ticket.weights, before.ticket.weights), (ticket.weights, before.weights)):
        assert all(torch.equal(one[tensor], other[tensor]) for tensor in SHAPES)
    assert ticket.ticket.mask == before.ticket.mask


@every_control
def test_the_same_sample_draws_the_same(name: str) -> None:
    torch.manual_seed(1)
    one = make(name, origin())
    torch.manual_seed(2)
    other = make(name, origin())
    assert one.mask == other.mask
    assert all(torch.equal(masked(one)[tensor], masked(other)[tensor]) for tensor in SHAPES)


@pytest.mark.parametrize("name", sorted(CONTROLS.keys() - {"prune_at_init", "signed_constant"}))  # which draw nothing
@pytest.mark.parametrize("other", [{"sample": 1}, {"level": 2}, {"replicate": 1}], ids=str)
def test_samples_levels_and_replicates_draw_differently(name: str, other: dict[str, int]) -> None:
    one, another = make(name, origin()), make(name, origin(**other))
    differ = {tensor for tensor in SHAPES if not torch.equal(masked(one)[tensor], masked(another)[tensor])}
    differ |= {f"mask of {tensor}" for tensor in MASKED if not torch.equal(one.mask[tensor], another.mask[tensor])}
    assert differ == CONTROLS[name][2]


def test_a_control_that_is_the_ticket_is_found_out() -> None:
    """The test above is able to fail: the defect of old, a shuffle of a copy, and a reinitialisation with the first weights."""
    ticket = origin()
    ticket.ticket.mask.shuffle(torch.Generator().manual_seed(0))
    assert changed(Start(ticket.ticket.weights, ticket.ticket.mask), ticket) == set()
    assert changed(Start(ticket.weights, ticket.ticket.mask), ticket) == {"norm.running_mean", "fc.bias"}


def test_shuffle_has_the_rewinding_points_values_at_its_new_places() -> None:
    ticket = origin()
    start = shuffle.make(ticket)
    for name in MASKED:
        assert torch.equal(masked(start)[name], ticket.weights[name] * start.mask[name])


def test_prune_at_init_keeps_the_largest_of_every_layer() -> None:
    ticket = origin()
    start = prune_at_init.make(ticket)
    for name in MASKED:
        size = ticket.weights[name].abs()
        kept = size[start.mask[name]]
        assert torch.equal(kept.sort().values, size.flatten().sort().values[-KEPT[name] :])
        assert torch.equal(masked(start)[name], ticket.weights[name] * start.mask[name])


def test_reinit_and_random_are_new_draws_everywhere() -> None:
    for make_one in (reinit.make, random.make):
        weights = make_one(origin()).weights
        assert all(bool((weights[name] != origin().weights[name]).all()) for name in SHAPES)


def test_random_draws_its_mask_apart_from_shuffles() -> None:
    assert random.make(origin()).mask != shuffle.make(origin()).mask


def test_noise_has_the_scale_asked_for_of_each_layer() -> None:
    shape = (300, 200)
    weights = {"a": torch.randn(shape) * 3.0, "b": torch.randn(shape) * 0.1}
    mask = Mask({name: torch.ones(shape) for name in weights})
    ticket = Origin(Start(dict(weights), mask), weights, draw, Streams(0, 0), 1, 0)
    made = noise.make(ticket, scale=2.0).weights
    for name in weights:
        added = made[name] - weights[name]
        assert float(added.std() / weights[name].std()) == pytest.approx(2.0, rel=0.02)
        assert abs(float(added.mean() / weights[name].std())) < 0.05


@pytest.mark.parametrize("keep_sign", [False, True])
def test_reinit_from_ticket_draws_survivors_of_its_own_layer(keep_sign: bool) -> None:
    ticket = origin()
    made = masked(reinit_from_ticket.make(ticket, keep_sign=keep_sign))
    for name in MASKED:
        kept = ticket.ticket.mask[name]
        before, after = ticket.ticket.weights[name][kept], made[name][kept]
        assert set(after.tolist()) <= set(before.tolist())
        assert (torch.equal(before.sign(), after.sign())) == keep_sign
        assert len(set(after.tolist())) < len(after)  # with replacement


def test_reinit_from_ticket_does_without_survivors() -> None:
    weights = {"a": torch.zeros(3)}
    ticket = Origin(Start(weights, Mask(weights)), weights, draw, Streams(0, 0), 1, 0)
    for keep_sign in (False, True):
        assert reinit_from_ticket.make(ticket, keep_sign=keep_sign).weights["a"].tolist() == [0, 0, 0]


def test_signed_constants_keep_signs_and_one_size_a_layer() -> None:
    ticket = origin()
    start = signed_constant.make(ticket)
    for name in MASKED:
        weight = ticket.weights[name]
        size = (
            (weight - weight.mean()).square().sum() / (weight.numel() - 1)
        ).sqrt()  # of all weights, pruned ones too
        assert torch.equal(start.weights[name] > 0, weight > 0)
        assert torch.allclose(start.weights[name].abs(), size.expand_as(weight))
    assert start.mask == ticket.ticket.mask


@pytest.mark.parametrize("q", [1, 2])
def test_norm_brings_the_whole_network_to_the_tickets_mean_norm(q: int) -> None:
    ticket = origin()
    start = norm.make(ticket, q=q)

    def mean_norm(weights: Made) -> float:
        powers = [float((weights[name].double().abs() ** q).sum()) for name in MASKED]
        return sum(power ** (1 / q) for power in powers) / len(MASKED)

    assert mean_norm(masked(start)) == pytest.approx(mean_norm(ticket.ticket.weights), rel=1e-6)
    factors = torch.cat([(start.weights[name] / ticket.weights[name]).flatten() for name in MASKED])
    assert float(factors.max() - factors.min()) < 1e-6  # one factor for all
    assert 0 < float(factors.mean()) < 1
    assert start.mask.density == 1


@pytest.mark.parametrize("q", [1, 2])
def test_norm_by_layer_brings_every_tensor_to_its_own_norm(q: int) -> None:
    ticket = origin()
    start = norm.make(ticket, q=q, by_layer=True)
    for name in MASKED:
        wanted = torch.linalg.vector_norm(ticket.ticket.weights[name], q)
        assert float(torch.linalg.vector_norm(start.weights[name], q)) == pytest.approx(float(wanted), rel=1e-6)


def test_norm_of_a_network_of_zeros_is_zero() -> None:
    weights = {"a": torch.zeros(3), "b": torch.ones(2)}
    of = Origin(
        Start(weights, Mask({"a": torch.ones(3), "b": torch.tensor([1, 0])})), weights, draw, Streams(0, 0), 1, 0
    )
    made = norm.make(of, q=1, by_layer=True).weights
    assert (made["a"].tolist(), made["b"].tolist()) == ([0, 0, 0], [0.5, 0.5])
