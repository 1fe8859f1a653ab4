"""The whole step as one CUDA graph: a GPU is faster than Python can ask it to work.

Inputs are copied to where the graph reads them and the learning rate lies in a tensor, so that one graph serves all steps of one shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lotto.training.optimizer import CAPTURABLE
from lotto.training.step import Step

# Steps taken before a graph is captured: libraries and optimizer state are made in them.
WARM_UP = 3


class Captured:
    """Takes steps on a GPU: the first ones and those of another shape one operation at a time, the others from the graph."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._beside = torch.cuda.Stream()
        self._taken = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._outputs: tuple[Tensor, Tensor] | None = None

    def take(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """As ``Step.take``."""
        if self._taken < WARM_UP:
            self._taken += 1
            return self._take_beside(x, y)
        if self._graph is None and self._step.network.capturable:
            self._capture(x, y)
        if self._graph is None or self._inputs is None or self._outputs is None or x.shape != self._inputs[0].shape:
            return self._step.take(x, y)
        for held, given in zip(self._inputs, (x, y), strict=True):
            held.copy_(given)
        self._graph.replay()
        return self._outputs[0].clone(), self._outputs[1].clone()

    def _take_beside(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        # Capturing needs gradients that were never accumulated on the main stream.
        self._beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._beside):
            taken = self._step.take(x, y)
        torch.cuda.current_stream().wait_stream(self._beside)
        return taken

    def _capture(self, x: Tensor, y: Tensor) -> None:
        self._inputs = x.clone(), y.clone()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = self._step.take(*self._inputs)


def may_capture(optimizer: type, device: torch.device, wanted: bool) -> bool:
    """Whether the step of ``optimizer`` can be held by a graph on ``device``, and is to be."""
    return wanted and device.type == "cuda" and optimizer in CAPTURABLE
