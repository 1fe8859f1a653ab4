"""From a model's configuration to the module, the same bits for the same number."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.models.checks import require_one_of
from lotto.models.init import initialise


def build(config: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int, seed_number: int) -> nn.Module:
    """The initialised model that ``config`` describes, on the CPU.

    ``config`` holds ``_target_``, its arguments and ``init``, the arguments of ``initialise``. ``input_shape``
    (channels, height, width) and ``classes`` are passed on if the target names them (``num_classes`` will do) and
    ``config`` does not set them. All draws start from ``seed_number`` and leave the caller's generators as they were.
    Raises ``BadRequest`` if the target cannot be imported or built, or does not give logits ``[N, classes]`` for inputs
    ``[N, *input_shape]``.
    """
    arguments, init = _separate(config)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # torch.manual_seed would reseed the accelerators' generators as well.
        torch.default_generator.manual_seed(seed_number)
        model = _construct(arguments, input_shape, classes)
        initialise(model, **init)
        _require_logits(model, arguments["_target_"], input_shape, classes)
    return model


def skeleton(config: Mapping[str, Any], input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The module of ``build`` without its numbers, on the meta device: enough to name and count its weights.

    Raises ``BadRequest`` as ``build`` does, except that the outputs are not looked at.
    """
    arguments, init = _separate(config)
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                model = _construct(arguments, input_shape, classes)
        except BadRequest:
            # A constructor may read the numbers that it has just drawn, which the meta device does not have.
            with torch.device("cpu"):
                model = _construct(arguments, input_shape, classes).to("meta")
        initialise(model, **init)
    return model


def _separate(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The target with its arguments, and the arguments of ``initialise``."""
    arguments = dict(config)
    init = dict(arguments.pop("init", None) or {})
    for field in init:
        require_one_of("model.init", field, ("weights", "biases", "batchnorm", "scale"))
    if arguments.get("_target_", "???") == "???":
        raise BadRequest("model._target_ is missing: it is the dotted path of a class, such as my_package.Net")
    return arguments, init


def _construct(arguments: dict[str, Any], input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    from hydra.utils import instantiate

    target = arguments["_target_"]
    try:
        # Only the configuration's own arguments pass through Hydra, which would turn the shape's tuple into a list.
        constructor = instantiate(arguments, _partial_=True, _convert_="all")
        model = constructor(**_expected(constructor, input_shape, classes))
    except BadRequest:
        raise
    except Exception as error:
        raise BadRequest(f"model._target_={target} cannot be built: {_reason(error)}") from error
    if not isinstance(model, nn.Module):
        raise BadRequest(f"model._target_={target} gives a {type(model).__name__}, and a torch.nn.Module is needed")
    return model


def _expected(
    constructor: partial[Any], input_shape: tuple[int, int, int], classes: int
) -> dict[str, tuple[int, int, int] | int]:
    """What the constructor asks to know of the data and the configuration leaves open."""
    parameters = inspect.signature(constructor).parameters
    expected: dict[str, tuple[int, int, int] | int] = {}
    if "input_shape" in parameters:
        expected["input_shape"] = input_shape
    if "classes" in parameters:
        expected["classes"] = classes
    elif "num_classes" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        # A bare **kwargs is how torchvision's builders hand num_classes on.
        expected["num_classes"] = classes
    return {name: value for name, value in expected.items() if name not in constructor.keywords}


def _require_logits(model: nn.Module, target: str, input_shape: tuple[int, int, int], classes: int) -> None:
    try:
        # A copy, because a forward pass may change buffers, and eval() the modes that a constructor chose.
        trial = copy.deepcopy(model).eval()
        with torch.no_grad():
            outputs = trial(torch.zeros(2, *input_shape))
    except Exception as error:
        shape = list(input_shape)
        raise BadRequest(f"model._target_={target} cannot take inputs of shape {shape}: {_reason(error)}") from error
    given = list(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    if given != [2, classes]:
        raise BadRequest(
            f"model._target_={target} gives {given} for two inputs, and {classes} classes need [2, {classes}]"
        )


def _reason(error: BaseException) -> str:
    """The first line of the error that started the chain."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
