"""Gradual magnitude pruning: counts along the schedule, what goes and what may come back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from lotto.dynamic.gradual import GradualPruning
from lotto.dynamic.schedule import cubic_sparsity, is_pruning_step
from lotto.errors import BadRequest
from lotto.models.lenet import LeNet
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stages import mask_in
from lotto.training.member import Fitted
from tests.dynamic.test_moving import Interrupted
from tests.training.made_up import IMAGE, fitted, members, worst_difference

HERE = __name__
BEGIN, END, EVERY = 12, 73, 10
UNIFORM = {"allocation": "uniform", "rate": 0.2, "exclude": []}
GLOBAL = {**UNIFORM, "allocation": "global"}
TARGET = {"target": "density", "value": 0.2}
OPTIONS = {"every": EVERY, "begin": BEGIN, "end": END, "initial": 0.0, "allow_regrow": False, "target": TARGET}


def lenet() -> nn.Module:
    return LeNet(input_shape=IMAGE, classes=10, plan=(20, 10))


class Watched(GradualPruning):
    """Remembers counts, masks and weights after every step, for the tests to read."""

    seen: ClassVar[list[dict[str, Any]]] = []

    def after_update(self, step: int) -> None:
        before = {name: self._value(name).clone() for name in self.view.kinds}
        super().after_update(step)
        kept = {name: self.view.kept(name).clone() for name in self.view.kinds}
        weights = {name: self.view.weight(name).clone() for name in self.view.kinds}
        self.seen.append({"steps": step + 1, "before": before, "kept": kept, "weights": weights})


def trained(count: int = 1, engine: str = "alone", name: str = "Watched", **changes: Any) -> list[Fitted]:
    Watched.seen.clear()
    target = f"{HERE}.{name}" if name == "Watched" else "lotto.dynamic.gradual.GradualPruning"
    own = {"checkpoints": changes.pop("checkpoints")} if "checkpoints" in changes else {}
    regimen = {"_target_": target, "rule": UNIFORM, **OPTIONS, **changes}
    return fitted(lenet, members(lenet, count), engine, regimen=regimen, start=0, lr=0.02, **own)


@pytest.mark.parametrize("rule", [UNIFORM, GLOBAL], ids=["uniform", "global"])
def test_counts_follow_the_schedule_exactly(rule: dict[str, Any]) -> None:
    (outcome,) = trained(rule=rule)
    sizes = {name: kept.numel() for name, kept in Watched.seen[0]["kept"].items()}
    groups = [[name] for name in sizes] if rule is UNIFORM else [list(sizes)]
    steps = [one["steps"] for one in Watched.seen if is_pruning_step(one["steps"], EVERY, BEGIN, END)]
    assert steps == [12, 22, 32, 42, 52, 62, 72, 73]
    for one in Watched.seen:
        # Between prunings the mask of the last one stays.
        last = max((step for step in steps if step <= one["steps"]), default=0)
        wanted = cubic_sparsity(last, 0.0, 0.8, BEGIN, END)
        for group in groups:
            whole, kept = sum(sizes[name] for name in group), sum(int(one["kept"][name].sum()) for name in group)
            # A layer's own share of the density is dealt in whole weights, so it may lie one off.
            assert abs((whole - kept) - wanted * whole) <= (1.5 if rule is UNIFORM else 0.5)
    final = mask_in(outcome.own)
    assert final is not None and final.remaining == round(0.2 * final.total)
    assert all(torch.equal(final[name], kept) for name, kept in Watched.seen[-1]["kept"].items())
    assert all(not bool(outcome.state[name][~kept].any()) for name, kept in final.items())


@pytest.mark.parametrize("allow_regrow", [False, True])
def test_the_largest_stay(allow_regrow: bool) -> None:
    (outcome,) = trained(rule=GLOBAL, allow_regrow=allow_regrow)
    back = pruned = 0
    for before, one in pairwise(Watched.seen):
        if not is_pruning_step(one["steps"], EVERY, BEGIN, END):
            continue
        size = torch.cat([value.abs().flatten() for value in one["before"].values()])
        kept = torch.cat([mask.flatten() for mask in one["kept"].values()])
        earlier = torch.cat([mask.flatten() for mask in before["kept"].values()])
        left = ~kept if allow_regrow else ~kept & earlier
        if bool(left.any()):  # of the first pruning nothing, at sparsity 0
            pruned += 1
            assert float(size[kept].min()) >= float(size[left].max())
        back += int((kept & ~earlier).sum())
        for name, mask in one["kept"].items():
            # What came back has its last value, and all that is kept the one it had.
            assert torch.equal(one["weights"][name][mask], one["before"][name][mask])
    assert (back > 0) == allow_regrow and pruned > 3
    final = mask_in(outcome.own)
    assert final is not None and final.remaining == round(0.2 * final.total)


def test_before_it_begins_it_is_dense_training_to_the_bit() -> None:
    dense = fitted(lenet, members(lenet, 2), "stacked", stop=60)
    late = {**OPTIONS, "begin": 61, "end": 61}
    regimen = {"_target_": "lotto.dynamic.gradual.GradualPruning", "rule": UNIFORM, **late}
    waiting = fitted(lenet, members(lenet, 2), "stacked", regimen=regimen, start=0, stop=60)
    for one, other in zip(waiting, dense, strict=True):
        assert all(torch.equal(one.state[name], tensor) for name, tensor in other.state.items())
        assert all(torch.equal(one.slots[name], tensor) for name, tensor in other.slots.items())


def test_early_stopping_waits_for_the_last_mask() -> None:
    (outcome,) = trained(name="plain")
    assert [row["density"] for row in outcome.metrics] == pytest.approx(
        [1, 1 - cubic_sparsity(32, 0, 0.8, BEGIN, END), 0.2, 0.2], abs=2e-3
    )
    after = [row for row in outcome.metrics if row["step"] >= END]
    assert outcome.results["early_stop_step"] == min(after, key=lambda row: row["val_loss"])["step"]
    assert outcome.results["val_loss_min"] == min(row["val_loss"] for row in after)


def test_the_cost_is_that_of_the_mean_density() -> None:
    (outcome,) = trained()
    assert outcome.results["passes"] == {"sparse": 2.0, "dense": 1.0}
    # A step is computed with the mask that the step before has left.
    for name, (mean, size) in outcome.results["mean_layers"].items():
        counts = [size, *(int(one["kept"][name].sum()) for one in Watched.seen[:-1])]
        assert mean == pytest.approx(sum(counts) / len(counts))


@pytest.mark.parametrize("allow_regrow", [False, True])
def test_a_stack_does_what_each_replicate_does_alone(allow_regrow: bool) -> None:
    options = {"rule": GLOBAL, "allow_regrow": allow_regrow, "name": "plain"}
    together = trained(3, "stacked", **options)
    regimen = {
        "_target_": "lotto.dynamic.gradual.GradualPruning",
        **OPTIONS,
        "rule": GLOBAL,
        "allow_regrow": allow_regrow,
    }
    apart = [
        one
        for member in members(lenet, 3)
        for one in fitted(lenet, [member], "alone", regimen=regimen, start=0, lr=0.02)
    ]
    assert worst_difference(together, apart) < 1e-10
    assert all(mask_in(one.own) == mask_in(other.own) for one, other in zip(together, apart, strict=True))


@pytest.mark.parametrize("allow_regrow", [False, True])
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(allow_regrow: bool) -> None:
    checkpoints = Interrupted()
    options = {"rule": GLOBAL, "allow_regrow": allow_regrow, "name": "plain", "checkpoints": checkpoints}
    whole = trained(2, "stacked", **options)
    assert BEGIN < checkpoints.kept[1]["step"] < END
    again = trained(2, "stacked", **options)
    assert worst_difference(again, whole) == 0.0
    for one, other in zip(again, whole, strict=True):
        assert mask_in(one.own) == mask_in(other.own)
        assert one.results["mean_layers"] == other.results["mean_layers"]
        # What sleeps as well, which may come back later.
        assert one.regimen.keys() == other.regimen.keys()
        assert all(torch.equal(one.regimen[path], tensor) for path, tensor in other.regimen.items())


@pytest.mark.parametrize(
    ("override", "fragment"),
    [
        ("method.begin=80%", "method.begin=80%"),
        ("method.end=2", "method.begin="),
        ("method.every=0ep", "method.every=0ep"),
        ("method.initial=1.2", "method.initial=1.2"),
        ("method.allow_regrow=perhaps", "method.allow_regrow=perhaps"),
        ("prune=snip", "prune=snip"),
        ("prune.rounds=3", "prune=magnitude"),
    ],
)
def test_what_is_out_of_range_is_refused(override: str, fragment: str, spec_of: Callable[..., Spec]) -> None:
    with pytest.raises(BadRequest, match=fragment):
        Plan.of(spec_of("method=gmp", "train.steps=600it", override))


def test_the_counts_are_those_of_one_shot_pruning(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.of(spec_of("method=gmp", "schedule.levels=3", "replicates=1"))
    targets = [
        entry.trained.fields["regimen"]["target"] for entry in plan.entries if entry.branch == "ticket" and entry.level
    ]
    assert targets == [{"target": "rounds", "count": 1}, {"target": "rounds", "count": 2}]
