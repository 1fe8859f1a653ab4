"""What a ticket is to compute: functions with the small exact networks that random ones are pruned to.

- ``sine``: sin(2 pi x) on [0, 1].
- ``monomials``: ((1 + x) / 2)^t = exp(t log((1 + x) / 2)) on [0, 1] for t = 1, ..., from one branch for the logarithm, the exponents, and
  one branch for the exponential that all of them share. A polynomial is a linear combination of them: the ticket is universal for
  polynomials (Burkholz et al. 2022, On the existence of universal lottery tickets, whose numbers of pieces are the defaults).
- ``layer``: W x with entries of W from U[-1/2, 1/2] and x in [-1, 1]^d; ``mlp``: several such layers with ReLUs between them (Malach et al.
  2020; Pensia et al. 2020, two random layers for each one).
- ``weight``: single weights from U[-1, 1] for x in [0, 1]: the subset-sum lemma itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from lotto.errors import BadRequest
from lotto.fields import choice, positive, whole
from lotto.universal.pieces import Branch, Floats, Layer, pieces

# How far the exponential is followed beyond the range of t log((1 + x) / 2): what is pruned may reach a little farther.
MARGIN = 0.07


@dataclass(frozen=True)
class Target:
    """A function, and the exact network that approximates it.

    Args:
        function: ``[points, inputs]`` to ``[points, outputs]``.
        branches: one after another.
        outputs: a name for every output that has one.
        combines: whether linear combinations of the outputs are what the ticket is for.
        drawn: whether its weights are drawn and are all that is asked for.
    """

    function: Callable[[Floats], Floats]
    branches: tuple[Branch, ...]
    outputs: tuple[str, ...] = ()
    combines: bool = False
    drawn: bool = False

    def exact(self, inputs: Floats) -> Floats:
        """What the exact network computes, no weight of it pruned."""
        for branch in self.branches:
            inputs = branch(inputs)
        return inputs

    @property
    def takes(self) -> int:
        return int(self.branches[0].layers[0].weight.shape[1])

    @property
    def gives(self) -> int:
        return int(self.exact(np.zeros((1, self.takes))).shape[1])

    @property
    def scalars(self) -> int:
        """Weights and biases of the exact network."""
        layers = [layer for branch in self.branches for layer in branch.layers]
        return sum(layer.weight.size + (0 if layer.bias is None else layer.bias.size) for layer in layers)


def target_of(config: Mapping[str, Any], number: int = 0) -> Target:
    """The target that ``config`` names, with its options.

    Args:
        number: the seed of what is drawn: the weights of ``layer``, ``mlp`` and ``weight``.

    Raises:
        BadRequest: the name or an option is unknown, or out of its range.
    """
    options = dict(config)
    name = choice("model.target.name", options.pop("name", None), tuple(TARGETS))
    try:
        return TARGETS[name](np.random.default_rng(number), **options)
    except TypeError as reason:
        raise BadRequest(f"model.target={dict(config)} has an option that {name} does not take: {reason}.") from None


def _sine(generator: np.random.Generator, segments: int = 21) -> Target:
    def function(x: Floats) -> Floats:
        return np.sin(2 * math.pi * x)

    whole("model.target.segments", segments, 1)
    return Target(function, (pieces("sine", function, 0.0, 1.0, segments, "+"),))


def _monomials(
    generator: np.random.Generator, powers: int = 4, log_segments: int = 10, exp_segments: int = 40
) -> Target:
    for field, value in {"powers": powers, "log_segments": log_segments, "exp_segments": exp_segments}.items():
        whole(f"model.target.{field}", value, 1)
    exponents = np.arange(1.0, powers + 1)
    logarithm = pieces("log", lambda x: np.log((1 + x) / 2), 0.0, 1.0, log_segments, "+")
    lowest = -powers * math.log(2) - MARGIN
    return Target(
        lambda x: ((1 + x) / 2) ** exponents,
        (
            logarithm,
            Branch("powers", (Layer(exponents[:, None]),), "-"),
            pieces("exp", np.exp, lowest, 0.0, exp_segments, "-"),
        ),
        tuple(f"t{power}" for power in range(1, powers + 1)),
        combines=True,
    )


def _drawn(generator: np.random.Generator, widths: list[int], bound: float, sign: str) -> Target:
    layers = [Layer(generator.uniform(-bound, bound, (outputs, inputs))) for inputs, outputs in pairwise(widths)]
    branch = Branch("layers", tuple(layers), sign)
    return Target(branch, (branch,), drawn=True)


def _layer(generator: np.random.Generator, inputs: int = 8, outputs: int = 5, bound: float = 0.5) -> Target:
    return _mlp(generator, [inputs, outputs], bound)


def _mlp(
    generator: np.random.Generator, widths: list[int] | tuple[int, ...] = (8, 16, 5), bound: float = 0.5
) -> Target:
    sizes = [whole("model.target.widths", width, 1) for width in widths]
    if len(sizes) < 2:
        raise BadRequest(f"model.target.widths={list(widths)} is no network: its inputs, hidden layers and outputs.")
    return _drawn(generator, sizes, positive("model.target.bound", bound), "both")


def _weight(generator: np.random.Generator, outputs: int = 50, bound: float = 1.0) -> Target:
    return _drawn(generator, [1, whole("model.target.outputs", outputs, 1)], positive("model.target.bound", bound), "+")


TARGETS: dict[str, Callable[..., Target]] = {
    "sine": _sine,
    "monomials": _monomials,
    "layer": _layer,
    "mlp": _mlp,
    "weight": _weight,
}
