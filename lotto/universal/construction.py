"""Tickets of random networks that compute a given function: one subset sum for every weight of an exact network.

For y = W x and the pair g(x) = V relu(U x) of random layers (Malach et al. 2020; Pensia et al. 2020; Burkholz et al. 2022): of unit i of
block k only U_ik is kept. Where x_k > 0 the units with U_ik > 0 fire, with U_ik x_k, and where x_k < 0 the others do. So output j needs
two subsets of block k, one of each sign, whose products V_ji U_ik add up to W_jk, and for a sign that x_k never takes none. V_ji is kept
for the units of both, and U_ik where an output uses unit i. The pruned pair is then

    g^(x)_j = sum_k ( W+_jk max(x_k, 0) + W-_jk min(x_k, 0) ),   |g^(x) - W x|_j <= sum_k max(|dW+_jk|, |dW-_jk|) |x_k|.

A deep target is pruned layer by layer, with its own ReLU behind every pair: twice its depth.

Of a function in straight pieces, what is found first shifts what is looked for next: the weights w^ of the input, then the biases -s w^,
so that knots stay in place; then the offset, and from knot to knot the coefficient that leads from the value that has been reached to the
function's at the next one. (Were the exact network's coefficients c / w^ looked for one by one, a number that no subset comes
near would spoil the sum from there on; here the next ones make it good.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lotto.mask import Mask
from lotto.universal.pieces import Branch, Curve, Floats
from lotto.universal.subset_sum import Chosen
from lotto.universal.targets import Target

Solver = Callable[[Floats, float], Chosen]
SIGNED = {"+": (1,), "-": (-1,), "both": (1, -1)}
# Knots that are nearer to the next than this part of a piece are left out.
TOUCHING = 0.02


@dataclass(frozen=True)
class Construction:
    """A ticket that was constructed.

    Args:
        mask: of every weight of the network.
        used: candidates that it keeps, of ``offered``: the numbers V_ji of all subset sums.
    """

    mask: Mask
    used: int
    offered: int


def construct(network: nn.Module, target: Target, candidates: int, solver: Solver) -> Construction:
    """The ticket of a ``CandidateNetwork`` that computes ``target`` as well as subsets of so many candidates can; nothing is changed.

    Args:
        candidates: per weight, of those that the network holds: of every block the first.
        solver: finds the subset of float64 ``[n]`` numbers whose sum is nearest to a number, as bool ``[n]``.
    """
    kept: dict[str, torch.Tensor] = {}
    used = offered = 0
    for branch in target.branches:
        for pair, path in _pruned(network, branch, candidates, solver):
            kept[f"{path}.first.weight"] = torch.from_numpy(pair.kept_first)
            kept[f"{path}.second.weight"] = torch.from_numpy(pair.kept_second)
            used += int(pair.kept_second.sum())
            offered += pair.offered
    return Construction(Mask(kept), used, offered)


class _Pair:
    """A pair of random layers that is being pruned."""

    def __init__(self, first: Floats, second: Floats, candidates: int, solver: Solver) -> None:
        self._first, self._second, self._solver = first, second, solver
        self._candidates = candidates
        self.kept_first, self.kept_second = np.zeros_like(first, np.bool_), np.zeros_like(second, np.bool_)
        self.offered = 0

    def fit(self, column: int, wanted: Floats, sign: str) -> Floats:
        """Prune block ``column`` such that it multiplies its input by ``wanted`` ``[outputs]``; returns by what it does.

        Of two signs it returns the last one's factors.
        """
        units, columns = self._first.shape
        start = column * (units // columns)
        block = np.arange(start, start + 2 * self._candidates)
        found = np.zeros_like(wanted)
        for side in SIGNED[sign]:
            own = block[np.sign(self._first[block, column]) == side]
            products = self._second[:, own] * self._first[own, column]
            for output, value in enumerate(wanted):
                chosen = self._solver(products[output], float(value))
                self.kept_second[output, own[chosen]] = True
                found[output] = products[output][chosen].sum()
            self.kept_first[own, column] = self.kept_second[:, own].any(0)
            self.offered += products.size
        return found


def _pruned(network: nn.Module, branch: Branch, candidates: int, solver: Solver) -> Iterator[tuple[_Pair, str]]:
    """Every pair of a branch, pruned."""
    paths = [f"branches.{branch.name}.{place}" for place in range(len(branch.layers))]
    made = [
        _Pair(_numbers(network, f"{path}.first.weight"), _numbers(network, f"{path}.second.weight"), candidates, solver)
        for path in paths
    ]
    if branch.curve is None:
        _fit_layers(made, branch)
    else:
        _fit_pieces(made, branch, branch.curve)
    yield from zip(made, paths, strict=True)


def _fit_layers(pairs: Sequence[_Pair], branch: Branch) -> None:
    """Weight by weight."""
    for place, (pair, layer) in enumerate(zip(pairs, branch.layers, strict=True)):
        for column, wanted in enumerate(layer.weight.T):
            pair.fit(column, wanted, branch.sign if place == 0 else "+")
        if layer.bias is not None:
            pair.fit(layer.weight.shape[1], layer.bias, "+")


def _fit_pieces(pairs: Sequence[_Pair], branch: Branch, curve: Curve) -> None:
    """Knots first, then the function from knot to knot."""
    (into, out), (units, ends) = pairs, branch.layers
    assert units.bias is not None and ends.bias is not None
    weights = into.fit(0, units.weight[:, 0], branch.sign)
    biases = into.fit(1, units.bias * weights, "+")
    (value,) = out.fit(len(weights), ends.bias, "+")
    alive = np.flatnonzero(weights > 0)  # a unit without its input is of no use
    knots = np.clip(-biases[alive] / weights[alive], curve.low, curve.high)
    order = np.argsort(knots, kind="stable")
    least = TOUCHING * (curve.high - curve.low) / len(weights)
    slope = 0.0
    for unit, knot, following in zip(alive[order], knots[order], [*knots[order][1:], curve.high], strict=True):
        if following - knot < least:
            continue
        wanted = (curve(following) - value) / (following - knot) - slope
        (bend,) = out.fit(unit, np.array([wanted / weights[unit]]), "+")
        slope += bend * weights[unit]
        value += slope * (following - knot)


def _numbers(network: nn.Module, name: str) -> Floats:
    return network.get_parameter(name).detach().cpu().double().numpy()
