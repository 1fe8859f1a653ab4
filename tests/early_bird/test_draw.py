"""Tickets out of a network: what goes, that nothing else changes, and that what is left is as small as counted by hand."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from lotto.early_bird.channels import by_layer, largest, makers
from lotto.early_bird.draw import channels_of, emptied_sentence, shuffled, without_channels, without_weights
from lotto.mask import Mask
from lotto.models.anatomy import kinds, scale_counts
from lotto.models.preresnet import PreResNet
from lotto.models.resnet import CifarResNet
from lotto.models.small_conv import SmallConvNet
from lotto.models.vgg import CifarVgg
from lotto.slimming import slimmed
from lotto.training.network import state_of
from lotto.zeroed import pinned, zero

IMAGE = (3, 16, 16)
NETS = {
    "vgg": lambda: CifarVgg(IMAGE, 10, depth=11),
    "resnet": lambda: CifarResNet(IMAGE, 10, depth=8, width=8),
    "preresnet": lambda: PreResNet(IMAGE, 10, depth=11, width=4),
}


def network(name: str) -> nn.Module:
    """With scales, shifts and statistics that all differ."""
    torch.manual_seed(3)
    model = NETS[name]()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -1, 1)
            nn.init.uniform_(module.bias, -1, 1)
            assert module.running_mean is not None and module.running_var is not None
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in state_of(model).items()}


def silent(model: nn.Module, kept: Mapping[str, Tensor]) -> nn.Module:
    """What the paper's mask does, and nothing more: scale and shift times the mask."""
    made = copy.deepcopy(model)
    with torch.no_grad():
        for scale, own in kept.items():
            made.get_parameter(scale).mul_(own)
            made.get_parameter(scale.removesuffix("weight") + "bias").mul_(own)
    return made


def ticket(model: nn.Module, mask: Mask, zeroed: Mapping[str, Tensor]) -> nn.Module:
    made = copy.deepcopy(model)
    with torch.no_grad():
        for name, tensor in zero(mask.apply(weights_of(model)), zeroed).items():
            dict(state_of(made))[name].copy_(tensor)
    return made


@pytest.mark.parametrize("ratio", [0.3, 0.6])
@pytest.mark.parametrize("name", NETS)
def test_ticket_and_slimmed_network_give_what_scales_and_shifts_times_the_mask_give(name: str, ratio: float) -> None:
    model, x = network(name), torch.randn(4, *IMAGE)
    kept, _ = channels_of(weights_of(model), model, ratio)
    mask, zeroed = without_channels(model, IMAGE, kept)
    drawn = ticket(model, mask, zeroed)
    smaller = slimmed(drawn, IMAGE, pinned(mask, zeroed)).module.eval()
    with torch.no_grad():
        expected = silent(model, kept)(x)
        assert torch.allclose(drawn(x), expected, atol=1e-5)
        assert torch.allclose(smaller(x), expected, atol=1e-5)
    assert sum(p.numel() for p in smaller.parameters()) < sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", NETS)
def test_what_is_pruned_are_whole_rows_of_the_convolutions_behind_removed_channels(name: str) -> None:
    model = network(name)
    kept, _ = channels_of(weights_of(model), model, 0.4)
    mask, zeroed = without_channels(model, IMAGE, kept)
    made_by = makers(model)
    assert set(mask) == set(kinds(model))
    for scale, weight in made_by.items():
        rows = mask[weight].flatten(1)
        assert torch.equal(rows.any(1), kept[scale]) and torch.equal(rows.all(1), kept[scale])
    assert all(bool(mask[weight].all()) for weight in mask if weight not in made_by.values())
    for scale, own in kept.items():
        assert torch.equal(zeroed[scale], ~own)
        assert torch.equal(zeroed[scale.removesuffix("weight") + "bias"], ~own)


def test_normalisations_of_sums_have_no_maker() -> None:
    assert len(makers(NETS["vgg"]())) == 8
    resnet = makers(NETS["resnet"]())
    assert resnet["bn.weight"] == "conv.weight" and resnet["blocks.1.shortcut.1.weight"] == "blocks.1.shortcut.0.weight"
    assert len(resnet) == len(scale_counts(NETS["resnet"]()))
    assert makers(NETS["preresnet"]()) == {
        f"blocks.{block}.bn{place + 1}.weight": f"blocks.{block}.conv{place}.weight"
        for block in range(3)
        for place in (1, 2)
    }


def test_the_slimmed_network_is_as_small_as_counted_by_hand() -> None:
    """Three convolutions of 3x3 with 6, 5 and 4 channels, of which 4, 3 and 2 stay; 3 colours, 16x16 pixels, 10 classes."""
    model = SmallConvNet(IMAGE, 10, widths=(6, 5, 4)).eval()
    kept = {
        "layers.0.bn.weight": torch.tensor([1, 1, 0, 1, 0, 1]).bool(),
        "layers.1.bn.weight": torch.tensor([0, 1, 1, 1, 0]).bool(),
        "layers.2.bn.weight": torch.tensor([0, 0, 1, 1]).bool(),
    }
    mask, zeroed = without_channels(model, IMAGE, kept)
    smaller = slimmed(model, IMAGE, pinned(mask, zeroed)).module
    convolutions = 9 * (3 * 4 + 4 * 3 + 3 * 2)
    normalisation, classifier = 2 * (4 + 3 + 2), 2 * 10 + 10
    assert sum(p.numel() for p in smaller.parameters()) == convolutions + normalisation + classifier
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        smaller(torch.zeros(1, *IMAGE))
    assert counter.get_total_flops() == 2 * (16 * 16 * convolutions + 2 * 10)
    assert mask.remaining == 9 * (3 * 4 + 6 * 3 + 5 * 2) + 40


def test_an_emptied_layer_keeps_its_first_channel_and_is_told() -> None:
    model = SmallConvNet(IMAGE, 10, widths=(2, 6))
    model.get_parameter("layers.0.bn.weight").data.fill_(1e-3)
    model.get_parameter("layers.1.bn.weight").data.copy_(torch.arange(1.0, 7.0))
    kept, emptied = channels_of(weights_of(model), model, 0.5)
    assert emptied == ["layers.0.bn.weight"]
    assert emptied_sentence(emptied, 0.5).startswith("A prune ratio of 0.5 leaves no channel of layers.0.bn,")
    assert kept["layers.0.bn.weight"].tolist() == [True, False]
    assert kept["layers.1.bn.weight"].tolist() == [False, False, False, True, True, True]


def test_channels_at_random_are_as_many_in_every_layer() -> None:
    torch.manual_seed(0)
    counts = {"a": 40, "b": 24}
    kept = by_layer(largest(torch.rand(64), 0.5), counts)
    drawn = shuffled(kept, torch.Generator().manual_seed(1))
    assert {name: int(own.sum()) for name, own in drawn.items()} == {name: int(own.sum()) for name, own in kept.items()}
    assert not any(torch.equal(drawn[name], kept[name]) for name in counts)


def test_single_weights_go_layer_by_layer() -> None:
    model = network("resnet")
    weights = weights_of(model)
    mask = without_weights(weights, model, 0.5)
    for name, kept in mask.items():
        assert int(kept.sum()) == kept.numel() - round(0.5 * kept.numel())
        assert weights[name][kept].abs().min() >= weights[name][~kept].abs().max()
