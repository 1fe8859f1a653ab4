"""Whether the tensors of a file are those of a network, and which of them it takes."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.head import head_names
from lotto.starts.source import Contents
from lotto.training.network import state_of

# What training scripts wrap around a network, and so around its names.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "backbone.")


def fitted(contents: Contents, model: nn.Module, head: str, words: str) -> Contents:
    """What ``model`` takes: tensors in its dtypes and by its names, the mask over its prunable weights, and what is zeroed.

    Args:
        model: may lie on the meta device: its own numbers are not looked at.
        head: ``keep``, or ``fresh``: the classifier's tensors are left out, and its weights are unpruned.
        words: what a sentence calls the file.

    Raises:
        BadRequest: a tensor is missing, left over, of another shape or not finite; a mask is.
    """
    known, own = model.state_dict(keep_vars=True), state_of(model)
    left_out = head_names(model) if head == "fresh" else frozenset[str]()
    network = type(model).__name__
    for name in contents.weights:
        if name not in known and name not in left_out:
            raise BadRequest(f"{words} holds {name}, which is no tensor of the {network}{_near(name, known)}.")
    taken = {}
    for name, tensor in own.items():
        if name in left_out:
            continue
        found = contents.weights.get(name)
        if found is None:
            raise BadRequest(
                f"{words} has no tensor {name} of shape {list(tensor.shape)}, which the {network} needs"
                f"{_wrapped(name, contents.weights)}."
            )
        _check(name, found, tensor, words, network, name in head_names(model))
        taken[name] = found.to(tensor.dtype)
    zeroed = {name: zero for name, zero in contents.zeroed.items() if name not in left_out}
    return Contents(taken, _mask(contents.mask, model, left_out, words, network), zeroed)


def _check(name: str, found: Tensor, tensor: Tensor, words: str, network: str, is_head: bool) -> None:
    if found.shape != tensor.shape:
        advice = ": start.head=fresh draws the classifier anew" if is_head else ""
        raise BadRequest(
            f"{words} has {name} of shape {list(found.shape)}, and the {network}'s is {list(tensor.shape)}{advice}."
        )
    if found.is_floating_point() != tensor.is_floating_point():
        raise BadRequest(f"{words} has {name} as {found.dtype}, and the {network}'s is {tensor.dtype}.")
    if not bool(torch.isfinite(found).all()):
        raise BadRequest(f"{words} has values in {name} that are not finite.")


def _mask(mask: Mask | None, model: nn.Module, left_out: frozenset[str], words: str, network: str) -> Mask | None:
    if mask is None:
        return None
    made = {}
    for name in kinds(model):
        shape = model.get_parameter(name).shape
        if name in left_out:
            made[name] = torch.ones(shape, dtype=torch.bool)
        elif name not in mask or mask[name].shape != shape:
            has = list(mask[name].shape) if name in mask else "nothing of that name"
            raise BadRequest(
                f"{words} has a mask of another network: for {name}, {list(shape)} in the {network}, it has {has}."
            )
        else:
            made[name] = mask[name]
    return Mask(made)


def _near(name: str, known: Mapping[str, object]) -> str:
    for wrapper in _WRAPPERS:
        if name.startswith(wrapper) and name.removeprefix(wrapper) in known:
            return f": give start.prefix={wrapper} to take what is behind it"
    close = get_close_matches(name, known, 1)
    return f" (the nearest is {close[0]})" if close else ""


def _wrapped(name: str, found: Mapping[str, object]) -> str:
    longer = next((other for other in found if other.endswith(f".{name}")), None)
    return f": it has {longer}, so give start.prefix={longer.removesuffix(name)}" if longer else ""
