"""A network's body under another head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.head import head_names, misfit, with_head
from lotto.models.resnet import CifarResNet
from lotto.training.network import state_of


def network(classes: int, seed: int, width: int = 2) -> CifarResNet:
    torch.manual_seed(seed)
    return CifarResNet((1, 8, 8), classes, depth=8, width=width)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state_of(model).items()}


def test_the_head_is_the_output_layer_with_its_bias() -> None:
    assert head_names(network(3, 0)) == {"fc.weight", "fc.bias"}
    assert head_names(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2, bias=False))) == {"2.weight"}
    headless = nn.Sequential(nn.BatchNorm2d(3))
    assert not head_names(headless)
    with pytest.raises(BadRequest, match="has no output layer"):
        with_head(headless, state(headless), {}, None)


def test_body_and_mask_stay_and_the_head_is_whole() -> None:
    body, target = network(3, 1), network(7, 2)
    kept = {name: torch.rand(body.get_parameter(name).shape) < 0.5 for name in kinds(body)}
    weights, mask = with_head(target, state(body), state(target), Mask(kept))
    assert mask is not None and list(mask) == list(kinds(target))
    for name, tensor in weights.items():
        source = target if name in ("fc.weight", "fc.bias") else body
        assert torch.equal(tensor, state(source)[name]), name
    assert mask["fc.weight"].shape == (7, 8) and bool(mask["fc.weight"].all())
    assert all(torch.equal(mask[name], kept[name]) for name in mask if name != "fc.weight")
    assert with_head(target, state(body), state(target), None)[1] is None
    target.load_state_dict(weights)
    assert target(torch.zeros(2, 1, 8, 8)).shape == (2, 7)


def test_what_does_not_fit_is_named() -> None:
    shapes = {name: tensor.shape for name, tensor in state(network(3, 0)).items()}
    assert misfit(network(9, 0), shapes) is None
    wider = misfit(network(3, 0, width=4), shapes)
    assert wider == "its conv.weight is [2, 1, 3, 3] and not [4, 1, 3, 3]"
    less = {name: shape for name, shape in shapes.items() if name != "bn.running_var"}
    assert misfit(network(3, 0), less) == "it has no bn.running_var"
    assert misfit(network(3, 0), {**shapes, "more": torch.Size([1])}) == "it has more besides"
