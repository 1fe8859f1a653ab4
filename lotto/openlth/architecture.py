"""Which network a saved OpenLTH model is: its family and lotto's configuration, found from its tensors alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from lotto.errors import BadRequest
from lotto.models.anatomy import kinds
from lotto.models.build import skeleton
from lotto.openlth.defaults import FAMILIES, Family
from lotto.training.network import state_of

State = Mapping[str, Tensor]

_VGG_DEPTHS = {8: 11, 10: 13, 13: 16, 16: 19}
# By blocks per stage and whether a block has three convolutions.
_IMAGENET_DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}


@dataclass(frozen=True)
class Architecture:
    """A network that both frameworks have.

    Args:
        family: OpenLTH's family of networks.
        name: OpenLTH's name of the network, such as ``cifar_resnet_20``.
        config: lotto's configuration, initialisers apart, which no tensor tells.
        classes: number of outputs.
        prefix: what OpenLTH puts before lotto's names of the tensors.
        names: lotto's names of all parameters and buffers, in the model's order.
        buffers: those of them that are not parameters.
        kinds: the kind of every prunable tensor, by lotto's name.
    """

    family: Family
    name: str
    config: dict[str, Any]
    classes: int
    prefix: str
    names: tuple[str, ...]
    buffers: tuple[str, ...]
    kinds: dict[str, str]

    def renamed(self, tensors: State) -> dict[str, Tensor]:
        """A model's or a mask's tensors under lotto's names, in the model's order.

        Raises:
            BadRequest: a tensor is none of the network's.
        """
        found = {
            name.removeprefix(self.prefix): tensor for name, tensor in tensors.items() if name.startswith(self.prefix)
        }
        if strange := [
            name
            for name in tensors
            if name.removeprefix(self.prefix) not in self.names or not name.startswith(self.prefix)
        ]:
            raise BadRequest(f"{strange[0]} is no tensor of OpenLTH's {self.name}.")
        return {name: found[name] for name in self.names if name in found}


def recognise(state: State) -> Architecture:
    """The network whose state OpenLTH saved.

    Raises:
        BadRequest: it is of none of OpenLTH's families, or has a size that lotto cannot build.
    """
    for marker, family, read in _READERS:
        if marker in state:
            try:
                name, config = read(state)
            except (IndexError, KeyError, ValueError):
                raise BadRequest(
                    f"The model looks like a {family}, and is no such network: its layers do not fit together."
                ) from None
            return _checked(state, FAMILIES[family], name, config)
    raise BadRequest(
        f"The model is none of OpenLTH's networks, which are {', '.join(FAMILIES)}: "
        f"its first tensor is {next(iter(state), None)}."
    )


def _checked(state: State, family: Family, name: str, config: dict[str, Any]) -> Architecture:
    """Names and shapes must be the built network's, all of them."""
    prefix = "model." if family.name == "imagenet_resnet" else ""
    classes = state[f"{prefix}fc.weight"].shape[0]
    model = skeleton(config, family.input_shape, classes)
    expected = {prefix + path: tensor.shape for path, tensor in state_of(model).items()}
    for path in {**expected, **state}:
        if path not in state or path not in expected or state[path].shape != expected[path]:
            found = list(state[path].shape) if path in state else "nothing of that name"
            wanted = list(expected[path]) if path in expected else "nothing of that name"
            raise BadRequest(
                f"The model looks like OpenLTH's {name}, but for {path} it has {found} where lotto's has {wanted}."
            )
    names = tuple(state_of(model))
    parameters = dict(model.named_parameters())
    buffers = tuple(path for path in names if path not in parameters)
    return Architecture(family, name, config, classes, prefix, names, buffers, kinds(model))


def _lenet(state: State) -> tuple[str, dict[str, Any]]:
    plan = [state[f"fc_layers.{index}.weight"].shape[0] for index in range(_count(r"fc_layers\.(\d+)\.weight", state))]
    return f"mnist_lenet_{'_'.join(map(str, plan))}", {"_target_": "lotto.models.lenet.LeNet", "plan": plan}


def _cifar_resnet(state: State) -> tuple[str, dict[str, Any]]:
    depth, width = 2 * _count(r"blocks\.(\d+)\.conv1\.weight", state) + 2, state["conv.weight"].shape[0]
    name = f"cifar_resnet_{depth}" if width == 16 else f"cifar_resnet_{depth}_{width}"
    return name, {"_target_": "lotto.models.resnet.CifarResNet", "depth": depth, "width": width}


def _cifar_vgg(state: State) -> tuple[str, dict[str, Any]]:
    depth = _VGG_DEPTHS[_count(r"layers\.(\d+)\.conv\.weight", state)]
    return f"cifar_vgg_{depth}", {"_target_": "lotto.models.vgg.CifarVgg", "depth": depth, "conv_bias": True}


def _imagenet_resnet(state: State) -> tuple[str, dict[str, Any]]:
    blocks = tuple(_count(rf"model\.layer{stage}\.(\d+)\.conv1\.weight", state) for stage in (1, 2, 3, 4))
    depth = _IMAGENET_DEPTHS[blocks, "model.layer1.0.conv3.weight" in state]
    return f"imagenet_resnet_{depth}", {"_target_": "lotto.models.torchvision_model.build", "name": f"resnet{depth}"}


def _count(pattern: str, state: State) -> int:
    return sum(1 for name in state if re.fullmatch(pattern, name))


# A tensor that only this family has, the family, and how its size is read.
_READERS: tuple[tuple[str, str, Callable[[State], tuple[str, dict[str, Any]]]], ...] = (
    ("fc_layers.0.weight", "mnist_lenet", _lenet),
    ("blocks.0.conv1.weight", "cifar_resnet", _cifar_resnet),
    ("layers.0.conv.weight", "cifar_vgg", _cifar_vgg),
    ("model.conv1.weight", "imagenet_resnet", _imagenet_resnet),
)
