"""The line between two networks: against parabolas and permutations that can be worked out, and statistics made by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lotto.errors import StageFailed
from lotto.probes.interpolation import barrier, between, probe, recalibrated
from tests.probes.probe_samples import Given, drawn, read, subject, weights

OPTIONS = {"points": 5, "batch_norm": "interpolate", "splits": ["test"]}


class Permuted(nn.Module):
    """Two hidden units, x -> relu(w x) -> the sum of them signed: class 1 where x > 0, class 0 where x < 0."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(1, 2, bias=False)
        self.out = nn.Linear(2, 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.relu(self.hidden(x.flatten(1))))


def permuted_copies() -> list[dict[str, torch.Tensor]]:
    """The same function twice: one unit fires for x > 0 and votes for class 1, the other for x < 0 and votes for class 0."""
    hidden, out = torch.tensor([[20.0], [-20.0]]), torch.tensor([[-1.0, 1.0], [1.0, -1.0]])
    return [
        {"hidden.weight": hidden, "out.weight": out},
        {"hidden.weight": hidden.flip(0), "out.weight": out.flip(1)},
    ]


def signs() -> Given:
    x = torch.tensor([-2.0, -1.0, 1.0, 2.0]).view(4, 1, 1, 1)
    return Given(2, test=(x, (x.flatten() > 0).long()))


def test_a_permuted_copy_has_ends_without_loss_and_a_barrier_between_them() -> None:
    one, other = permuted_copies()
    found = read(probe, subject({"copy1": one, "copy2": other}, Permuted, signs()), **OPTIONS)
    # At the middle every unit is 0, and so are both logits: chance, which argmax gives to class 0.
    expected = {0.0: 0.0, 0.25: 0.0, 0.5: 0.5, 0.75: 0.0, 1.0: 0.0}
    assert {x: found["test_error", "1-2", x] for x in expected} == expected
    assert found["test_loss", "1-2", 0.5] == pytest.approx(math.log(2))
    # The difference of the logits is 2 |w x| at the ends, that is 40 and 80.
    assert found["test_loss", "1-2", 0.0] == found["test_loss", "1-2", 1.0] == pytest.approx(0, abs=1e-12)
    assert found["barrier_test", "1-2"] == 0.5
    assert found["barrier_loss_test", "1-2"] == pytest.approx(math.log(2))
    # A quarter of the way hidden weights are 10 and -10, votes 1/2 each: the difference is 10 |x|.
    assert found["test_loss", "1-2", 0.25] == pytest.approx(
        (math.log1p(math.exp(-10)) + math.log1p(math.exp(-20))) / 2, rel=1e-3
    )


def test_a_network_that_is_linear_in_its_weights_has_no_barrier_of_loss() -> None:
    """Cross-entropy is convex in the logits, and these are linear in the weights: no point lies above the line's ends."""
    torch.manual_seed(0)

    def module() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))

    data = Given(3, test=drawn(3, (1, 2, 2), 40))
    of = subject({"copy1": weights(module()), "copy2": weights(module())}, module, data)
    found = read(probe, of, **(OPTIONS | {"points": 9}))
    line = [found["test_loss", "1-2", x / 8] for x in range(9)]
    assert found["barrier_loss_test", "1-2"] == pytest.approx(max(line[0], line[-1]) - (line[0] + line[-1]) / 2)
    x, y = data.splits["test"]
    for place in range(9):
        logits = [F.linear(x.flatten(1), s.weights["1.weight"], s.weights["1.bias"]) for s in of.networks.values()]
        on_line = torch.lerp(logits[0], logits[1], place / 8)
        assert line[place] == pytest.approx(float(F.cross_entropy(on_line, y)), rel=1e-5)


def test_barrier_of_a_parabola() -> None:
    # 3 + 4 x (1 - x) rises by 1 at the middle. With a slope of 2 its highest of these points are 0.7 and 0.8, at 5.24; the ends' mean is 4.
    xs = [i / 10 for i in range(11)]
    assert barrier([3 + 4 * x * (1 - x) for x in xs]) == pytest.approx(1)
    assert barrier([3 + 4 * x * (1 - x) + 2 * x for x in xs]) == pytest.approx(1.24)
    assert barrier([3 - 4 * x * (1 - x) for x in xs]) == 0
    assert math.isnan(barrier([0.0, math.nan, 0.0]))


