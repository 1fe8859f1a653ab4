"""Functions of one number as small ReLU networks: straight pieces between equally spaced knots.

f^(x) = f(s_0) + m_0 relu(x - s_0) + sum_{i=1}^{N-1} (m_i - m_{i-1}) relu(x - s_i), m_i the slope of piece i. It errs by at most
(b - a)^2 / (8 N^2) max |f''| (Burkholz et al. 2022, On the existence of universal lottery tickets).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """An affine map: ``weight`` ``[outputs, inputs]`` and ``bias`` ``[outputs]``, None where there is none."""

    weight: Floats
    bias: Floats | None = None

    def __call__(self, inputs: Floats) -> Floats:
        """``[points, inputs]`` to ``[points, outputs]``."""
        outputs = inputs @ self.weight.T
        return outputs if self.bias is None else outputs + self.bias


@dataclass(frozen=True)
class Curve:
    """A function of one number on [low, high]."""

    function: Callable[[Floats], Floats]
    low: float
    high: float

    def __call__(self, place: float) -> float:
        return float(self.function(np.array([place]))[0])


@dataclass(frozen=True)
class Branch:
    """A network of layers with a ReLU between any two.

    Args:
        sign: ``+``, ``-`` or ``both``: the signs that its inputs take.
        each: whether it takes one number and is applied to every coordinate by itself.
        curve: what straight pieces follow, of a branch that is made of them; else its weights themselves are what is asked for.
    """

    name: str
    layers: tuple[Layer, ...]
    sign: str
    each: bool = False
    curve: Curve | None = None

    def __call__(self, inputs: Floats) -> Floats:
        """``[points, inputs]`` to ``[points, outputs]``."""
        values = inputs.reshape(-1, 1) if self.each else inputs
        for layer in self.layers[:-1]:
            values = np.maximum(layer(values), 0.0)
        values = self.layers[-1](values)
        return values.reshape(inputs.shape) if self.each else values


def pieces(name: str, function: Callable[[Floats], Floats], low: float, high: float, count: int, sign: str) -> Branch:
    """The branch that follows ``function`` on [low, high] in ``count`` straight pieces, for every coordinate by itself."""
    knots = np.linspace(low, high, count + 1)
    values = function(knots)
    slopes = np.diff(values) / np.diff(knots)
    bends = np.diff(slopes, prepend=0.0)
    return Branch(
        name,
        (Layer(np.ones((count, 1)), -knots[:-1]), Layer(bends[None, :], values[:1])),
        sign,
        each=True,
        curve=Curve(function, low, high),
    )
