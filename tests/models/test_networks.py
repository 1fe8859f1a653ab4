"""The networks have the papers' sizes and OpenLTH's parameter names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.anatomy import counts
from lotto.models.conv import ConvNet
from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet
from lotto.models.resnet18 import CifarResNet18
from lotto.models.vgg import CifarVgg

MNIST = (1, 28, 28)
CIFAR = (3, 32, 32)


def trainable(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("network", "prunable"),
    [
        (lambda: LeNet(MNIST, 10), 266_200),
        (lambda: ConvNet(CIFAR, 10, depth=2), 4_300_992),
        (lambda: ConvNet(CIFAR, 10, depth=4), 2_425_024),
        (lambda: ConvNet(CIFAR, 10, depth=6), 2_261_184),
        (lambda: CifarResNet(CIFAR, 10, depth=20), 270_896),
        (lambda: CifarVgg(CIFAR, 10, depth=16), 14_715_584),
        (lambda: CifarVgg(CIFAR, 10, depth=19), 20_024_000),
    ],
)
def test_prunable_weights_are_the_published_number(network: Callable[[], nn.Module], prunable: int) -> None:
    with torch.device("meta"):
        assert sum(counts(network()).values()) == prunable


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (lambda: LeNet(MNIST, 10), 266_610),
        (lambda: CifarResNet(CIFAR, 10, depth=20), 272_474),
        (lambda: CifarResNet18(CIFAR, 10), 11_173_962),
        (lambda: CifarVgg(CIFAR, 10, depth=16), 14_728_266),
    ],
)
def test_trainable_parameters_are_the_published_number(network: Callable[[], nn.Module], parameters: int) -> None:
    with torch.device("meta"):
        assert trainable(network()) == parameters


def test_leaving_out_the_biases_of_vgg_keeps_its_weights() -> None:
    with torch.device("meta"):
        biased, unbiased = CifarVgg(CIFAR, 10, depth=19), CifarVgg(CIFAR, 10, depth=19, conv_bias=False)
    assert counts(biased) == counts(unbiased)
    assert trainable(biased) - trainable(unbiased) == 2 * 64 + 2 * 128 + 4 * 256 + 8 * 512


def test_lenet_is_named_as_in_openlth() -> None:
    assert list(LeNet(MNIST, 10).state_dict()) == [
        "fc_layers.0.weight",
        "fc_layers.0.bias",
        "fc_layers.1.weight",
        "fc_layers.1.bias",
        "fc.weight",
        "fc.bias",
    ]


def test_resnet_is_named_as_in_openlth() -> None:
    def norm(path: str) -> list[str]:
        return [f"{path}.{name}" for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")]

    expected = ["conv.weight", *norm("bn")]
    for block in range(9):
        path = f"blocks.{block}"
        expected += [f"{path}.conv1.weight", *norm(f"{path}.bn1"), f"{path}.conv2.weight", *norm(f"{path}.bn2")]
        if block in (3, 6):
            expected += [f"{path}.shortcut.0.weight", *norm(f"{path}.shortcut.1")]
    assert list(CifarResNet(CIFAR, 10).state_dict()) == [*expected, "fc.weight", "fc.bias"]


def test_vgg_numbers_its_convolutions_past_the_pools_as_openlth_does() -> None:
    with torch.device("meta"):
        state = CifarVgg(CIFAR, 10, depth=16).state_dict()
    convolutions = [name for name in state if name.endswith(".conv.weight")]
    assert convolutions == [f"layers.{i}.conv.weight" for i in (0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16)]
    assert {"layers.0.conv.bias", "layers.0.bn.running_mean", "fc.weight", "fc.bias"} <= state.keys()


@pytest.mark.parametrize("depth", [2, 4, 6])
def test_conv_net_has_as_many_convolutions_as_its_name_says(depth: int) -> None:
    with torch.device("meta"):
        assert len(ConvNet(CIFAR, 10, depth=depth).convs) == depth


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (lambda: LeNet((3, 5, 7), 4, plan=[]), (3, 5, 7)),
        (lambda: ConvNet((1, 28, 20), 4, depth=6), (1, 28, 20)),
        (lambda: CifarResNet((1, 28, 28), 4, depth=8, width=4), (1, 28, 28)),
        (lambda: CifarResNet18((3, 64, 64), 4, width=4), (3, 64, 64)),
        (lambda: CifarVgg((1, 28, 28), 4, depth=11), (1, 28, 28)),
        (lambda: CifarVgg((3, 64, 48), 4, depth=11), (3, 64, 48)),
    ],
)
def test_networks_take_other_images(network: Callable[[], nn.Module], shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        assert network()(torch.zeros(2, *shape)).shape == (2, 4)


def test_global_average_of_vgg_is_the_papers_average_pool_on_cifar() -> None:
    model = CifarVgg(CIFAR, 10, depth=11).eval()
    images = torch.rand(1, *CIFAR)
    with torch.no_grad():
        features = nn.functional.avg_pool2d(model.layers(images), kernel_size=2)
        torch.testing.assert_close(model(images), model.fc(features.flatten(start_dim=1)))


def test_dropout_stands_before_every_linear_layer() -> None:
    model = ConvNet(CIFAR, 10, depth=2, dropout=0.9)
    seen: dict[str, float] = {}  # the share of zeros that reaches a layer: ReLU alone leaves about half
    for name in ("fc_layers.0", "fc_layers.1", "fc"):
        model.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.__setitem__(name, (inputs[0] == 0).float().mean().item())
        )
    with torch.no_grad():
        model(torch.rand(2, *CIFAR))
    assert all(share > 0.8 for share in seen.values()) and len(seen) == 3
    assert torch.equal(model.eval()(torch.ones(1, *CIFAR)), model(torch.ones(1, *CIFAR)))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: LeNet(MNIST, 10, plan=(300, 0)), "model.plan=0"),
        (lambda: ConvNet(CIFAR, 10, depth=3), "model.depth=3 is unknown: it is one of 2, 4, 6"),
        (lambda: ConvNet(CIFAR, 10, dropout=1.0), r"model.dropout=1.0"),
        (lambda: ConvNet((3, 7, 32), 10, depth=6), "7x32 is too small for Conv-6.* at least 8x8"),
        (lambda: CifarResNet(CIFAR, 10, depth=18), "model.depth=18"),
        (lambda: CifarResNet(CIFAR, 10, depth=2), "model.depth=2 "),
        (lambda: CifarResNet(CIFAR, 10, width=0), "model.width=0"),
        (lambda: CifarVgg(CIFAR, 10, depth=12), "model.depth=12 is unknown: it is one of 11, 13, 16, 19"),
        (lambda: CifarVgg((3, 15, 15), 10, depth=11), "15x15 is too small for VGG-11.* at least 16x16"),
    ],
)
def test_impossible_network_is_refused_in_one_sentence(network: Callable[[], nn.Module], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        network()


@pytest.mark.parametrize(
    ("network", "shape"),
    [(lambda: ConvNet((3, 8, 8), 10, depth=6), (3, 8, 8)), (lambda: CifarVgg((3, 16, 16), 10), (3, 16, 16))],
)
def test_smallest_allowed_image_passes(network: Callable[[], nn.Module], shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        assert network()(torch.zeros(2, *shape)).shape == (2, 10)
