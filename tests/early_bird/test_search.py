"""The search inside a training: what it sees, what it keeps, what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lotto.early_bird.search import EarlyBird
from lotto.early_bird.worm import Worm
from lotto.models.anatomy import scale_counts
from lotto.models.small_conv import SmallConvNet
from lotto.training.regimen import View
from lotto.training.scale_penalty import ScalePenalty
from tests.training.made_up import IMAGE, fitted, members, worst_difference
from tests.training.test_regimen import Interrupted

SEARCH, DAMPED = "lotto.early_bird.search.EarlyBird", "lotto.early_bird.worm.Worm"
EPOCH = 5  # steps: 40 images in batches of 8


def net() -> nn.Module:
    """Scales differ from the start, so that masks are those of a network and not of ties."""
    model = SmallConvNet(IMAGE, 10, widths=(6, 8))
    for name in scale_counts(model):
        nn.init.uniform_(model.get_parameter(name), 0.2, 0.8)
    return model


def search(*ratios: float, **options: Any) -> dict[str, Any]:
    return {"_target_": SEARCH, "ratios": list(ratios), **options}


def worm(**options: Any) -> dict[str, Any]:
    return {"_target_": DAMPED, "ratio": 0.5, **options}


class Scripted:
    """What a regimen sees, without a network: scales that the test sets."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.first, self.steps_per_epoch = model, 0, EPOCH
        self.names = [name for name, _ in model.named_parameters()]

    def weight(self, name: str) -> Tensor:
        return self.model.get_parameter(name).detach()


def scripted(model: nn.Module, **options: Any) -> tuple[EarlyBird, View]:
    view: Any = Scripted(model)
    return EarlyBird(view, **options), view


def trained(regimen: EarlyBird, steps: range) -> None:
    for step in steps:
        regimen.before_forward(step)
        regimen.after_update(step)


def test_scales_that_stand_still_are_found_before_the_fifth_epoch() -> None:
    regimen, _ = scripted(net(), ratios=[0.5])
    trained(regimen, range(4 * EPOCH))
    assert not regimen.over
    regimen.before_forward(4 * EPOCH)
    assert regimen.over
    assert regimen.results() == {"found_epochs": {"0.5": 4}}
    assert regimen.artifact()["early_bird/0.5/moment"].tolist() == [4 * EPOCH, 4, 1]


def test_equal_scales_of_the_first_epoch_delay_it_by_one() -> None:
    """The mask before the first epoch is all zero, whatever comes; it has left the queue at epoch 5."""
    model = net()
    drawn = {name: model.get_parameter(name).detach().clone() for name in scale_counts(model)}
    for name in drawn:
        nn.init.constant_(model.get_parameter(name), 0.5)
    regimen, _ = scripted(model, ratios=[0.5])
    regimen.before_forward(0)
    assert not regimen.searches[0].masks[0].any()
    for name, scale in drawn.items():
        model.get_parameter(name).data.copy_(scale)
    trained(regimen, range(1, 8 * EPOCH))
    assert regimen.results() == {"found_epochs": {"0.5": 5}}


def test_scales_are_ranked_by_their_size_alone() -> None:
    """A common factor and the signs of scales change no mask, though a ranking with the signs would be another."""
    model = net()
    signs = torch.where(torch.arange(14) % 3 == 0, -1.0, 1.0).split(list(scale_counts(model).values()))
    one, _ = scripted(model, ratios=[0.4])
    one.before_forward(0)
    for name, sign in zip(scale_counts(model), signs, strict=True):
        model.get_parameter(name).data.mul_(8 * sign)
    other, _ = scripted(model, ratios=[0.4])
    other.before_forward(0)
    mask = one.searches[0].masks[0]
    assert torch.equal(mask, other.searches[0].masks[0])
    assert int(mask.sum()) == 14 - 6
    signed = torch.cat([model.get_parameter(name).detach() for name in scale_counts(model)])
    assert not torch.equal(mask, signed > signed.sort().values[5])


def test_each_ratio_has_a_queue_of_its_own_and_keeps_the_network_of_its_own_moment() -> None:
    model = net()
    regimen, _ = scripted(model, ratios=[0.1, 0.6])
    weight = model.get_parameter("layers.1.bn.weight")
    weight.data[:] = torch.tensor([1, 2, 3, 4, 5, 6, 7, 8.0])
    model.get_parameter("layers.0.bn.weight").data[:] = torch.tensor([11, 12, 13, 14, 15, 16.0])
    for epoch in range(9):
        if epoch == 3:  # 1 and 2 go at 0.1; now 3 stands in for 2, and at 0.6 nothing changes
            weight.data[1], weight.data[2] = 3, 2
        model.get_parameter("fc.bias").data.fill_(epoch)
        trained(regimen, range(epoch * EPOCH, (epoch + 1) * EPOCH))
    low, high = regimen.searches
    assert high.found == 4 * EPOCH
    assert low.found == 7 * EPOCH, "two of fourteen channels are more than a tenth until epoch 2 has left the queue"
    assert high.weights["fc.bias"].unique().item() == 4 and low.weights["fc.bias"].unique().item() == 7
    assert len(low.watch.masks) == len(high.watch.masks) == 5
    assert len(low.masks) == 9


