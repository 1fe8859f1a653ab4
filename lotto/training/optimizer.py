"""The optimizer of a recipe, and its update without the bookkeeping that small networks wait for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor, nn

from lotto.errors import BadRequest

# Optimizers whose update a CUDA graph can hold, with the learning rate in a tensor.
CAPTURABLE = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def optimizer_for(
    recipe: Mapping[str, Any], parameters: Sequence[nn.Parameter], captured: bool
) -> torch.optim.Optimizer:
    """The optimizer of ``recipe``, fused where it can be.

    Args:
        captured: whether its update is to be held by a CUDA graph.

    Raises:
        BadRequest: it refuses its settings.
    """
    config = dict(recipe["optimizer"])
    kind = get_class(config.pop("_target_"))
    accepted = inspect.signature(kind).parameters
    options = {"lr": recipe["lr"], **config}
    if recipe["weight_decay"] or "weight_decay" in accepted:
        options["weight_decay"] = recipe["weight_decay"]
    if "fused" in accepted:
        options.setdefault("fused", True)
    if captured:
        options["lr"] = torch.tensor(float(recipe["lr"]), device=parameters[0].device)
        if "capturable" in accepted:
            options["capturable"] = True
    try:
        return kind(list(parameters), **options)
    except (TypeError, ValueError) as reason:
        raise BadRequest(
            f"train.optimizer={kind.__name__} refuses its settings: {str(reason).splitlines()[0]}"
        ) from None


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of the next update, in place where a CUDA graph reads it."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def update_of(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
    """``optimizer.step``, or the same update without going through its groups and hooks: a twentieth of a LeNet's step."""
    (group,) = optimizer.param_groups
    plain = type(optimizer) in (torch.optim.Adam, torch.optim.AdamW) and not any(
        group[name] for name in ("amsgrad", "maximize", "capturable", "differentiable")
    )
    if not plain or not group["fused"]:
        return optimizer.step
    parameters = group["params"]
    fused = torch._fused_adamw_ if group.get("decoupled_weight_decay", False) else torch._fused_adam_
    state: list[list[Tensor]] = []  # averages, averages of squares, steps

    @torch.no_grad()
    def update() -> None:
        gradients = [parameter.grad for parameter in parameters]
        if any(gradient is None for gradient in gradients):
            optimizer.step()
            return
        if not state:
            if any(parameter not in optimizer.state for parameter in parameters):
                optimizer.step()  # makes the state
                return
            slots = [optimizer.state[parameter] for parameter in parameters]
            state.extend([slot[name] for slot in slots] for name in ("exp_avg", "exp_avg_sq", "step"))
        torch._foreach_add_(state[2], 1)
        fused(
            parameters,
            gradients,
            state[0],
            state[1],
            [],
            state[2],
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    return update
