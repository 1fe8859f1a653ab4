"""Stages ``draw``: written in terms of ``lotto.stages``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lotto.controls.origin import Start
from lotto.early_bird.draw import drawn, moment_of
from lotto.stages import Tensors, model_of, streams_of, ticket_artifact, under
from lotto.training.network import state_of


def draw_stage(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """The ticket of a moment in the middle of a training, or the whole network of that moment (``removes`` nothing)."""
    streams = streams_of(fields)
    model = model_of(fields, streams.number("draw/weights", fields["level"]))
    moment = moment_of(fields, parents["source"])
    weights = moment.weights
    if fields["weights"] == "rewound":
        weights = under(parents["weights"], "weights/")
    elif fields["weights"] == "reinit":
        weights = {name: tensor.detach().clone() for name, tensor in state_of(model).items()}
    if fields["removes"] == "nothing":
        return {f"weights/{name}": tensor for name, tensor in weights.items()}, moment.results()
    mask, zeroed, told = drawn(fields, moment, model, streams)
    tensors, results = ticket_artifact(Start(mask.apply(weights), mask), zeroed, fields, parents)
    return tensors, results | moment.results() | told
