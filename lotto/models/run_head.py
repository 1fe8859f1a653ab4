"""Running a head stage: a network's body, with its mask, under another head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lotto.controls.origin import Start
from lotto.models.head import head_names, with_head
from lotto.stages import Tensors, mask_of, model_of, streams_of, ticket_artifact, under
from lotto.training.network import state_of
from lotto.zeroed import zeroed_in


def run_head(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """The weights of ``body``, with its mask if it has one, and the head of ``weights``.

    Args:
        fields: of the stage: the network that comes out, seed and replicate.
        parents: ``body``; of a trained one what it has ``begun`` from, for the mask; and ``weights``, whose head it gets and whose
            optimizer state follows if it is to. Without weights the head is drawn from the replicate's stream ``head``.
    """
    model = model_of(fields, streams_of(fields).number("head"))
    drawn = {name: tensor.detach() for name, tensor in state_of(model).items()}
    head = under(parents["weights"], "weights/") if "weights" in parents else drawn
    mask = mask_of(parents["body"], parents.get("begun", {}))
    weights, mask = with_head(model, under(parents["body"], "weights/"), head, mask)
    zeroed = {n: zero for n, zero in zeroed_in(parents["body"]).items() if n not in head_names(model)}
    if mask is None:
        return {f"weights/{name}": tensor for name, tensor in weights.items()}, {}
    return ticket_artifact(Start(weights, mask), zeroed, fields, parents)
