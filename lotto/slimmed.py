"""What is left of a structured ticket once its removed channels and branches are physically gone: columns of the results table."""

from __future__ import annotations

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.estimate import Notes
from lotto.spec import Spec
from lotto.store import Store

NOTHING: dict[str, float | None] = {"weights_slimmed": None, "flops_slimmed": None}


def slimmed_columns(spec: Spec, entry: Entry, store: Store) -> dict[str, float | None]:
    """All parameters of the smaller network, biases and normalisations too, and the FLOPs of one example's forward pass through it.

    Counted once for every ticket, and noted in the store; None for a ticket that is not structured, or that cannot be followed.
    """
    if not store.has(entry.start.key) or not store.record(entry.start.key)["result"].get("structured"):
        return NOTHING
    notes, name = Notes(store), {"slimmed": entry.start.key}
    found = notes.find(name)
    if found is None:
        found = _counted(spec, entry, store)
        notes.keep(name, found)
    return {column: found[column] for column in NOTHING}


def _counted(spec: Spec, entry: Entry, store: Store) -> dict[str, float | None]:
    from lotto.models.build import skeleton
    from lotto.stages import mask_in
    from lotto.training.slim import smaller_counts
    from lotto.zeroed import pinned, zeroed_in

    tensors = store.tensors(entry.start.key)
    shape = spec.data.input_shape
    model = skeleton(spec.model, shape, spec.data.classes)
    try:
        weights, flops = smaller_counts(model, shape, pinned(mask_in(tensors), zeroed_in(tensors)))
    except BadRequest:
        return NOTHING
    return {"weights_slimmed": weights, "flops_slimmed": flops}
