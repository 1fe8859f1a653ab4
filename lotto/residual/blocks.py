"""Which residual blocks of a network can go: those that add something to what they are given, unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from lotto.models.anatomy import kinds

# What modules call the path beside the branch: nothing, or an empty one, hands on what the block is given.
_SHORTCUTS = ("shortcut", "downsample")
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class Block:
    """A residual block.

    Args:
        path: of its module.
        weights: the prunable weights of its branch, in registration order.
        last: the parameters by which the branch's result is scaled and shifted last: zero, it adds nothing.
        is_identity: whether the path beside the branch is the identity.
    """

    path: str
    weights: tuple[str, ...]
    last: tuple[str, ...]
    is_identity: bool


def all_blocks(model: nn.Module) -> list[Block]:
    """The residual blocks of ``model`` in the order of registration: modules with a child or attribute ``shortcut`` or ``downsample``."""
    prunable = list(kinds(model))
    found = []
    for path, module in model.named_modules():
        for shortcut in _SHORTCUTS:
            if path and hasattr(module, shortcut):
                beside = getattr(module, shortcut)
                own = [name for name in prunable if name.startswith(f"{path}.")]
                own = [name for name in own if not name.startswith(f"{path}.{shortcut}.")]
                if own and (beside is None or isinstance(beside, nn.Module)):
                    found.append(Block(path, tuple(own), _last(module, path, shortcut), _is_identity(beside)))
    return found


def removable(model: nn.Module, protect: str = "downsample_only") -> list[Block]:
    """The blocks that can go: with an identity beside the branch, so that shapes stay without it.

    Args:
        protect: ``adjacent`` leaves out the neighbours of blocks that change the shape, too, as the paper does.
    """
    found = all_blocks(model)
    changing = {place for place, block in enumerate(found) if not block.is_identity}
    beside = {place + step for place in changing for step in (-1, 1)} if protect == "adjacent" else set()
    return [block for place, block in enumerate(found) if place not in changing | beside]


@contextmanager
def without(model: nn.Module, block: Block) -> Iterator[nn.Module]:
    """``model`` as it computes without the branch of ``block``, in place; at the end it is as it was."""
    own = [model.get_parameter(name) for name in block.last]
    kept = [parameter.detach().clone() for parameter in own]
    with torch.no_grad():
        for parameter in own:
            parameter.zero_()
        try:
            yield model
        finally:
            for parameter, value in zip(own, kept, strict=True):
                parameter.copy_(value)


def _is_identity(beside: nn.Module | None) -> bool:
    return beside is None or isinstance(beside, nn.Identity) or (isinstance(beside, nn.Sequential) and not len(beside))


def _last(module: nn.Module, path: str, shortcut: str) -> tuple[str, ...]:
    """Of the last normalisation or layer with weights in the branch, by registration."""
    owners = [
        (name, child)
        for name, child in module.named_modules()
        if not (name == shortcut or name.startswith(f"{shortcut}."))
        and (isinstance(child, _NORMALISATIONS) or "weight" in child._parameters)
    ]
    name, owner = owners[-1]
    return tuple(f"{path}.{name}.{parameter}" for parameter, _ in owner.named_parameters(recurse=False))
