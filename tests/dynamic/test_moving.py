"""What holds at every step of a training whose mask moves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from lotto.dynamic.moving import MovingMask
from lotto.dynamic.regrow import by_size, regrown
from lotto.dynamic.schedule import is_update
from lotto.mask import Mask
from lotto.models.lenet import LeNet
from lotto.stages import mask_in
from lotto.training.member import Fitted, Member
from tests.training.made_up import IMAGE, fitted, members, worst_difference

HERE = __name__
DENSITY = 0.3
EVERY, END, STOP = 10, 75, 100
OPTIONS = {"every": EVERY, "begin": 0, "end": END, "fraction": 0.3, "decay": "cosine", "least": 0.0}
RIGL = {**OPTIONS, "growth": "gradient", "replaces_step": True}
SET = {**OPTIONS, "begin": EVERY, "growth": "random", "replaces_step": False}
ITOP = {**SET, "growth": "random_unfired"}
KINDS = {"rigl": RIGL, "set": SET, "unfired": ITOP}
ADAM = {"_target_": "torch.optim.Adam"}
SGD = {"_target_": "torch.optim.SGD", "momentum": 0.9, "nesterov": True}


def lenet() -> nn.Module:
    return LeNet(input_shape=IMAGE, classes=10, plan=(20, 10))


class Watched(MovingMask):
    """Looks at every step; what it sees is kept by replicate, for the tests to read."""

    seen: ClassVar[dict[int, list[dict[str, Any]]]] = {}

    def after_backward(self, step: int) -> bool:
        before = {name: self.view.kept(name).clone() for name in self.view.kinds}
        weights = {name: self.view.weight(name).clone() for name in self.view.kinds}
        gradients = {name: self.view.gradient(name).clone() for name in self.view.kinds}  # type: ignore[union-attr]
        taken = super().after_backward(step)
        after = {name: self.view.kept(name).clone() for name in self.view.kinds}
        for name, kept in after.items():
            grown, stayed = kept & ~before[name], kept & before[name]
            now = self.view.weight(name)
            assert not bool(now[grown].any()), "born at zero"
            assert not bool(now[~kept].any())
            assert torch.equal(now[stayed], weights[name][stayed]), (
                "what stays, or is dropped and grown at once, keeps its value"
            )
            for slot in self.view.slots(name).values():
                assert not bool(slot[grown].any()) and not bool(slot[~kept].any()), "clean optimizer state"
        record = {"step": step, "before": before, "after": after, "taken": taken, "ever": self._share()}
        record |= {"weights": weights, "gradients": gradients, "fraction": self.fraction(step)}
        self.seen.setdefault(self.view.streams.replicate, []).append(record)
        return taken


def trained(
    options: Mapping[str, Any],
    taking_part: Sequence[Member],
    engine: str = "stacked",
    target: str = "lotto.dynamic.moving.MovingMask",
    **changes: Any,
) -> list[Fitted]:
    return fitted(lenet, taking_part, engine, regimen={"_target_": target, **options}, start=0, **changes)


def watched(
    options: Mapping[str, Any], density: float = DENSITY, **changes: Any
) -> tuple[Fitted, list[dict[str, Any]]]:
    Watched.seen.clear()
    (outcome,) = trained(options, members(lenet, 1, density), "alone", f"{HERE}.Watched", **changes)
    return outcome, Watched.seen[0]


@pytest.mark.parametrize("optimizer", [SGD, ADAM], ids=["sgd", "adam"])
@pytest.mark.parametrize("kind", KINDS)
def test_counts_are_constant_and_what_grows_starts_clean(kind: str, optimizer: dict[str, Any]) -> None:
    outcome, seen = watched(KINDS[kind], optimizer=optimizer, lr=0.01)
    start = seen[0]["before"]
    moved = 0
    for one in seen:
        due = is_update(one["step"], EVERY, KINDS[kind]["begin"], END)
        for name, after in one["after"].items():
            before = one["before"][name]
            active = int(start[name].sum())
            assert int(after.sum()) == active
            born, gone = int((after & ~before).sum()), int((before & ~after).sum())
            assert born == gone <= math.floor(one["fraction"] * active + 1e-9) if due else born == gone == 0
            moved += born
        assert one["taken"] == (not (due and KINDS[kind]["replaces_step"]))
    assert moved > 0
    final = mask_in(outcome.own)
    assert final is not None and all(torch.equal(final[name], kept) for name, kept in seen[-1]["after"].items())
    assert all(not bool(outcome.state[name][~kept].any()) for name, kept in final.items())
    # What grew is trained: some of it is no longer zero.
    assert any(bool(outcome.state[name][kept & ~start[name]].any()) for name, kept in final.items())


def test_rigl_grows_where_the_dense_gradient_is_largest() -> None:
    _, seen = watched(RIGL)
    updates = [one for one in seen if is_update(one["step"], EVERY, 0, END)]
    assert [one["step"] for one in updates] == [0, 10, 20, 30, 40, 50, 60, 70]
    for one in updates:
        for name, before in one["before"].items():
            count = math.floor(one["fraction"] * int(before.sum()))
            expected = regrown(one["weights"][name], before, count, by_size(one["gradients"][name]))
            assert torch.equal(one["after"][name], expected)
        # The gradient is that of all places, not of those that remain.
        assert any(bool(one["gradients"][name][~before].any()) for name, before in one["before"].items())


def test_set_grows_alike_whatever_the_data_are() -> None:
    def grown_of(noise: float) -> list[Tensor]:
        _, seen = watched({**SET, "end": EVERY + 1}, lr=noise)
        update = seen[EVERY]
        return [update["after"][name] & ~update["before"][name] for name in update["after"]]

    # Another learning rate, other gradients and weights; what is dropped differs by little, where it grows by nothing else.
    one, other = grown_of(1e-9), grown_of(1e-8)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    assert any(bool(places.any()) for places in one)


def test_every_update_and_every_replicate_draws_anew() -> None:
    # Where nothing is learnt, what grew is the smallest again, and each update grows among the same places.
    one, two = members(lenet, 2, DENSITY)
    twins = [one, replace(two, state=one.state, mask=one.mask)]
    Watched.seen.clear()
    trained({**SET, "decay": "constant"}, twins, target=f"{HERE}.Watched", lr=1e-12)
    first, second = (Watched.seen[replicate] for replicate in range(2))
    masks = [first[EVERY]["after"], first[2 * EVERY]["after"], second[EVERY]["after"]]
    for name in masks[0]:
        assert not torch.equal(masks[0][name], masks[1][name])
        assert not torch.equal(masks[0][name], masks[2][name])


def test_layers_that_are_alike_grow_apart() -> None:
    def make() -> nn.Module:
        return LeNet(input_shape=IMAGE, classes=10, plan=(32, 32, 32))

    one, other = "fc_layers.1.weight", "fc_layers.2.weight"
    (member,) = members(make, 1, DENSITY)
    assert member.mask is not None
    mask = Mask({**member.mask, other: member.mask[one]})
    twins = replace(member, state={**member.state, other: member.state[one]}, mask=mask)
    Watched.seen.clear()
    regimen = {"_target_": f"{HERE}.Watched", **SET, "decay": "constant"}
    fitted(make, [twins], "alone", regimen=regimen, start=0, lr=1e-12)
    update = Watched.seen[0][EVERY]
    grown = [update["after"][name] & ~update["before"][name] for name in (one, other)]
    assert int(grown[0].sum()) > 0 and not torch.equal(*grown)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_fraction_it_is_static_sparse_training_to_the_bit(kind: str) -> None:
    static = fitted(lenet, members(lenet, 2, DENSITY), "stacked")
    still = trained({**KINDS[kind], "fraction": 0.0}, members(lenet, 2, DENSITY))
    assert worst_difference(still, static) == 0.0
    assert all(one.results["numbers"]["ever_active"] == pytest.approx(DENSITY, abs=0.02) for one in still)


@pytest.mark.parametrize("kind", KINDS)
def test_at_density_one_it_is_dense_training_to_the_bit(kind: str) -> None:
    dense = fitted(lenet, members(lenet, 1), "alone")
    assert worst_difference(trained(KINDS[kind], members(lenet, 1), "alone"), dense) == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_does_what_each_replicate_does_alone(kind: str) -> None:
    together = trained(KINDS[kind], members(lenet, 3, DENSITY))
    apart = [one for member in members(lenet, 3, DENSITY) for one in trained(KINDS[kind], [member], "alone")]
    assert worst_difference(together, apart) < 1e-10
    for one, other in zip(together, apart, strict=True):
        assert mask_in(one.own) == mask_in(other.own)
        assert one.results["numbers"]["ever_active"] == other.results["numbers"]["ever_active"]
    assert mask_in(together[0].own) != mask_in(together[1].own)


def test_the_share_that_was_ever_active() -> None:
    outcome, seen = watched(ITOP, density=0.1)
    shares = [one["ever"] for one in seen]
    kept = seen[0]["before"]
    total = sum(mask.numel() for mask in kept.values())
    assert outcome.metrics[0]["ever_active"] == sum(int(mask.sum()) for mask in kept.values()) / total
    assert all(later >= earlier for earlier, later in pairwise(shares)) and shares[-1] <= 1
    # What grows was never active: every update adds its n.
    grown = sum(
        math.floor(one["fraction"] * int(mask.sum()) + 1e-9)
        for one in seen
        if is_update(one["step"], EVERY, EVERY, END)
        for mask in kept.values()
    )
    assert shares[-1] == pytest.approx(shares[0] + grown / total)
    assert outcome.results["numbers"]["ever_active"] == shares[-1]
    by_layer = outcome.results["ever_active_layers"]
    assert sum(by_layer[name] * mask.numel() for name, mask in kept.items()) / total == pytest.approx(shares[-1])
    assert [row["drop_fraction"] for row in outcome.metrics] == pytest.approx(
        [0.3, 0.15 * (1 + math.cos(math.pi * 40 / 75)), 0, 0]
    )


def test_growth_among_the_unfired_goes_on_when_none_is_left() -> None:
    many = {**ITOP, "every": 1, "begin": 0, "decay": "constant"}
    _, seen = watched(many, density=0.5)
    assert seen[-1]["ever"] == 1.0
    assert all(int(mask.sum()) == int(seen[0]["before"][name].sum()) for name, mask in seen[-1]["after"].items())


class Interrupted:
    """A first fit leaves its state in the middle; a second goes on from there."""

    def __init__(self) -> None:
        self.kept: Any = None

    def load(self) -> Any:
        return self.kept

    def asked(self) -> bool:
        return False

    def due(self) -> bool:
        return self.kept is None

    def save(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        self.kept = ({name: tensor.clone() for name, tensor in tensors.items()}, state)


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(kind: str) -> None:
    checkpoints = Interrupted()
    whole = trained(KINDS[kind], members(lenet, 2, DENSITY), checkpoints=checkpoints)
    assert checkpoints.kept is not None and 0 < checkpoints.kept[1]["step"] < END
    again = trained(KINDS[kind], members(lenet, 2, DENSITY), checkpoints=checkpoints)
    assert worst_difference(again, whole) == 0.0
    for one, other in zip(again, whole, strict=True):
        assert mask_in(one.own) == mask_in(other.own)
        assert {k: v for k, v in one.results.items() if k != "wall_seconds"} == {
            k: v for k, v in other.results.items() if k != "wall_seconds"
        }
        assert one.metrics == other.metrics


def test_the_cost_counts_dense_gradients_while_the_mask_moves() -> None:
    (rigl,) = trained(RIGL, members(lenet, 1, DENSITY), "alone")
    share = END / STOP
    assert rigl.results["passes"] == pytest.approx(
        {"sparse": share * (3 * EVERY + 2) / (EVERY + 1) + (1 - share) * 3, "dense": share / (EVERY + 1)}
    )
    (evolved,) = trained(SET, members(lenet, 1, DENSITY), "alone")
    assert evolved.results["passes"] == {"sparse": 3.0, "dense": 0.0}