def test_what_is_never_found_is_told_and_drawn_at_the_end() -> None:
    (outcome,) = fitted(net, members(net, 1), "alone", regimen=search(0.5, epsilon=0.0, num_masks=19), lr=0.1)
    assert outcome.results["found_epochs"] == {"0.5": None}
    assert outcome.own["early_bird/0.5/moment"].tolist() == [100, 20, 0]
    assert not any(name.startswith("early_bird/0.5/weights/") for name in outcome.own)
    assert outcome.own["early_bird/0.5/masks"].shape == (20, 14)


def test_the_search_changes_nothing_in_the_training() -> None:
    whole = fitted(net, members(net, 1), "alone", regimen=search(0.5, until="end"), scale_penalty=1e-3)
    plain = fitted(net, members(net, 1), "alone", scale_penalty=1e-3)
    assert worst_difference(whole, plain) == 0.0


def test_the_moment_is_the_network_before_its_epoch() -> None:
    (whole,) = fitted(net, members(net, 1), "alone", regimen=search(0.5, until="end"))
    step, epoch, settled = whole.own["early_bird/0.5/moment"].tolist()
    assert settled and step == epoch * EPOCH and 0 < step < 100
    (until,) = fitted(net, members(net, 1), "alone", stop=step)
    for name, tensor in until.state.items():
        assert torch.equal(whole.own[f"early_bird/0.5/weights/{name}"], tensor), name
    (cut,) = fitted(net, members(net, 1), "alone", regimen=search(0.5))
    assert cut.results["stopped_at"] == step + 1
    assert all(torch.equal(cut.own[name], whole.own[name]) for name in cut.own if "/weights/" in name)


def test_the_trace_is_in_the_metrics_plain_and_by_chance() -> None:
    (outcome,) = fitted(
        net, members(net, 1), "alone", regimen=search(0.5, 0.2, until="end"), evaluate_every=EPOCH, stop=50
    )
    masks = outcome.own["early_bird/0.2/masks"].bool()
    for row in outcome.metrics:
        epoch = int(row["step"]) // EPOCH - 1  # the last masks were taken before the epoch that has just ended
        worst = row["mask_distance_0.2"]
        if epoch < 4:
            assert worst is None
            continue
        older = masks[epoch - 4 : epoch]
        assert worst == pytest.approx((older ^ masks[epoch]).double().mean(1).max().item())
        assert row["mask_distance_by_chance_0.2"] == pytest.approx(worst / 0.32)


@pytest.mark.parametrize("regimen", [search(0.5, 0.2), worm(epsilon=0.0)], ids=["early_bird", "worm"])
def test_a_stack_does_what_each_replicate_does_alone(regimen: dict[str, Any]) -> None:
    together = fitted(net, members(net, 2), "stacked", regimen=regimen | {"until": "end"}, scale_penalty=1e-3)
    for place, member in enumerate(members(net, 2)):
        (alone,) = fitted(net, [member], "alone", regimen=regimen | {"until": "end"}, scale_penalty=1e-3)
        assert worst_difference([together[place]], [alone]) < 1e-10
        assert together[place].results["found_epochs"] == alone.results["found_epochs"]


@pytest.mark.parametrize(
    "regimen", [search(0.5, 0.2, until="end"), worm(gate=1.0, until="end")], ids=["early_bird", "worm"]
)
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(regimen: dict[str, Any]) -> None:
    checkpoints = Interrupted()
    options: dict[str, Any] = {"regimen": regimen, "checkpoints": checkpoints, "evaluate_every": 43}
    whole = fitted(net, members(net, 2), "stacked", **options)
    assert checkpoints.kept is not None and checkpoints.kept[1]["step"] == 43, "in the middle of an epoch"
    again = fitted(net, members(net, 2), "stacked", **options)
    assert worst_difference(again, whole) == 0.0
    for one, other in zip(again, whole, strict=True):
        assert one.results["found_epochs"] == other.results["found_epochs"]
        assert one.own.keys() == other.own.keys()
        assert all(torch.equal(one.own[name], tensor) for name, tensor in other.own.items())
        assert [row.get("damping") for row in one.metrics] == [row.get("damping") for row in other.metrics]


# -- the penalty on scales ----------------------------------------------------------------------------------------------------------


def one_step(**changes: Any) -> dict[str, Tensor]:
    """The network after a single step of plain gradient descent with rate 1: what is gone is the gradient."""
    plain: dict[str, Any] = {
        "optimizer": {"_target_": "torch.optim.SGD"},
        "weight_decay": 0.0,
        "lr": 1.0,
        "stop": 1,
        **changes,
    }
    (outcome,) = fitted(signed, members(signed, 1), "alone", **plain)
    return outcome.state


