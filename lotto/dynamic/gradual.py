"""The regimen of gradual magnitude pruning: a dense network is thinned out while it trains, along a cubic schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from lotto.dynamic.schedule import cubic_sparsity, is_pruning_step
from lotto.mask import Mask
from lotto.passes import GRADUAL
from lotto.pruning.allocate import Budget, Rule, budgets
from lotto.pruning.prune import keep_within, layers_of
from lotto.schedule import from_fields
from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View


class GradualPruning(Regimen):
    """Keeps the largest \\|w\\| as the schedule falls (Zhu & Gupta 2017, To prune, or not to prune, §3 and eq. 1).

    After t steps every group of layers whose weights compete has lost round(s_t n) of its n weights, with s_t as in ``cubic_sparsity`` and
    s_f what the allocation comes to: one sparsity for every layer by itself, or one for all layers together.

    Args:
        every, begin, end: steps: prune at ``begin``, every so many steps after it, and at ``end``; then the mask stays.
        initial: the sparsity at ``begin``, s_i.
        allow_regrow: whether a pruned weight keeps its last value aside and comes back with it if it counts among the largest again,
            as in the authors' code; else what is pruned stays pruned.
        rule: ``allocation``, ``rate`` and ``exclude`` of a prune stage.
        target: what the schedule's level asks for at the end, as fields.
    """

    moves_masks = True

    def __init__(
        self,
        view: View,
        every: int,
        begin: int,
        end: int,
        initial: float,
        allow_regrow: bool,
        rule: Mapping[str, Any],
        target: Mapping[str, Any],
    ) -> None:
        super().__init__(view)
        self._every, self._begin, self._end, self._initial = every, begin, end, initial
        self._allow_regrow = allow_regrow
        weights = {name: view.weight(name).cpu() for name in view.kinds}
        self._dense = Mask.ones(weights) if view.start is None else view.start
        self._budgets = _budgets(self._dense, view.kinds, rule, target)
        self._counts = self._dense.counts()
        self._summed = dict.fromkeys(view.kinds, 0)
        self._step = view.first
        self._asleep: Tensors = {}

    def begin(self) -> None:
        if self._allow_regrow:
            self._asleep = {name: torch.zeros_like(self.view.weight(name)) for name in self.view.kinds}
        self._prune_if_due(self.view.first)

    def after_update(self, step: int) -> None:
        self._summed = {name: total + self._counts[name] for name, total in self._summed.items()}
        self._step = step + 1
        self._prune_if_due(self._step)

    def _prune_if_due(self, step: int) -> None:
        if not is_pruning_step(step, self._every, self._begin, self._end):
            return
        scores = {name: self._value(name).abs().nan_to_num(nan=0.0) for name in self.view.kinds}
        # Without regrowth only what is left competes.
        allowed = self._dense if self._allow_regrow else self.view.mask()
        mask = keep_within(scores, allowed, [self._left(budget, step) for budget in self._budgets])
        for name, kept in mask.items():
            self._keep(name, kept.to(self.view.weight(name).device))
        self._counts = mask.counts()

    def _left(self, last: Budget, step: int) -> Budget:
        """What layers that compete keep after ``step`` steps, ``last`` at the end."""
        whole = sum(self._dense.counts()[name] for name in last.names)
        sparsity = cubic_sparsity(step, self._initial, 1 - last.keep / whole, self._begin, self._end)
        return last if step >= self._end else Budget(last.names, max(last.keep, whole - round(sparsity * whole)))

    def _value(self, name: str) -> Tensor:
        """A weight as it is; of one that is pruned, and may come back, as it last was."""
        weight = self.view.weight(name)
        return torch.where(self.view.kept(name), weight, self._asleep[name]) if self._allow_regrow else weight

    def _keep(self, name: str, kept: Tensor) -> None:
        value, back = self._value(name), kept & ~self.view.kept(name)
        self.view.keep(name, kept)
        if self._allow_regrow:
            weight = self.view.weight(name)
            weight.copy_(torch.where(back, value, weight))
            self._asleep[name] = value.masked_fill(kept, 0.0)

    # -- what is told and kept ----------------------------------------------------------------------------------------------------

    @property
    def settled(self) -> bool:
        return self._step >= self._end

    def row(self) -> dict[str, float]:
        return {"density": sum(self._counts.values()) / self._dense.total}

    def results(self) -> dict[str, Any]:
        """What training cost: two passes with what was kept at each step and, of the weights' gradient, one without a mask."""
        steps = max(1, self._step - self.view.recipe["start"])
        mean = {name: [total / steps, self._dense[name].numel()] for name, total in self._summed.items()}
        return {"passes": GRADUAL.as_record(), "mean_layers": mean}

    def state(self) -> Tensors:
        names = list(self.view.kinds)
        asleep = {f"asleep/{name}": tensor for name, tensor in self._asleep.items()}
        summed = torch.tensor([self._summed[name] for name in names])
        return asleep | {"summed": summed, "step": torch.tensor(self._step)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        device = {name: self.view.weight(name).device for name in self.view.kinds}
        if self._allow_regrow:
            self._asleep = {name: state[f"asleep/{name}"].to(device[name]) for name in self.view.kinds}
        self._summed = dict(zip(self.view.kinds, state["summed"].tolist(), strict=True))
        self._step = int(state["step"])
        self._counts = self.view.mask().counts()


def _budgets(
    dense: Mask, kinds: Mapping[str, str], rule: Mapping[str, Any], target: Mapping[str, Any]
) -> Sequence[Budget]:
    """What every group of layers keeps at the end, as a prune stage would have it."""
    rate = rule["rate"]
    made = Rule(rule["allocation"], rate if isinstance(rate, float) else dict(rate), tuple(rule["exclude"]))
    return budgets(layers_of(dense, kinds), made, from_fields(dict(target)))
