"""Files of weights as others leave them, of a network with convolutions, normalisation and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lotto.mask import Mask
from lotto.models.resnet import CifarResNet
from lotto.tickets import Ticket, save_ticket
from lotto.tickets.metadata import metadata

SHAPE = (1, 8, 8)


def network(seed: int = 0, classes: int = 10) -> nn.Module:
    """A small network whose statistics are not those of a fresh one."""
    torch.manual_seed(seed)
    model = CifarResNet(SHAPE, classes, depth=8, width=4)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.num_batches_tracked.fill_(7)
    return model


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def wrapped(tensors: Mapping[str, Tensor], prefix: str = "module.") -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def write_ticket(path: Path, seed: int = 3, density: float = 0.5) -> Ticket:
    """A ticket of that network with random masks."""
    model = network(seed)
    generator = torch.Generator().manual_seed(seed)
    names = [name for name, tensor in model.named_parameters() if tensor.ndim > 1]
    mask = Mask({name: torch.rand(model.get_parameter(name).shape, generator=generator) < density for name in names})
    about = metadata(
        mask,
        model={"_target_": "lotto.models.resnet.CifarResNet", "depth": 8, "width": 4},
        input_shape=SHAPE,
        classes=10,
        data=None,
        method={},
        pruning=None,
        rewind_step=0,
        key=None,
        start=None,
        seeds=None,
        buffers=[name for name, _ in model.named_buffers()],
    )
    ticket = Ticket(mask.apply(state(model)), mask, about)
    save_ticket(ticket, path)
    return ticket


def _safetensors(path: Path, tensors: dict[str, Tensor]) -> dict[str, object]:
    save_file(tensors, path, {"format": "pt"})
    return {}


def _plain(path: Path, tensors: dict[str, Tensor]) -> dict[str, object]:
    torch.save(tensors, path)
    return {}


def _among_others(path: Path, tensors: dict[str, Tensor]) -> dict[str, object]:
    torch.save({"epoch": 3, "state_dict": wrapped(tensors), "optimizer": {"state": {}}}, path)
    return {"entry": "state_dict", "prefix": "module."}


def _halves(path: Path, tensors: dict[str, Tensor]) -> dict[str, object]:
    """In half precision, with the older format of torch.save."""
    halved = {name: tensor.half().float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    tensors.update(halved)
    torch.save(
        {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()},
        path,
        _use_new_zipfile_serialization=False,
    )
    return {}


WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], dict[str, object]]] = {
    "safetensors": _safetensors,
    "a state dict": _plain,
    "a state dict among other things": _among_others,
    "half precision, older format": _halves,
}
"""Each writes a file and returns the options that it is read with; ``tensors`` are then what should be read."""
