"""Random networks that hold several candidates for every weight of a target: what universal tickets are cut out of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.fields import choice, positive, whole
from lotto.universal.pieces import Floats, Layer
from lotto.universal.targets import target_of

SIGNS = ("balanced", "random")


class Pair(nn.Module):
    """Two random layers in the place of one affine map: ``second(relu(first(x)))``, x with a 1 behind it where the map has a bias.

    ``first`` is ``[2 n columns, columns]``, ``second`` ``[outputs, 2 n columns]`` for n candidates and one column for every input and the
    bias: column k is followed by the 2 n units of its own block, whose own entry is positive and negative in turn. So a bias is the
    weight of an input that is always 1, and no parameter of another kind is needed.
    """

    def __init__(self, layer: Layer, candidates: int, signs: str, scales: Tensor, reach: tuple[float, float]) -> None:
        super().__init__()
        outputs, inputs = layer.weight.shape
        self.has_bias = layer.bias is not None
        columns = inputs + self.has_bias
        units = 2 * candidates * columns
        self.first = nn.Linear(columns, units, bias=False)
        self.second = nn.Linear(units, outputs, bias=False)
        with torch.no_grad():
            self.first.weight.uniform_(-1, 1)
            self.second.weight.uniform_(-1, 1)
            if signs == "balanced":
                own = torch.arange(units)
                block = own // (2 * candidates)
                sign = (1 - 2 * (own % 2)).to(self.first.weight.dtype)
                self.first.weight[own, block] = self.first.weight[own, block].abs() * sign
            reached = torch.full((columns,), reach[0])
            if self.has_bias:
                reached[-1] = reach[1]
            self.first.weight.mul_(reached)
            self.second.weight.mul_(scales.repeat_interleave(2 * candidates))

    def forward(self, inputs: Tensor) -> Tensor:
        if self.has_bias:
            inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], 1)
        return self.second(self.first(inputs).relu())


class CandidateNetwork(nn.Module):
    """A random ReLU network that is wide enough for a ticket that computes ``target`` (``lotto.universal.construction``).

    For every layer of the exact network of the target it has a ``Pair``, and ReLUs between pairs where the target has them. Weights are
    drawn from U[-1, 1]. Takes float ``[N, *input_shape]`` of as many numbers as the target takes, gives ``[N, classes]``.

    Args:
        target: its name and options (``lotto.universal.targets``).
        candidates: per weight of the target; a level of the schedule may use fewer.
        signs: ``balanced``, the units of a block have positive and negative entries in turn, so that there are as many candidates for each
            sign; ``random``, the signs are drawn and so is their number.
        scale: None scales the products of a group of weights (a layer's weights, or its biases) such that they reach to twice the
            group's largest target where a target is a function; a number a draws weights from U[-a, a] and biases from U[-1, 1]
            (the authors: 2).

    Raises:
        BadRequest: an option is out of its range, or the data have other inputs or outputs than the target.
    """

    def __init__(
        self,
        target: Mapping[str, Any],
        candidates: int,
        input_shape: tuple[int, int, int],
        classes: int,
        signs: str = "balanced",
        scale: float | None = None,
    ) -> None:
        super().__init__()
        whole("model.candidates", candidates, 1)
        choice("model.signs", signs, SIGNS)
        reach = (1.0, 1.0) if scale is None else (positive("model.scale", scale), 1.0)
        made = target_of(target)
        if (math.prod(input_shape), classes) != (made.takes, made.gives):
            raise BadRequest(
                f"model.target={dict(target)} takes {made.takes} and gives {made.gives} numbers, and the data have "
                f"{math.prod(input_shape)} and {classes}: set data.input_shape and data.classes."
            )
        self.each = {branch.name: branch.each for branch in made.branches}
        self.branches = nn.ModuleDict(
            {
                branch.name: nn.ModuleList(
                    Pair(layer, candidates, signs, _scales(layer, scale, made.drawn), reach) for layer in branch.layers
                )
                for branch in made.branches
            }
        )

    def forward(self, inputs: Tensor) -> Tensor:
        values = inputs.flatten(start_dim=1)
        for name, pairs in self.branches.items():
            shape = values.shape
            values = values.reshape(-1, 1) if self.each[name] else values
            assert isinstance(pairs, nn.ModuleList)
            for place, pair in enumerate(pairs):
                values = pair(values.relu() if place else values)
            values = values.reshape(shape) if self.each[name] else values
        return values


def _scales(layer: Layer, scale: float | None, drawn: bool) -> Tensor:
    """What the columns of the second layer that belong to a column of the first are multiplied by: one number for each."""
    weights, biases = (1.0, 1.0) if drawn else (_twice(layer.weight), _twice(layer.bias))
    if scale is not None:
        weights, biases = scale, 1.0
    return torch.tensor([weights] * layer.weight.shape[1] + [biases] * (layer.bias is not None))


def _twice(group: Floats | None) -> float:
    """Twice the largest target; any scale will do where all are zero."""
    return 1.0 if group is None else 2 * float(abs(group).max()) or 1.0
