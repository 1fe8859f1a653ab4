"""torchvision's classifiers are reachable by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.anatomy import counts, kinds
from lotto.models.torchvision_model import build


def test_name_and_classes_make_a_classifier() -> None:
    with torch.device("meta"):
        model = build("resnet18", classes=7, input_shape=(3, 32, 32))
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_options_reach_torchvision() -> None:
    with torch.device("meta"):
        model = build("resnet18", classes=7, norm_layer=nn.InstanceNorm2d)
    assert isinstance(model.bn1, nn.InstanceNorm2d)


@pytest.mark.parametrize("name", ["vit_b_32", "maxvit_t"])
def test_transformers_are_built_for_the_images_of_the_data(name: str) -> None:
    shape = (3, 64, 64) if name == "vit_b_32" else (3, 448, 448)
    with torch.device("meta"):
        model = build(name, classes=5, input_shape=shape)
        assert model(torch.zeros(2, *shape)).shape == (2, 5)


def test_inception_gives_plain_logits_while_training() -> None:
    with torch.device("meta"):
        assert build("googlenet", classes=5).train()(torch.zeros(2, 3, 64, 64)).shape == (2, 5)


def test_depthwise_convolutions_survive() -> None:
    with torch.device("meta"):
        model = build("mobilenet_v3_small", classes=10)
        depthwise = {
            f"{path}.weight": layer
            for path, layer in model.named_modules()
            if isinstance(layer, nn.Conv2d) and layer.groups > 1
        }
        assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert depthwise
    for name, layer in depthwise.items():
        assert kinds(model)[name] == "conv"
        assert counts(model)[name] == layer.out_channels * layer.kernel_size[0] * layer.kernel_size[1]


def test_misspelt_name_is_answered_with_its_neighbours() -> None:
    with pytest.raises(BadRequest, match=r"model\.name=resnet19 .*did you mean .*resnet18"):
        build("resnet19", classes=10)


def test_segmentation_networks_are_not_classifiers() -> None:
    with pytest.raises(BadRequest, match="not a torchvision classifier"):
        build("fcn_resnet50", classes=10)


def test_images_without_three_channels_are_refused() -> None:
    with pytest.raises(BadRequest, match="3 channels, and the data's have 1"):
        build("resnet18", classes=10, input_shape=(1, 28, 28))
