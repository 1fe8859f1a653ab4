"""The smaller network computes what the masked one does, with fewer weights."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import lotto
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.build import build
from lotto.models.resnet import CifarResNet
from lotto.models.vgg import CifarVgg
from lotto.slimming import gone_with, slimmed, zero_with_
from lotto.training.network import state_of
from tests.slimming.networks import NETWORKS, made, trained, without_outputs


def everything(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.ones(model.get_parameter(name).shape, dtype=torch.bool) for name in kinds(model)}


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def farthest(one: nn.Module, other: nn.Module, shape: tuple[int, ...]) -> float:
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        return float((one.eval()(x) - other.eval()(x)).abs().max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_the_smaller_network_equals_the_masked_one(name: str, part: float) -> None:
    model, shape = made(name)
    before = copy.deepcopy(state_of(model))
    mask = without_outputs(model, part)
    smaller = lotto.slim(model, mask, shape)
    assert all(torch.equal(tensor, before[own]) for own, tensor in state_of(model).items())
    masked = zero_with_(copy.deepcopy(model), mask, shape)
    assert farthest(masked, smaller, shape) <= 1e-5
    assert size(smaller) < size(model)
    assert farthest(masked, model, shape) > 1e-3  # what was removed did something
    whole = state_of(model)
    assert all(own in whole for own in state_of(smaller))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "densenet121", "regnet_y_400mf", "vit_b_32"])
def test_torchvisions_networks(name: str) -> None:
    torch.manual_seed(0)
    side = 32 if name != "vit_b_32" else 64
    config = {"_target_": "lotto.models.torchvision_model.build", "name": name}
    model = trained(build(config, (3, side, side), 10, 0))
    if name == "vit_b_32":
        model.encoder.layers = model.encoder.layers[:2]
    mask = without_outputs(model, 0.5)
    smaller = lotto.slim(model, mask, (3, side, side))
    masked = zero_with_(copy.deepcopy(model), mask, (3, side, side))
    assert farthest(masked, smaller, (3, side, side)) <= 1e-5
    assert size(smaller) < 0.97 * size(model)


def test_parameters_and_flops_of_a_small_vgg_by_hand() -> None:
    """Three convolutions of 3, 4 and 5 channels that keep 2, 1 and 3."""
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(),
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 10),
    )  # fmt: skip
    masks = everything(model)
    masks["0.weight"][1] = False
    masks["3.weight"][[0, 2, 3]] = False
    masks["6.weight"][[1, 4]] = False
    smaller = lotto.slim(trained(model), Mask(masks), (2, 8, 8))
    assert size(smaller) == (2 * 2 * 9 + 2 * 2) + (2 * 1 * 9 + 1 * 2) + (1 * 3 * 9 + 3 * 2) + (3 * 10 + 10)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        smaller.eval()(torch.randn(1, 2, 8, 8))
    # Without padding the maps are of 6, 4 and 2 pixels; a multiplication and an addition count as two.
    assert counter.get_total_flops() == 2 * (36 * 2 * 2 * 9 + 16 * 2 * 1 * 9 + 4 * 1 * 3 * 9 + 3 * 10)
    assert torch.equal(smaller.get_parameter("3.weight"), model.get_parameter("3.weight")[1:2, [0, 2]])
    assert torch.equal(smaller.get_buffer("7.running_mean"), model.get_buffer("7.running_mean")[[0, 2, 3]])


@pytest.mark.parametrize("emptied", ["both", "first", "last"])
def test_a_block_that_adds_nothing_is_gone_and_the_output_is_exact(emptied: str) -> None:
    model = trained(CifarResNet((3, 8, 8), 10, depth=20, width=4))
    masks = everything(model)
    for name in {"both": ("conv1", "conv2"), "first": ("conv1",), "last": ("conv2",)}[emptied]:
        masks[f"blocks.4.{name}.weight"][:] = False
    smaller = lotto.slim(model, Mask(masks), (3, 8, 8))
    assert set(state_of(model)) - set(state_of(smaller)) == {
        name for name in state_of(model) if name.startswith("blocks.4.")
    }
    assert size(model) - size(smaller) == 2 * 9 * 8**2 + 4 * 8
    assert farthest(zero_with_(copy.deepcopy(model), Mask(masks), (3, 8, 8)), smaller, (3, 8, 8)) == 0.0
    own = state_of(model)
    assert all(torch.equal(tensor, own[name]) for name, tensor in state_of(smaller).items())


def test_a_projected_branch_may_go_too_but_a_network_keeps_a_channel_everywhere() -> None:
    model = trained(CifarResNet((3, 8, 8), 10, depth=8, width=4))
    masks = everything(model)
    masks["blocks.1.shortcut.0.weight"][:] = False
    smaller = lotto.slim(model, Mask(masks), (3, 8, 8))
    assert not [name for name in state_of(smaller) if "blocks.1.shortcut" in name]
    for name in masks:
        if name != "fc.weight":
            masks[name][:] = False
    dead = lotto.slim(model, Mask(masks), (3, 8, 8))
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(dead(x), model.fc.bias.expand(2, -1))


def test_what_goes_with_a_channel() -> None:
    model = CifarVgg((3, 16, 16), 10, depth=11)
    masks = everything(model)
    masks["layers.0.conv.weight"][5] = False
    gone = gone_with(model, (3, 16, 16), Mask(masks))
    assert {name: (int(zero.sum()), zero[5].item() if zero.dim() == 1 else None) for name, zero in gone.items()} == {
        "layers.0.conv.bias": (1, True),
        "layers.0.bn.weight": (1, True),
        "layers.0.bn.bias": (1, True),
        "layers.2.conv.weight": (128 * 9, None),
    }
    assert bool(gone["layers.2.conv.weight"][:, 5].all())
    # A weight that the mask prunes is not repeated.
    masks["layers.2.conv.weight"][:, 5] = False
    assert "layers.2.conv.weight" not in gone_with(model, (3, 16, 16), Mask(masks))


def test_a_normalisation_can_remove_a_channel_by_itself() -> None:
    """Early-bird tickets remove channels by the scales of normalisations."""
    model = CifarVgg((3, 16, 16), 10, depth=11)
    zero = torch.arange(64) < 3
    gone = gone_with(
        model, (3, 16, 16), Mask(everything(model)), dict.fromkeys(("layers.0.bn.weight", "layers.0.bn.bias"), zero)
    )
    assert bool(gone["layers.0.conv.weight"][:3].all()) and not bool(gone["layers.0.conv.weight"][3:].any())
    assert bool(gone["layers.2.conv.weight"][:, :3].all())


def test_a_bias_alone_keeps_a_channel() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        model[0].weight[1:3] = 0
        model[0].bias[1] = 0
        model[0].bias[2] = 1
    smaller = lotto.slim(model)
    assert smaller.get_parameter("0.weight").shape == (5, 4)
    assert farthest(model, smaller, (4,)) <= 1e-6


@pytest.mark.parametrize("kept", ["weight", "bias"])
def test_a_normalisation_removes_a_channel_only_by_scale_and_shift_together(kept: str) -> None:
    model = trained(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)))
    with torch.no_grad():
        for name in ("weight", "bias"):
            model[1].get_parameter(name)[:2] = 0
        model[1].get_parameter(kept)[0] = 1
    smaller = lotto.slim(model, input_shape=(2, 4, 4))
    assert smaller.get_parameter("0.weight").shape[0] == 3
    assert farthest(model, smaller, (2, 4, 4)) <= 1e-6


def test_unread_channels_go_too() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    with torch.no_grad():
        model[2].weight[:, [0, 4]] = 0
    assert lotto.slim(model).get_parameter("0.weight").shape == (4, 4)


def test_maps_gather_and_write_back() -> None:
    model, shape = made("resnet14")
    masks = without_outputs(model, 0.4)
    zeros = {name: ~kept for name, kept in masks.items()}
    slimming = slimmed(model, shape, zeros, induce=True)
    whole = state_of(model)
    removed = slimming.removed(whole)
    for name, tensor in state_of(slimming.module).items():
        assert torch.equal(slimming.gather(name, whole[name]), tensor)
        back = slimming.write_back(name, tensor, torch.zeros_like(whole[name]))
        assert torch.equal(back, whole[name] * ~removed[name])
        assert torch.equal(slimming.gather(name, back), tensor)
    assert sum(int(gone.sum()) for gone in removed.values()) == sum(tensor.numel() for tensor in whole.values()) - sum(
        tensor.numel() for tensor in state_of(slimming.module).values()
    )


def test_weights_that_are_used_twice_stay_in_step() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.again, self.last = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x).relu()
            return self.last(self.again(self.again(x).relu()).relu())

    model = Twice()
    masks = everything(model)
    masks["again.weight"][2] = False
    masks["first.weight"][3] = False
    smaller = lotto.slim(model, Mask(masks))
    assert farthest(zero_with_(copy.deepcopy(model), Mask(masks), (4,)), smaller, (4,)) <= 1e-6
    assert smaller.again.weight.shape[0] == smaller.again.weight.shape[1]


def test_what_cannot_be_followed_is_a_sentence() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x) if x.sum() > 0 else self.fc(-x)

    with pytest.raises(BadRequest, match=r"Looks cannot be slimmed: torch.fx cannot follow its forward pass \("):
        lotto.slim(Looks(), input_shape=(4,))
    with pytest.raises(BadRequest, match=r"Sequential cannot be slimmed for inputs of shape \[5\]"):
        lotto.slim(nn.Sequential(nn.Linear(4, 2)), input_shape=(5,))


def test_widths_that_are_written_into_the_forward_pass_are_respected() -> None:
    class Written(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv(x).relu().view(-1, 4 * 36))

    model = Written()
    masks = everything(model)
    masks["conv.weight"][1] = False
    smaller = lotto.slim(model, Mask(masks), (1, 8, 8))
    assert smaller.get_parameter("conv.weight").shape[0] == 4
    assert farthest(zero_with_(copy.deepcopy(model), Mask(masks), (1, 8, 8)), smaller, (1, 8, 8)) <= 1e-6


def test_it_runs_trains_and_exports_without_lotto(tmp_path: Path) -> None:
    model, shape = made("resnet14")
    smaller = lotto.slim(model, without_outputs(model, 0.5), shape)
    x = torch.randn(3, *shape)
    torch.save({"model": smaller, "x": x, "y": smaller(x).detach()}, tmp_path / "smaller.pt")
    program = (
        "import sys, torch\n"
        f"kept = torch.load({str(tmp_path / 'smaller.pt')!r}, weights_only=False)\n"
        "model, x = kept['model'], kept['x']\n"
        "assert torch.equal(model(x), kept['y'])\n"
        "exported = torch.export.export(model, (x,)).module()\n"
        "torch.testing.assert_close(exported(x), kept['y'])\n"
        "optimizer = torch.optim.SGD(model.train().parameters(), 0.1)\n"
        "model(x).square().sum().backward(); optimizer.step()\n"
        "print(not any(name.startswith('lotto') for name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "True", done.stderr
