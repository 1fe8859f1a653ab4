"""Criteria that look at the weights before and after training (Zhou et al. 2019, Deconstructing lottery tickets, §2, Table 1).

Large final is ``magnitude``. Each function takes the trained ``model`` and ``initial``, the weights at initialisation by parameter name,
and gives the scores of all prunable weights, float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from lotto.models.anatomy import kinds


def magnitude_increase(model: nn.Module, initial: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|w_f| - |w_i|: what grew most."""
    return _scored(model, initial, lambda first, last: last.abs() - first.abs())


def movement(model: nn.Module, initial: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|w_f - w_i|: what moved most."""
    return _scored(model, initial, lambda first, last: (last - first).abs())


def large_init(model: nn.Module, initial: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|w_i|: what was largest before training."""
    return _scored(model, initial, lambda first, last: first.abs())


def large_final_same_sign(model: nn.Module, initial: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """|w_f| where training kept the sign, else 0."""
    return _scored(model, initial, lambda first, last: last.abs() * (first.sign() == last.sign()))


def _scored(
    model: nn.Module, initial: Mapping[str, Tensor], score: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    weights = {name: model.get_parameter(name).detach() for name in kinds(model)}
    return {name: score(initial[name].to(weight), weight).float() for name, weight in weights.items()}
