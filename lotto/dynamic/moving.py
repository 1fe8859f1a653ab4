"""The regimen of SET, RigL and ITOP: at every update each layer drops its smallest weights and grows as many elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lotto.dynamic.regrow import Growth, at_random, by_size, never_active_first, regrown
from lotto.dynamic.schedule import drop_fraction, is_update
from lotto.passes import STATIC, Passes, by_gradient
from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View

# A fraction of a count that is a whole number but for rounding is that number.
_ROUNDING = 1e-9


class MovingMask(Regimen):
    """Keeps the number of weights of every layer and moves their places (Mocanu et al. 2018; Evci et al. 2020; Liu et al. 2021).

    At step t a layer of K weights drops n = floor(f_t K) of them and grows n. What grows is zero and has no optimizer state; what is
    dropped and grown at once stays as it is. Layers that are dense or too small to move stay.

    Args:
        every: steps between updates, Delta T.
        begin: the first step that may update: RigL's code updates at step 0, with the gradient of the first batch; SET after an epoch.
        end: no update from this step on, T_end.
        fraction: f_0. ``decay`` and ``least`` as in ``drop_fraction``.
        growth: ``random``, ``gradient``, or ``random_unfired``: at random among what was never active.
        replaces_step: whether an update takes the place of the optimizer's step, as in RigL's code.
    """

    moves_masks = True

    def __init__(
        self,
        view: View,
        every: int,
        begin: int,
        end: int,
        fraction: float,
        decay: str,
        least: float,
        growth: str,
        replaces_step: bool,
    ) -> None:
        super().__init__(view)
        self._every, self._begin, self._end = every, begin, end
        self._fraction, self._decay, self._least = fraction, decay, least
        self._growth, self._replaces_step = growth, replaces_step
        self._ever: Tensors = {}
        self._updates = 0
        self._step = view.first

    def begin(self) -> None:
        self._ever = {name: self.view.kept(name).clone() for name in self.view.kinds}

    def fraction(self, step: int) -> float:
        return drop_fraction(step, self._fraction, self._least, self._end, self._decay)

    def after_backward(self, step: int) -> bool:
        fraction = self.fraction(step)
        if not is_update(step, self._every, self._begin, self._end) or fraction == 0:
            return True
        movable = [self._move(place, name, step, fraction) for place, name in enumerate(self.view.kinds)]
        self._updates += 1
        # Whether a step is replaced must not depend on counts, which a stack's replicates need not share.
        return not (self._replaces_step and any(movable))

    def _move(self, place: int, name: str, step: int, fraction: float) -> bool:
        """Update one layer; returns whether it is sparse, so that there is somewhere to grow."""
        kept = self.view.kept(name)
        active = int(kept.sum())
        growth = self._growing(place, name, step)
        if active in (0, kept.numel()) or growth is None:
            return False
        count = math.floor(fraction * active + _ROUNDING)
        if count > 0:
            self.view.keep(name, regrown(self.view.weight(name), kept, count, growth))
            self._ever[name] |= self.view.kept(name)
        return True

    def _growing(self, place: int, name: str, step: int) -> Growth | None:
        """None for a layer that no example has reached, whose gradient is unknown."""
        if self._growth == "gradient":
            gradient = self.view.gradient(name)
            return None if gradient is None else by_size(gradient)
        generator = self.view.generator(step, place)
        return at_random(generator) if self._growth == "random" else never_active_first(self._ever[name], generator)

    # -- what is told and kept ----------------------------------------------------------------------------------------------------

    def before_evaluation(self, step: int) -> None:
        self._step = step

    def row(self) -> dict[str, float]:
        """f_t and R_s, of all prunable weights and of every layer."""
        layers = {f"ever_active/{name}": share for name, share in self._shares().items()}
        return {"drop_fraction": self.fraction(self._step), "ever_active": self._share()} | layers

    def results(self) -> dict[str, Any]:
        return {
            "numbers": {"ever_active": self._share(), "mask_updates": self._updates},
            "ever_active_layers": self._shares(),
            "passes": self._passes().as_record(),
        }

    def _passes(self) -> Passes:
        if self._growth != "gradient":
            return STATIC
        first, stop = self.view.recipe["start"], self.view.recipe["stop"]
        moving = max(0, min(stop, self._end) - max(first, self._begin))
        return by_gradient(self._every).mixed(STATIC, moving / (stop - first))

    def _share(self) -> float:
        """R_s: the weights that were ever active, of all (Liu et al. 2021, In-Time Over-Parameterization)."""
        return sum(int(ever.sum()) for ever in self._ever.values()) / sum(ever.numel() for ever in self._ever.values())

    def _shares(self) -> dict[str, float]:
        return {name: int(ever.sum()) / ever.numel() for name, ever in self._ever.items()}

    def state(self) -> Tensors:
        ever = {f"ever/{name}": tensor.to(torch.uint8) for name, tensor in self._ever.items()}
        return ever | {"updates": torch.tensor(self._updates)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._ever = {name: state[f"ever/{name}"].bool().to(self.view.kept(name).device) for name in self.view.kinds}
        self._updates = int(state["updates"])
