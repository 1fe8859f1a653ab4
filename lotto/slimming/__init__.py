"""Physical slimming: the smaller network behind a structured ticket, with equal output.

What others build on:

- ``slim(model, mask)``: for users; a plain module.
- ``gone_with(model, input_shape, mask)``: ``zeroed``, all that has to be zero beside the mask's own zeros once channels or whole branches
  are removed: biases, the scales and shifts of normalisations, weights that read nothing any more. A stage that makes a structured mask
  stores it as ``zeroed/NAME`` beside ``mask/NAME`` (``lotto.zeroed``); rewinding, controls and training hold it at zero from there on, and
  the engine ``slim`` trains the network without it. It is no part of a density.
- ``slimmed(model, input_shape, zeros)``: the smaller network, with maps that gather its tensors from whole ones and write them back.

A mask removes a channel by pruning all weights that make it (a row), and a residual branch by pruning all weights of its last convolution,
or of all of them: what was computed for it alone goes with it.
"""

from __future__ import annotations

from lotto.slimming.api import gone_with, shape_of_input, slim, zero_with_
from lotto.slimming.surgery import Slimming, slimmed

__all__ = ["Slimming", "gone_with", "shape_of_input", "slim", "slimmed", "zero_with_"]