def signed() -> nn.Module:
    model = net()
    weight = model.get_parameter("layers.1.bn.weight")
    weight.data[:3] = torch.tensor([-0.3, 0.0, 0.7])
    return model


def test_the_penalty_adds_lambda_times_the_sign_and_touches_nothing_else() -> None:
    strength = 0.125
    with_it, without = one_step(scale_penalty=strength), one_step()
    (start,) = members(signed, 1)
    for name, tensor in without.items():
        if name in scale_counts(signed()):
            sign = start.state[name].double().sign()
            assert torch.allclose(tensor - with_it[name], strength * sign, atol=1e-15, rtol=0), name
            assert (tensor - with_it[name])[sign == 0].eq(0).all()
        else:
            assert torch.equal(tensor, with_it[name]), name
    assert (start.state["layers.1.bn.weight"] == 0).any() and (start.state["layers.1.bn.weight"] < 0).any()


def test_without_any_other_gradient_scales_shrink_in_a_line() -> None:
    model = signed()
    names = list(scale_counts(model))
    before = {name: model.get_parameter(name).detach().clone() for name in names}
    penalty = ScalePenalty(0.25, model, dict(model.named_parameters()))
    optimizer = torch.optim.SGD([model.get_parameter(name) for name in names], lr=0.01)
    for _ in range(8):
        for name in names:
            model.get_parameter(name).grad = torch.zeros_like(model.get_parameter(name))
        penalty.add()
        optimizer.step()
    for name in names:
        expected = before[name] - 8 * 0.01 * 0.25 * before[name].sign()
        assert torch.allclose(model.get_parameter(name), expected, atol=1e-6), name


# -- damping --------------------------------------------------------------------------------------------------------------------------


def test_undamped_it_is_the_early_bird_search_bit_for_bit() -> None:
    options = {"until": "end"}
    damped = fitted(net, members(net, 1), "alone", regimen=worm(least=1.0, **options), scale_penalty=1e-3)
    plain = fitted(net, members(net, 1), "alone", regimen=search(0.5, **options), scale_penalty=1e-3)
    assert worst_difference(damped, plain) == 0.0
    assert damped[0].own.keys() == plain[0].own.keys()
    assert all(torch.equal(damped[0].own[name], tensor) for name, tensor in plain[0].own.items())


def test_damped_to_nothing_left_out_channels_stand_still_and_kept_ones_move_as_ever() -> None:
    frozen = worm(variant="gradclip", clip=0.0, until="end")
    still: dict[str, Any] = {"optimizer": {"_target_": "torch.optim.SGD"}, "weight_decay": 0.0}
    (start,) = members(net, 1)
    (one,) = fitted(net, members(net, 1), "alone", regimen=frozen, stop=1, **still)
    (free,) = fitted(net, members(net, 1), "alone", regimen=search(0.5, until="end"), stop=1, **still)
    (epoch,) = fitted(net, members(net, 1), "alone", regimen=frozen, stop=EPOCH, **still)
    kept = one.own["early_bird/0.5/masks"][0].bool().split(list(scale_counts(net()).values()))
    for (scale, _), own in zip(scale_counts(net()).items(), kept, strict=True):
        assert own.any() and not own.all()
        for name in (scale, scale.replace("weight", "bias")):
            assert torch.equal(epoch.state[name][~own], start.state[name][~own].double())
            assert torch.equal(one.state[name][own], free.state[name][own])
            assert not torch.equal(free.state[name][~own], start.state[name][~own].double())
            assert bool((epoch.state[name][own] != start.state[name][own].double()).all())
    for name in ("layers.0.conv.weight", "layers.1.conv.weight", "fc.weight", "fc.bias"):
        assert torch.equal(one.state[name], free.state[name]), "weights of layers train as they would"


class Means:
    """Stands in for the queue: distances that the test sets."""

    def __init__(self, regimen: Worm) -> None:
        self.regimen = regimen

    def __call__(self, *means: float) -> list[float]:
        found = []
        for mean in means:
            self.regimen.damping = self.regimen._next(mean)
            found.append(self.regimen.damping)
        return found


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("gated", [1.0, 1.0, 1.0, 0.003, 0.003, 0.003]),
        ("gradclip", [0.1] * 6),
        ("greedy", [1.0, 0.3, 0.15, 0.149, 0.4, 0.0]),
    ],
)
def test_the_gate_opens_below_its_mean_distance_and_stays_open(variant: str, expected: list[float]) -> None:
    view: Any = Scripted(net())
    assert Means(Worm(view, 0.5, variant=variant))(1.0, 0.3, 0.15, 0.149, 0.4, 0.0) == expected


def test_until_the_queue_is_full_nothing_is_damped() -> None:
    view: Any = Scripted(net())
    regimen = Worm(view, 0.5)
    trained_dampings = []
    for epoch in range(6):
        regimen.before_forward(epoch * EPOCH)
        trained_dampings.append(regimen.damping)
    assert trained_dampings == [1.0, 1.0, 1.0, 1.0, 0.003, 0.003]
