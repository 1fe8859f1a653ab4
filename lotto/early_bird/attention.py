"""WORM for transformers (Vasudev 2024): the mask is over the single weights that make queries and keys.

Before epoch e all query and key weights of all attention layers are ranked by magnitude, and m_e keeps those strictly above the value
at floor(p C) of the sorted C. The queue holds three masks, epsilon is 0.01, p is 0.5, and a mask counts as settled from epoch 3 on only.
The damping chi is the mean distance dbar, 1 until the queue is full, and 0.01 for good once dbar < 0.015; it damps the gradients of the
query and key weights that the mask leaves out.

In the authors' code the place in the mask does not move on between query and key, so that the key's part is written over the query's: here
each has its own. Queries and keys are found in ``torch.nn.MultiheadAttention`` and in linear layers called ``query`` and ``key``,
``q_proj`` and ``k_proj``, ``to_q`` and ``to_k``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lotto.early_bird.search import EarlyBird
from lotto.errors import BadRequest
from lotto.training.network import Tensors
from lotto.training.regimen import View

_LINEAR = ("query", "key", "q_proj", "k_proj", "to_q", "to_k")


def query_and_key_rows(model: nn.Module) -> dict[str, int]:
    """The weights that make queries and keys, in registration order: by name of parameter the rows from the top that do."""
    found = {}
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        if isinstance(module, nn.MultiheadAttention):
            if module.in_proj_weight is not None:
                found[f"{prefix}in_proj_weight"] = 2 * module.embed_dim  # queries, keys, and values below
            else:
                found |= {f"{prefix}{name}_proj_weight": module.embed_dim for name in ("q", "k")}
        elif isinstance(module, nn.Linear) and path.rpartition(".")[2] in _LINEAR:
            found[f"{prefix}weight"] = module.out_features
    return found


class WormAttention(EarlyBird):
    """Early-Bird search over query and key weights, with damped gradients.

    Args:
        ratio: p.
        gate: the mean distance below which chi falls.
        least: chi from then on.
    """

    def __init__(
        self,
        view: View,
        ratio: float,
        epsilon: float = 0.01,
        num_masks: int = 3,
        until: str = "found",
        gate: float = 0.015,
        least: float = 0.01,
    ) -> None:
        super().__init__(view, [ratio], epsilon, num_masks, until)
        self._rows = query_and_key_rows(view.model)
        self._gate, self._least, self._first = gate, least, num_masks
        self._fallen, self.damping = False, 1.0

    @classmethod
    def ranked_counts(cls, model: nn.Module) -> dict[str, int]:
        rows = query_and_key_rows(model)
        return {name: count * model.get_parameter(name)[0].numel() for name, count in rows.items()}

    @classmethod
    def check(cls, model: nn.Module) -> None:
        if not query_and_key_rows(model):
            raise BadRequest(
                f"method=worm_attention ranks query and key weights, and {type(model).__name__} has none: choose a transformer."
            )

    def ranked(self) -> Tensor:
        weights = [self.view.weight(name)[:count].flatten() for name, count in self._rows.items()]
        return torch.cat(weights).abs().cpu()

    def may_settle(self, step: int) -> bool:
        return step >= self._first * self.view.steps_per_epoch

    def look(self, step: int) -> None:
        super().look(step)
        mean = self.searches[0].watch.mean
        self._fallen = self._fallen or mean < self._gate
        self.damping = self._least if self._fallen else mean

    def after_backward(self, step: int) -> bool:
        parts = self.searches[0].masks[-1].split(list(self.counts.values()))
        for (name, count), part in zip(self._rows.items(), parts, strict=True):
            gradient = self.view.gradient(name)
            if gradient is not None:
                own = part.view(count, -1).to(gradient.device, gradient.dtype)
                gradient[:count].mul_(own + self.damping * (1 - own))
        return True

    def row(self) -> dict[str, float]:
        return super().row() | {"damping": self.damping}

    def state(self) -> Tensors:
        own = torch.tensor([self.damping, float(self._fallen)], dtype=torch.float64)
        return super().state() | {"damping": own}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        super().restore(state)
        self.damping, self._fallen = float(state["damping"][0]), bool(state["damping"][1])
