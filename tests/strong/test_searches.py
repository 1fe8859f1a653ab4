"""Edge-popup and learned supermasks: masks and gradients by hand, weights that never move, and what comes out on the digits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import cast

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from lotto.models.init import initialise
from lotto.seeds import Streams
from lotto.strong.edge_popup import EdgePopup
from lotto.strong.supermask import Supermask, drawn, factor
from lotto.training.regimen import View
from tests.e2e import Shell, results


class Layers:
    """The part of a view that searches use, over plain tensors."""

    def __init__(self, weights: Mapping[str, Tensor], start: Mapping[str, Tensor] | None = None) -> None:
        self.live = {name: weight.clone() for name, weight in weights.items()}
        self.gradients: dict[str, Tensor] = {}
        self.masks = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
        self.start, self.kinds = start, dict.fromkeys(weights, "dense")

    def weight(self, name: str) -> Tensor:
        return self.live[name]

    def gradient(self, name: str) -> Tensor | None:
        return self.gradients.get(name)

    def kept(self, name: str) -> Tensor:
        return self.masks[name]

    def keep(self, name: str, kept: Tensor) -> None:
        self.masks[name] = kept.clone()
        self.live[name].masked_fill_(~kept, 0.0)

    def mask(self) -> Mapping[str, Tensor]:
        return self.masks

    def generator(self, *indices: int) -> torch.Generator:
        return Streams(0, 0).generator("regimen", *indices)


def popup(keep: float, *shapes: tuple[int, ...]) -> tuple[EdgePopup, Layers]:
    torch.manual_seed(0)
    weights = {f"{place}.weight": torch.randn(shape) for place, shape in enumerate(shapes)}
    counts = {name: round(keep * weight.numel()) for name, weight in weights.items()}
    start = {name: (torch.arange(weight.numel()) < counts[name]).view(weight.shape) for name, weight in weights.items()}
    layers = Layers(weights, start)
    search = EdgePopup(cast(View, layers))
    with torch.no_grad():
        search.begin()
    return search, layers


def supermask(bias: float, rescale: bool, shape: tuple[int, ...] = (40, 50)) -> tuple[Supermask, Layers]:
    torch.manual_seed(0)
    layers = Layers({"w": torch.randn(shape)})
    search = Supermask(cast(View, layers), bias, rescale)
    with torch.no_grad():
        search.begin()
    return search, layers


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.3, 0.5, 0.9])
def test_every_layer_keeps_its_number_at_every_step(keep: float) -> None:
    search, layers = popup(keep, (10, 7), (3, 4, 2, 2))
    optimizer = torch.optim.SGD(search.trained().values(), lr=1.0, momentum=0.9)
    whole = {name: weight.clone() for name, weight in search.weights.items()}
    for step in range(4):
        for name, kept in layers.masks.items():
            assert int(kept.sum()) == round(keep * kept.numel())
            # The greatest |s|, and of the weights exactly those.
            scores = search.scores[name].detach().abs()
            if 0 < keep < 1:
                assert float(scores[kept].min()) >= float(scores[~kept].max())
            assert torch.equal(layers.live[name], whole[name] * kept)
            assert torch.equal(search.weights[name], whole[name])
        layers.gradients = {name: torch.randn(weight.shape) for name, weight in whole.items()}
        with torch.no_grad():
            search.after_backward(step)
        optimizer.step()
        with torch.no_grad():
            search.after_update(step)


def test_scores_begin_within_the_authors_bound_in_every_layer_by_itself() -> None:
    search, _ = popup(0.5, (40, 25), (40, 25), (10, 4, 5, 5))
    first, second, third = (scores.detach() for scores in search.scores.values())
    for scores, bound in ((first, 0.2), (second, 0.2), (third, 0.1)):
        assert 0.98 * bound < float(scores.abs().max()) <= bound
        assert float(scores.std()) == pytest.approx(bound / 3**0.5, rel=0.1)
    assert not torch.equal(first, second)


def test_the_gradient_of_scores_is_the_papers_for_dropped_weights_too() -> None:
    search, layers = popup(0.5, (6, 5))
    gradient = torch.randn(6, 5)
    layers.gradients = {"0.weight": gradient}
    with torch.no_grad():
        search.after_backward(0)
    scores, found = search.scores["0.weight"], search.scores["0.weight"].grad
    expected = gradient * search.weights["0.weight"] * torch.where(scores > 0, 1.0, -1.0)
    assert found is not None and torch.equal(found, expected)
    assert bool((found[~layers.masks["0.weight"]] != 0).all())


def test_scale_and_sign_of_scores_change_no_mask() -> None:
    search, layers = popup(0.3, (20, 9))
    before = layers.masks["0.weight"].clone()
    for change in (7.0, -1.0, -0.01):
        with torch.no_grad():
            search.scores["0.weight"].mul_(change)
            search.after_update(0)
        assert torch.equal(layers.masks["0.weight"], before)


def test_a_layer_that_is_whole_stays_so() -> None:
    search, layers = popup(1.0, (4, 4))
    assert not search.trained() and bool(layers.masks["0.weight"].all())


def test_a_swap_does_not_raise_the_loss() -> None:
    """Linear layer, small steps: where one entry takes another's place at a unit, the loss falls to first order (the paper's theorem 1)."""
    generator = torch.Generator().manual_seed(3)
    search, layers = popup(0.5, (1, 30))
    name = "0.weight"
    x, y = torch.randn(200, 30, generator=generator), torch.randn(200, 1, generator=generator)

    def loss() -> Tensor:
        return (x @ layers.live[name].T - y).square().mean()

    optimizer = torch.optim.SGD(search.trained().values(), lr=1e-4)
    swaps = 0
    for step in range(4000):
        before = layers.masks[name].clone()
        effective = layers.live[name].clone().requires_grad_(True)
        value = (x @ effective.T - y).square().mean()
        (layers.gradients[name],) = torch.autograd.grad(value, effective)
        gradient = layers.gradients[name]
        with torch.no_grad():
            search.after_backward(step)
        optimizer.step()
        earlier = layers.live[name].clone()
        with torch.no_grad():
            search.after_update(step)
        if int((before != layers.masks[name]).sum()) == 2:
            swaps += 1
            assert float((gradient * (layers.live[name] - earlier)).sum()) <= 1e-6
    assert swaps >= 3


def test_signed_constants_take_two_values() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten(), nn.Linear(50, 30))
    initialise(model, weights="signed_constant", scale=2.0)
    for layer, fan_in in ((model[0], 36), (model[2], 50)):
        weight = cast(Tensor, layer.weight).detach()
        sigma = 2 * (2 / fan_in) ** 0.5
        assert weight.unique().tolist() == pytest.approx([-sigma, sigma])


def test_probabilities_gradient_and_threshold_of_a_supermask() -> None:
    search, layers = supermask(0.4, rescale=False)
    probability = 1 / (1 + torch.tensor(-0.4).exp())
    shares = []
    for step in range(20):
        with torch.no_grad():
            search.before_forward(step)
        kept = layers.masks["w"]
        assert torch.equal(layers.live["w"], search.weights["w"] * kept)
        shares.append(kept.double().mean())
    share = torch.stack(shares).mean()
    deviation = (probability * (1 - probability) / (20 * 2000)) ** 0.5
    assert abs(float(share - probability)) < 4 * float(deviation)
    gradient = torch.randn(40, 50)
    layers.gradients = {"w": gradient}
    with torch.no_grad():
        search.after_backward(20)
    expected = gradient * search.weights["w"] * probability * (1 - probability)
    assert torch.allclose(cast(Tensor, search.scores["w"].grad), expected, atol=1e-6)
    with torch.no_grad():
        search.scores["w"].copy_(torch.randn(40, 50))
        search.before_evaluation(21)
    assert torch.equal(layers.masks["w"], search.scores["w"].detach() > 0)


def test_draws_follow_the_step_alone() -> None:
    one, other = supermask(0.0, False), supermask(0.0, False)
    with torch.no_grad():
        one[0].before_forward(3)
        other[0].before_forward(2)
        earlier = other[1].masks["w"]
        other[0].before_forward(3)
    assert torch.equal(one[1].masks["w"], other[1].masks["w"])
    assert not torch.equal(earlier, other[1].masks["w"])


def test_rescaling_keeps_the_layers_mean_gain() -> None:
    gains = []
    for bias in (-2.0, -1.0, 0.0, 2.0):
        search, layers = supermask(bias, rescale=True, shape=(300, 400))
        search.weights["w"].fill_(1.0)
        with torch.no_grad():
            search.before_forward(0)
        gains.append(float(layers.live["w"].double().mean()))
    assert gains == pytest.approx([1.0] * 4, abs=1e-5)
    assert factor(torch.tensor([True, False, False, False])) == 4
    assert factor(torch.zeros(3, dtype=torch.bool)) == 1


def test_masks_are_drawn_from_the_probabilities() -> None:
    scores = {"a": torch.full((100, 100), -1.0), "b": torch.full((50,), 50.0)}
    weights = {"a": torch.randn(100, 100), "b": torch.ones(50), "bias": torch.randn(3)}
    left, masks = drawn(scores, weights, torch.Generator().manual_seed(0), rescale=False)
    assert float(masks["a"].double().mean()) == pytest.approx(0.2689, abs=0.02) and bool(masks["b"].all())
    assert torch.equal(left["a"], weights["a"] * masks["a"]) and torch.equal(left["bias"], weights["bias"])
    again, _ = drawn(scores, weights, torch.Generator().manual_seed(0), rescale=True)
    assert torch.allclose(again["a"], left["a"] * factor(masks["a"]))


# -- on the digits ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def rows_of(shell: Shell, *overrides: str) -> list[dict[str, str]]:
    said = shell(*overrides, "hydra.run.dir=out", "train.steps=60it", "replicates=2")
    assert said.status == 0, said.err
    return results(shell.folder / "out")


def accuracies(rows: list[dict[str, str]], branch: str) -> list[float]:
    return [float(row["test_accuracy"]) for row in rows if row["branch"] == branch and row["level"] != "0"]


def tensors(shell: Shell, key: str) -> dict[str, Tensor]:
    return load_file(shell.folder / "outputs/store" / key[:2] / key / "tensors.safetensors")


def test_edge_popup_on_the_digits(shell: Shell) -> None:
    rows = rows_of(shell, "experiment=ramanujan2020/digits", "schedule.densities=[0.5]", "method.search.steps=30ep")
    assert min(accuracies(rows, "ticket")) > 0.93
    assert max(accuracies(rows, "shuffle")) < 0.45
    for row in rows:
        if row["level"] == "0" or row["branch"] != "ticket":
            continue
        assert float(row["density"]) == pytest.approx(0.5, abs=1e-4)
        found = tensors(shell, row["key"])
        layers = [name.removeprefix("scores/") for name in found if name.startswith("scores/")]
        assert len(layers) == 3
        for name in layers:
            kept, weight = found[f"mask/{name}"].bool(), found[f"weights/{name}"]
            assert int(kept.sum()) == round(0.5 * kept.numel())
            # Signed constants, the same in every kept place: nothing has moved them.
            assert len(weight[kept].abs().unique()) == 1 and not bool(weight[~kept].any())
            assert not bool(found[f"weights/{name.replace('weight', 'bias')}"].any())


def test_learned_supermasks_on_the_digits(shell: Shell) -> None:
    rows = rows_of(shell, "experiment=zhou2019/digits", "method.search.steps=60ep", "method.samples=3")
    assert len([row for row in rows if row["branch"] == "sampled"]) == 2 * 3
    assert min(accuracies(rows, "ticket")) > 0.8
    assert min(accuracies(rows, "sampled")) > 0.8
    assert max(accuracies(rows, "shuffle")) < 0.5
    names = [row["key"] for row in rows if row["branch"] == "sampled"]
    drawings = [tensors(shell, key)["weights/fc_layers.0.weight"] == 0 for key in names]
    assert not any(torch.equal(one, other) for one, other in combinations(drawings, 2)), (
        "every sample is a draw of its own"
    )
    tickets = [row for row in rows if row["branch"] == "ticket" and row["level"] == "1"]
    assert all(0 < float(row["density"]) < 1 for row in tickets)


def test_masks_of_trained_networks_on_untrained_weights(shell: Shell) -> None:
    rows = rows_of(
        shell, "experiment=zhou2019/criteria_digits", "schedule.levels=4", "train.steps=300it", "controls=[shuffle]"
    )
    trained = [float(row["test_accuracy"]) for row in rows if row["level"] == "0"]
    masked = accuracies(rows, "ticket")
    assert len(masked) == 2 * 3
    assert max(masked) < min(trained)
    assert sum(masked) / len(masked) > sum(accuracies(rows, "shuffle")) / len(masked) + 0.1


@pytest.mark.parametrize("experiment", ["ramanujan2020/digits", "zhou2019/digits"])
def test_stacked_and_alone_find_the_same_mask(shell: Shell, experiment: str) -> None:
    found = []
    for engine in ("alone", "stacked"):
        rows = rows_of(
            shell,
            f"experiment={experiment}",
            f"engine={engine}",
            f"store={engine}",
            "hardware.precision=64",
            "schedule.levels=2",
            "controls=[]",
            "method.search.steps=20it",
        )
        tickets = [row for row in rows if row["branch"] == "ticket" and row["level"] == "1"]
        found.append(
            [load_file(shell.folder / engine / row["key"][:2] / row["key"] / "tensors.safetensors") for row in tickets]
        )
    for one, other in zip(*found, strict=True):
        masks = [name for name in one if name.startswith("mask/")]
        assert len(masks) == 3 and all(torch.equal(one[name], other[name]) for name in masks)
        scores = [name for name in one if name.startswith("scores/")]
        assert all(torch.allclose(one[name], other[name], atol=1e-9) for name in scores)


def test_a_search_that_is_taken_up_goes_on_as_it_was() -> None:
    def trained(search: EdgePopup, layers: Layers, first: int, last: int) -> None:
        optimizer = torch.optim.SGD(search.trained().values(), lr=0.5)
        for step in range(first, last):
            generator = torch.Generator().manual_seed(step)
            layers.gradients = {"0.weight": torch.randn((9, 8), generator=generator)}
            with torch.no_grad():
                search.after_backward(step)
            optimizer.step()
            with torch.no_grad():
                search.after_update(step)

    whole, its = popup(0.4, (9, 8))
    trained(whole, its, 0, 6)
    half, own = popup(0.4, (9, 8))
    trained(half, own, 0, 3)
    again, fresh = popup(0.4, (9, 8))
    with torch.no_grad():
        again.restore({name: tensor.clone() for name, tensor in half.state().items()})
    fresh.masks, fresh.live = own.masks, own.live
    trained(again, fresh, 3, 6)
    assert torch.equal(fresh.masks["0.weight"], its.masks["0.weight"])
    assert torch.equal(again.scores["0.weight"], whole.scores["0.weight"])
