"""The search for Early-Bird tickets, as a regimen of the dense network's training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lotto.early_bird.channels import largest
from lotto.early_bird.distance import by_chance
from lotto.early_bird.moment import FOUND, ratio_name
from lotto.early_bird.watch import Watch
from lotto.errors import BadRequest
from lotto.models.anatomy import scale_counts
from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View


class Search:
    """One prune ratio's masks epoch by epoch, and the network of the moment when they had settled.

    Attributes:
        masks: of every epoch so far, bool ``[C]`` each.
        found: the step of that moment, None as long as there is none.
        weights: the network's tensors of that moment.
    """

    def __init__(self, ratio: float, epsilon: float, num_masks: int) -> None:
        self.ratio, self.name = ratio, ratio_name(ratio)
        self.watch = Watch(epsilon, num_masks)
        self.masks: list[Tensor] = []
        self.found: int | None = None
        self.weights: Tensors = {}

    def push(self, mask: Tensor) -> None:
        self.masks.append(mask)
        self.watch.push(mask)

    def row(self) -> dict[str, float]:
        """The largest distance in the queue, plain and as a share of what is expected of random masks; NaN until it is full."""
        worst = max(self.watch.distances, default=math.nan)
        return {
            f"mask_distance_{self.name}": worst,
            f"mask_distance_by_chance_{self.name}": worst / by_chance(self.ratio),
        }

    def state(self, channels: int) -> Tensors:
        stacked = torch.stack(self.masks) if self.masks else torch.empty(0, channels, dtype=torch.bool)
        own = {"masks": stacked.to(torch.uint8), "found": torch.tensor(-1 if self.found is None else self.found)}
        return own | {f"weights/{name}": tensor for name, tensor in self.weights.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for mask in state["masks"].bool().cpu():
            self.push(mask)
        self.found = None if int(state["found"]) < 0 else int(state["found"])
        self.weights = {
            name.removeprefix("weights/"): tensor.clone()
            for name, tensor in state.items()
            if name.startswith("weights/")
        }


class EarlyBird(Regimen):
    """Looks at the channel masks of several prune ratios before every epoch, and keeps the network of the moment when each has settled.

    It changes nothing in the training that it watches.

    Args:
        ratios: p of every ticket, each with a queue of its own.
        epsilon: the largest distance between masks that count as one.
        num_masks: length of the queue.
        until: ``found`` ends the fit once all tickets are drawn, ``end`` goes on watching, for the whole map of distances.
    """

    def __init__(
        self, view: View, ratios: Sequence[float], epsilon: float = 0.1, num_masks: int = 5, until: str = "found"
    ) -> None:
        super().__init__(view)
        self.counts = self.ranked_counts(view.model)
        self.searches = [Search(ratio, epsilon, num_masks) for ratio in ratios]
        self._until, self._trained = until, view.first

    @classmethod
    def ranked_counts(cls, model: nn.Module) -> dict[str, int]:
        """The parameters that masks are over, with their numbers of entries."""
        return scale_counts(model)

    @classmethod
    def check(cls, model: nn.Module) -> None:
        if not scale_counts(model):
            raise BadRequest(
                f"method=early_bird ranks channels by the scales of BatchNorm2d, and {type(model).__name__} has none: choose another model."
            )

    def before_forward(self, step: int) -> None:
        if step % self.view.steps_per_epoch == 0:
            self.look(step)

    def look(self, step: int) -> None:
        """Take note of the masks before an epoch."""
        ranked = self.ranked()
        for search in self.searches:
            search.push(largest(ranked, search.ratio))
            if search.found is None and search.watch.settled and self.may_settle(step):
                search.found = step
                search.weights = {name: self.view.weight(name).clone() for name in self.view.names}

    def ranked(self) -> Tensor:
        """What the masks are over, ``[C]``: the magnitudes of all scales."""
        return torch.cat([self.view.weight(name).flatten() for name in self.counts]).abs().cpu()

    def may_settle(self, step: int) -> bool:
        """Whether a search may end before this step."""
        return True

    def after_update(self, step: int) -> None:
        self._trained = step + 1

    @property
    def over(self) -> bool:
        return self._until == "found" and all(search.found is not None for search in self.searches)

    def row(self) -> dict[str, float]:
        return {name: value for search in self.searches for name, value in search.row().items()}

    def state(self) -> Tensors:
        channels = sum(self.counts.values())
        own = {f"{s.name}/{name}": tensor for s in self.searches for name, tensor in s.state(channels).items()}
        return own | {"trained": torch.tensor(self._trained)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._trained = int(state["trained"])
        for search in self.searches:
            under = f"{search.name}/"
            search.restore({name.removeprefix(under): t for name, t in state.items() if name.startswith(under)})

    def results(self) -> dict[str, Any]:
        """The epoch before which each ticket was drawn; None for one that was not."""
        return {
            "found_epochs": {
                search.name: None if search.found is None else search.found // self.view.steps_per_epoch
                for search in self.searches
            }
        }

    def artifact(self) -> Tensors:
        """For every ratio ``masks`` (uint8 ``[epochs, C]``), ``moment`` (step, epoch, and whether it was found) and its ``weights``.

        A ratio that never settled has none of its own: its moment is the last step, and the weights are those trained.
        """
        made: Tensors = {}
        for search in self.searches:
            state = search.state(sum(self.counts.values()))
            state.pop("found")
            step = self._trained if search.found is None else search.found
            moment = [step, step // self.view.steps_per_epoch, search.found is not None]
            made |= {f"{FOUND}{search.name}/{name}": tensor for name, tensor in state.items()}
            made[f"{FOUND}{search.name}/moment"] = torch.tensor(moment)
        return made
