"""A ticket out of the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.build import skeleton
from lotto.store import Store
from lotto.tickets.ancestry import Ancestry
from lotto.tickets.metadata import metadata
from lotto.tickets.ticket import Ticket
from lotto.training.network import Tensors, state_of
from lotto.zeroed import zeroed_in

STARTS = ("rewind", "head", "draw", "control", "construct", "sample", "init", "train")
# What is made from a ticket, and is none itself.
FROM_STARTS = ("train", "approximate")
NETWORK = ("model", "input_shape", "classes")


def from_store(store: Store, key: str, method: Mapping[str, Any] | None = None) -> Ticket:
    """The ticket that an artifact is, or was trained from. The dense network's has a mask of ones.

    Args:
        key: of a start artifact (``rewind``, ``control``, or ``init`` for the dense network) or of a trained one.
        method: how the ticket was found, for its metadata: method, criterion, branch, level, replicate.

    Raises:
        BadRequest: the artifact is of another kind, or its ancestors are gone that would tell its model.
        StageFailed: the artifact is missing or damaged.
    """
    record = store.record(key)
    # Where training moves the mask, the ticket is what it ended with: weights and mask of its last step.
    moved = record["kind"] == "train" and bool(record["fields"].get("regimen")) and "layers" in record["result"]
    start = key if moved or record["kind"] not in FROM_STARTS else record["parents"]["start"]
    kind = store.record(start)["kind"]
    if kind not in STARTS:
        raise BadRequest(
            f"The artifact {key} is of kind {kind}: a ticket is made from one of kind train, {', '.join(STARTS)}."
        )
    ancestry = Ancestry(store, key)
    if (network := ancestry.nearest("model")) is None:
        raise BadRequest(
            f"The artifact {key} cannot be exported: none of its ancestors in {store.root} tells its model."
        )
    streams = ancestry.nearest("seed")
    trained = ancestry.nearest("data")
    pruning = ancestry.nearest("criterion")
    model = skeleton(network["model"], tuple(network["input_shape"]), network["classes"])
    tensors = store.tensors(start)
    weights, mask = _in_order(tensors, model)
    parameters = dict(model.named_parameters())
    about = metadata(
        mask,
        **{name: network[name] for name in NETWORK},
        data=trained and trained["data"],
        method=method or {},
        pruning=pruning and {name: value for name, value in pruning.items() if name not in NETWORK},
        rewind_step=record["result"].get("stopped_at", record["fields"]["stop"]) if moved else ancestry.rewind_step(),
        key=key,
        start=start,
        seeds=streams and {name: streams[name] for name in ("seed", "replicate")},
        buffers=[name for name in weights if name not in parameters],
    )
    return Ticket(weights, mask, about, zeroed_in(tensors))


def _in_order(tensors: Mapping[str, Any], model: nn.Module) -> tuple[Tensors, Mask]:
    """An artifact's weights and mask, ordered as in the model: a file does not keep the order."""
    weights = {name: tensors[f"weights/{name}"] for name in state_of(model)}
    prunable = {name: weights[name] for name in kinds(model)}
    if not any(path.startswith("mask/") for path in tensors):
        return weights, Mask.ones(prunable)
    return weights, Mask({name: tensors[f"mask/{name}"] for name in prunable})
