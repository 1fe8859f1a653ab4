"""Every network of OpenLTH's families is recognised by its tensors, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lotto.errors import BadRequest
from lotto.models.build import skeleton
from lotto.openlth.architecture import recognise

LENET = {"_target_": "lotto.models.lenet.LeNet"}
RESNET = {"_target_": "lotto.models.resnet.CifarResNet"}
VGG = {"_target_": "lotto.models.vgg.CifarVgg", "conv_bias": True}
TORCHVISION = {"_target_": "lotto.models.torchvision_model.build"}


def state_of(
    config: dict[str, Any], shape: tuple[int, int, int], classes: int = 10, prefix: str = ""
) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in skeleton(config, shape, classes).state_dict().items()}


@pytest.mark.parametrize(
    ("name", "config", "shape"),
    [
        ("mnist_lenet_300_100", {**LENET, "plan": [300, 100]}, (1, 28, 28)),
        ("mnist_lenet_7", {**LENET, "plan": [7]}, (1, 28, 28)),
        ("cifar_resnet_20", {**RESNET, "depth": 20, "width": 16}, (3, 32, 32)),
        ("cifar_resnet_8_4", {**RESNET, "depth": 8, "width": 4}, (3, 32, 32)),
        ("cifar_resnet_110_32", {**RESNET, "depth": 110, "width": 32}, (3, 32, 32)),
        *((f"cifar_vgg_{depth}", {**VGG, "depth": depth}, (3, 32, 32)) for depth in (11, 13, 16, 19)),
    ],
)
def test_networks_for_small_images(name: str, config: dict[str, Any], shape: tuple[int, int, int]) -> None:
    state = state_of(config, shape)
    found = recognise(state)
    assert (found.name, found.config, found.classes) == (name, config, 10)
    assert found.renamed(state).keys() == state.keys()


def test_names_and_counts_are_those_that_openlth_reports() -> None:
    found = recognise(state_of({**RESNET, "depth": 20, "width": 16}, (3, 32, 32)))
    assert [name for name, kind in found.kinds.items() if kind == "shortcut"] == [
        "blocks.3.shortcut.0.weight",
        "blocks.6.shortcut.0.weight",
    ]
    vgg = recognise(state_of({**VGG, "depth": 16}, (3, 32, 32)))
    convolutions = [int(name.split(".")[1]) for name in vgg.kinds if name.startswith("layers")]
    assert convolutions == [0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16]


@pytest.mark.parametrize("depth", [18, 50])
def test_imagenet_networks_lose_their_wrapper(depth: int) -> None:
    config = {**TORCHVISION, "name": f"resnet{depth}"}
    state = state_of(config, (3, 224, 224), 1000, "model.")
    found = recognise(state)
    assert (found.name, found.config, found.classes) == (f"imagenet_resnet_{depth}", config, 1000)
    assert {f"model.{name}" for name in found.renamed(state)} == state.keys()
    with pytest.raises(BadRequest, match=r"fc\.weight is no tensor"):
        found.renamed({"fc.weight": torch.ones(1)})


def test_other_networks_are_refused() -> None:
    state = state_of({**LENET, "plan": [20, 10]}, (1, 28, 28))
    with pytest.raises(BadRequest, match="none of OpenLTH's networks"):
        recognise({"linear.weight": torch.ones(1)})
    with pytest.raises(BadRequest, match=r"for extra it has \[1\] where lotto's has nothing"):
        recognise({**state, "extra": torch.ones(1)})
    with pytest.raises(BadRequest, match=r"fc_layers\.0\.weight it has \[20, 9\] where lotto's has \[20, 784\]"):
        recognise({**state, "fc_layers.0.weight": torch.ones(20, 9)})
    with pytest.raises(BadRequest, match=r"for fc\.bias it has nothing of that name"):
        recognise({name: tensor for name, tensor in state.items() if name != "fc.bias"})
    vgg = state_of({**VGG, "depth": 11}, (3, 32, 32))
    with pytest.raises(BadRequest, match="looks like a cifar_vgg, and is no such network"):
        recognise({name: tensor for name, tensor in vgg.items() if not name.startswith("layers.4.")})
