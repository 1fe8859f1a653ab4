"""Dropout in a stack: each replicate draws from its own stream, the same numbers as if it were trained alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lotto.seeds import Streams
from lotto.training.physical import physically


class Noise:
    """The random numbers of R replicates' layers at one step."""

    # How many dimensions of the input, from the first, are drawn for; None is all of them.
    FUNCTIONS: dict[Callable[..., Tensor], int | None] = {  # noqa: RUF012 - a constant
        F.dropout: None,
        F.dropout1d: 2,
        F.dropout2d: 2,
        F.dropout3d: 2,
    }

    def __init__(self, streams: Sequence[Streams]) -> None:
        self._streams = list(streams)
        self._generators: list[torch.Generator] = []
        self._step = 0
        self.draws = False  # whether anything was ever drawn

    def begin(self, step: int) -> None:
        """The step that is drawn for from here on; its streams are made when something draws."""
        self._step, self._generators = step, []

    def dropout(self, function: Any, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """``function`` under vmap, on one replicate's ``[B, ...]``: PyTorch's own formula, drawn replicate by replicate."""
        if not training or p == 0:
            return x
        self.draws = True
        drawn_for = self.FUNCTIONS[function]
        return physically(lambda whole, shared: self._dropped(whole, p, drawn_for), x, x)

    def _dropped(self, x: Tensor, p: float, drawn_for: int | None) -> Tensor:
        """x ``[R, B, ...]`` times noise that is 0 with probability p and 1 / (1 - p) else."""
        if not self._generators:
            self._generators = [
                torch.Generator(x.device).manual_seed(stream.number("layers", self._step)) for stream in self._streams
            ]
        own = x.shape[1:]
        shape = own if drawn_for is None else (*own[:drawn_for], *[1] * (len(own) - drawn_for))
        if p == 1:
            return x * 0.0
        kept = [torch.empty(shape, dtype=x.dtype, device=x.device) for _ in self._streams]
        for tensor, generator in zip(kept, self._generators, strict=True):
            tensor.bernoulli_(1 - p, generator=generator)
        return x * torch.stack(kept).div_(1 - p)
