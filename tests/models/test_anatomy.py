"""Every prunable tensor is found once and knows what it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.anatomy import counts, kinds
from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet
from lotto.models.torchvision_model import build


def test_lenet_is_dense_with_an_output() -> None:
    model = LeNet((1, 28, 28), 10)
    assert kinds(model) == {"fc_layers.0.weight": "dense", "fc_layers.1.weight": "dense", "fc.weight": "output"}
    assert counts(model) == {"fc_layers.0.weight": 235_200, "fc_layers.1.weight": 30_000, "fc.weight": 1_000}


def test_resnet_has_its_shortcuts_in_blocks_3_and_6() -> None:
    model = CifarResNet((3, 32, 32), 10)
    found = kinds(model)
    shortcuts = [name for name, kind in found.items() if kind == "shortcut"]
    assert shortcuts == ["blocks.3.shortcut.0.weight", "blocks.6.shortcut.0.weight"]
    assert [counts(model)[name] for name in shortcuts] == [512, 2_048]
    assert [name for name, kind in found.items() if kind == "output"] == ["fc.weight"]
    assert sum(counts(model)[name] for name, kind in found.items() if kind == "conv") == 267_696


def test_torchvision_calls_its_shortcuts_downsample() -> None:
    with torch.device("meta"):
        found = kinds(build("resnet18", classes=10))
    shortcuts = [name for name, kind in found.items() if kind == "shortcut"]
    assert shortcuts == [f"layer{stage}.0.downsample.0.weight" for stage in (2, 3, 4)]


def test_classifier_may_be_a_convolution() -> None:
    with torch.device("meta"):
        found = kinds(build("squeezenet1_1", classes=10))
    assert [name for name, kind in found.items() if kind == "output"] == ["classifier.1.weight"]


def test_pointwise_convolutions_elsewhere_and_wide_ones_in_a_shortcut_are_plain() -> None:
    model = nn.ModuleDict(
        {
            "mix": nn.Conv2d(2, 2, 1),
            "shortcut": nn.Conv2d(2, 2, 3),
            "downsample": nn.Conv1d(2, 2, 1),
            "fc": nn.Linear(2, 2),
        }
    )
    assert kinds(model) == {
        "mix.weight": "conv",
        "shortcut.weight": "conv",
        "downsample.weight": "shortcut",
        "fc.weight": "output",
    }


def test_every_kind_of_convolution_counts_and_nothing_else() -> None:
    convolutions = [nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d]
    others = [nn.BatchNorm2d(2), nn.Embedding(3, 2), nn.LayerNorm(2)]
    model = nn.Sequential(*(kind(2, 2, 3) for kind in convolutions), *others, nn.Linear(2, 2))
    assert list(kinds(model)) == [*(f"{i}.weight" for i in range(6)), "9.weight"]


def test_shared_weight_appears_once_under_its_first_name() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "hidden": nn.Linear(3, 3), "decoder": nn.Linear(3, 5)})
    model["decoder"].weight = model["embedding"].weight
    assert kinds(model) == {"embedding.weight": "output", "hidden.weight": "dense"}
    assert counts(model) == {"embedding.weight": 15, "hidden.weight": 9}


def test_parametrised_weight_is_no_parameter_to_mask() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), nn.Linear(3, 2))
    assert kinds(model) == {"1.weight": "output"}


class TwoHeads(nn.Module):
    """A classifier that is not the last linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 2)
        self.decoder = nn.Linear(4, 4)


def test_last_linear_layer_is_the_output_unless_the_model_says_otherwise() -> None:
    model = TwoHeads()
    assert kinds(model) == {"head.weight": "dense", "decoder.weight": "output"}
    model.output_layer = "head"
    assert kinds(model) == {"head.weight": "output", "decoder.weight": "dense"}


def test_output_layer_may_be_the_layer_itself() -> None:
    model = TwoHeads()
    model.output_layer = model.head
    assert kinds(model) == {"head.weight": "output", "decoder.weight": "dense"}


def test_output_layer_that_names_no_layer_is_refused() -> None:
    model = TwoHeads()
    model.output_layer = "haed"
    with pytest.raises(BadRequest, match="output_layer=haed of TwoHeads"):
        kinds(model)


def test_network_without_weights_has_no_anatomy() -> None:
    assert kinds(nn.Flatten()) == {}