def test_ends_are_the_networks_bit_for_bit() -> None:
    torch.manual_seed(0)
    one, other = ({"w": torch.randn(50), "steps": torch.tensor(number)} for number in (3, 7))
    for alpha, end in ((0.0, one), (1.0, other)):
        assert torch.equal(between(one, other, alpha)["w"], end["w"])
        assert int(between(one, other, alpha)["steps"]) == 3
    assert torch.allclose(between(one, other, 0.25)["w"], 0.75 * one["w"] + 0.25 * other["w"])


def test_every_two_networks_are_compared_and_one_is_refused() -> None:
    one, other = permuted_copies()
    three = {"copy1": one, "copy2": other, "copy3": one}
    found = read(probe, subject(three, Permuted, signs()), **OPTIONS)
    assert [found["barrier_test", pair] for pair in ("1-2", "1-3", "2-3")] == [0.5, 0.0, 0.5]
    with pytest.raises(StageFailed, match="compares networks: its configuration gives copy1"):
        read(probe, subject({"copy1": one}, Permuted, signs()), **OPTIONS)


def test_examples_are_the_first_ones() -> None:
    one, other = permuted_copies()
    of = subject({"copy1": one, "copy2": other}, Permuted, signs())
    # Of the first three two are of class 0, which argmax gives at the middle.
    assert read(probe, of, **OPTIONS, examples=3)["barrier_test", "1-2"] == pytest.approx(1 / 3)
    assert of.size("test", 9) == 4
    whole = [y for _, y in of.batches("test", None, batch_size=3)]
    assert torch.equal(torch.cat(whole), signs().splits["test"][1])


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2)
        self.inner = nn.Sequential(nn.InstanceNorm2d(2, track_running_stats=True), nn.Dropout(0.5))
        self.out = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.inner(self.norm(x)).flatten(1))


def test_recalibrated_statistics_are_those_of_the_split() -> None:
    torch.manual_seed(0)
    x, y = drawn(3, (2, 2, 2), 10)
    of = subject({}, Normalised, Given(3, batch_size=4, train=(x, y)))
    module = of.module()
    before = weights(module)
    kept = {name: tensor.clone() for name, tensor in before.items()}
    anew = recalibrated(of, module, before)
    # Batches of 4, 4 and 2: the mean is that of all ten, the variance the mean of the three weighted by their sizes.
    parts = [x[:4], x[4:8], x[8:]]
    variance = sum(len(part) * part.transpose(0, 1).flatten(1).var(1) for part in parts) / 10
    torch.testing.assert_close(anew["norm.running_mean"], x.mean((0, 2, 3)))
    torch.testing.assert_close(anew["norm.running_var"], variance)
    assert int(anew["norm.num_batches_tracked"]) == 3

    for name, tensor in kept.items():
        assert torch.equal(before[name], tensor), name
        assert torch.equal(weights(module)[name], tensor), name
        assert name.startswith("norm.") or torch.equal(anew[name], tensor), name
    assert not any(part.training for part in module.modules())
    assert module.norm.momentum == 0.1
    # With some of the examples alone:
    few = recalibrated(of, module, before, examples=3)
    torch.testing.assert_close(few["norm.running_mean"], x[:3].mean((0, 2, 3)))


def test_recalibration_mends_statistics_that_were_spoilt() -> None:
    torch.manual_seed(0)
    splits = {"train": drawn(3, (2, 2, 2), 30, 1), "test": drawn(3, (2, 2, 2), 20, 2)}
    one, other = weights(Normalised()), weights(Normalised())
    of = subject({"copy1": one, "copy2": other}, Normalised, Given(3, **splits))
    spoilt = {**other, "norm.running_mean": torch.full((2,), 50.0)}
    spoilt_of = subject({"copy1": one, "copy2": spoilt}, Normalised, Given(3, **splits))
    for treatment, same in (("interpolate", False), ("recalibrate", True)):
        options = OPTIONS | {"batch_norm": treatment, "splits": ["train", "test"]}
        assert (read(probe, of, **options) == read(probe, spoilt_of, **options)) == same
