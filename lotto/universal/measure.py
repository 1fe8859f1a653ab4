"""How well a ticket of a ``CandidateNetwork`` computes its target."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from lotto.seeds import Streams
from lotto.universal.construction import SIGNED
from lotto.universal.pieces import Floats
from lotto.universal.targets import Target

# Random combinations of the outputs, for targets that are bases.
COMBINATIONS = 20
# How near a weight must be to count as reached.
NEAR = 0.01


def points_of(config: Mapping[str, Any], streams: Streams) -> Floats:
    """The points that ``data=cube`` describes, float64 ``[points, numbers]``: equally spaced, or drawn from the replicate's own stream."""
    count, numbers = config["examples"]["test"], int(np.prod(config["input_shape"]))
    low, high = config["low"], config["high"]
    if config["draw"] == "grid":
        return np.linspace(low, high, count)[:, None].repeat(numbers, 1)
    return np.random.default_rng(streams.number("points")).uniform(low, high, (count, numbers))


def measure(network: nn.Module, target: Target, points: Floats) -> dict[str, Any]:
    """What the table says of a network whose pruned weights are zero, in float64: sup errors over ``points``, and of weights.

    ``error_sup`` is the greatest error of any output, ``error_relative_sup`` the same over the greatest value, ``error_exact_sup`` what
    the exact network errs by, no weight of it pruned. Where single weights are what is asked for, ``error_bound`` is max_j sum_k
    max(|dW+_jk|, |dW-_jk|) of a target of one layer, and ``weight_error_…`` are over all weights and signs; they are there for networks
    in which every unit has one input.
    """
    wanted = target.function(points)
    given = outputs(network, points, wanted.shape[1])
    errors = np.abs(given - wanted).max(0)
    largest = float(np.abs(wanted).max())
    found = {
        "error_sup": float(errors.max()),
        "error_relative_sup": float(errors.max()) / largest,
        "error_exact_sup": float(np.abs(target.exact(points) - wanted).max()),
        **{f"error_{name}_sup": float(error) for name, error in zip(target.outputs, errors, strict=False)},
    }
    if target.combines:
        found |= _combined(given, wanted, errors)
    return found | _of_weights(network, target)


@torch.no_grad()
def outputs(network: nn.Module, points: Floats, numbers: int) -> Floats:
    """What the network computes at the points, float64 ``[points, numbers]``; the network is left as it is."""
    doubled = copy.deepcopy(network).double().cpu().eval()
    return doubled(torch.from_numpy(points)).numpy().reshape(len(points), numbers)


def slopes(first: Floats, second: Floats) -> tuple[Floats, Floats] | None:
    """W+ and W- of a pruned pair, ``[outputs, columns]``; None where a unit has more than one input, and there is no such form."""
    if bool(((first != 0).sum(1) > 1).any()):
        return None
    return second @ np.maximum(first, 0), second @ np.minimum(first, 0)


def pairs(network: nn.Module, target: Target) -> Iterator[tuple[Floats, Floats]]:
    """The two layers' weights of every pair, in order."""
    for branch in target.branches:
        for place in range(len(branch.layers)):
            first, second = (
                network.get_parameter(f"branches.{branch.name}.{place}.{part}.weight") for part in ("first", "second")
            )
            yield first.detach().cpu().double().numpy(), second.detach().cpu().double().numpy()


def _combined(given: Floats, wanted: Floats, errors: Floats) -> dict[str, float]:
    """Random combinations a of the outputs, fitted by least squares on what the ticket computes: median over combinations.

    ``error_expected_sup`` is sum_t |a_t| times output t's own error, which bounds what the same a would err by.
    """
    weights = np.random.default_rng(0).standard_normal((wanted.shape[1], COMBINATIONS))
    fitted, *_ = np.linalg.lstsq(given, wanted @ weights)
    off = np.abs(given @ fitted - wanted @ weights).max(0)
    return {
        "error_combined_sup": float(np.median(off)),
        "error_expected_sup": float(np.median(np.abs(weights).T @ errors)),
    }


def _of_weights(network: nn.Module, target: Target) -> dict[str, float]:
    """Errors of single weights, of both signs the greater; empty unless the weights are what is asked for, and can be read off."""
    if not target.drawn:
        return {}
    (branch,) = target.branches
    errors = []
    for place, (layer, pair) in enumerate(zip(branch.layers, pairs(network, target), strict=True)):
        if (found := slopes(*pair)) is None:
            return {}
        sides = SIGNED[branch.sign if place == 0 else "+"]
        errors.append(np.stack([np.abs(found[side < 0] - layer.weight) for side in sides]).max(0))
    every = np.concatenate([error.ravel() for error in errors])
    return {
        **({"error_bound": float(errors[0].sum(1).max())} if len(errors) == 1 else {}),
        "weight_error_median": float(np.median(every)),
        "weight_error_95": float(np.quantile(every, 0.95)),
        "weight_error_max": float(every.max()),
        "weights_within": float((every <= NEAR).mean()),
    }
