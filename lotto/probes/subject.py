"""What a probe is given, and the form of what it gives back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from lotto.data.interface import Data
from lotto.errors import StageFailed
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.seeds import Streams

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class State:
    """One network: parameters and persistent buffers by name, on the subject's device, and its mask (None if dense).

    ``step`` is the last one that it has been trained for, ``curve`` what was measured on the way there: the rows of ``metrics.jsonl``,
    each with its ``step``. Of what has not been trained they are None and empty.
    """

    weights: Tensors
    mask: Mask | None
    step: int | None = None
    curve: Sequence[Mapping[str, float | None]] = ()


@dataclass(frozen=True)
class Subject:
    """What a probe looks at.

    Args:
        networks: by the role that each plays, in the order of the roles.
        module: makes the plain module, on the device and in evaluation mode; its own weights mean nothing.
        streams: of the replicate, for what the probe draws.
        device: where weights and batches are.
    """

    networks: Mapping[str, State]
    module: Callable[[], nn.Module]
    streams: Streams
    device: torch.device
    _data: Data | None = None

    def network(self, role: str) -> State:
        """The network that plays ``role``.

        Raises:
            StageFailed: the probe's configuration names none.
        """
        if role not in self.networks:
            raise StageFailed(
                f"This probe looks at the network {role}: its configuration gives {', '.join(self.networks) or 'none'}."
            )
        return self.networks[role]

    @cached_property
    def prunable(self) -> tuple[str, ...]:
        """The names of the prunable weights, in registration order."""
        return tuple(kinds(self.module()))

    def mask(self, state: State) -> Mask:
        """What remains of a network, in registration order: of a dense one every prunable weight."""
        if state.mask is None:
            return Mask.ones({name: state.weights[name] for name in self.prunable})
        return Mask({name: state.mask[name] for name in self.prunable})

    def along(self) -> Iterator[tuple[int | None, State]]:
        """The networks at the steps that ``steps`` names, in their order, and the trained one: each behind its step."""
        steps = sorted(
            int(role.removeprefix("step")) for role in self.networks if role.startswith("step") and role[4:].isdigit()
        )
        for step in steps:
            yield step, self.networks[f"step{step}"]
        trained = self.network("trained")
        yield trained.step, trained

    def pairs(self, roles: Sequence[str] | None = None) -> Iterator[tuple[str, str, str]]:
        """Every two of ``roles``, of all if None, in their order, behind what the pair is called: copies by their numbers.

        Raises:
            StageFailed: there are not two of them.
        """
        roles = tuple(self.networks) if roles is None else roles
        if len(roles) < 2:
            raise StageFailed(f"This probe compares networks: its configuration gives {', '.join(roles) or 'none'}.")
        for first, second in combinations(roles, 2):
            yield f"{first.removeprefix('copy')}-{second.removeprefix('copy')}", first, second

    def batches(
        self, split: str, examples: int | None = None, batch_size: int = 1000
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The first ``examples`` (None for all) of ``train``, ``validation`` or ``test``, in order and without augmentation.

        Yields:
            x float32 ``[B, C, H, W]`` and y int64 ``[B]``, on the device.
        """
        left = self.size(split, examples)
        for x, y in self.data.evaluation_batches(split, batch_size):
            if left <= 0:
                return
            yield x[:left], y[:left]
            left -= len(y)

    def size(self, split: str, examples: int | None = None) -> int:
        """How many examples ``batches`` comes to."""
        whole = self.data.sizes[split]
        return whole if examples is None else min(examples, whole)

    @property
    def data(self) -> Data:
        if self._data is None:
            raise StageFailed("This probe reads data: its configuration must say data: true.")
        return self._data


@dataclass
class Numbers:
    """What a probe found, a row each."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, measure: str, value: float, *, layer: str = "", pair: str = "", x: float | None = None) -> None:
        """Note one number.

        Args:
            layer: the parameter it is about; empty for the whole network.
            pair: the two networks it is about, if it is about two of several.
            x: where on a curve it lies: a position between two networks, a confidence, ….
        """
        row: dict[str, Any] = {"measure": measure, "value": float(value) if math.isfinite(value) else None}
        self.rows.append(
            row
            | ({"layer": layer} if layer else {})
            | ({"pair": pair} if pair else {})
            | ({} if x is None else {"x": x})
        )
