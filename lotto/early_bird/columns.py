"""Columns of the results table for tickets that are drawn while the dense network trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lotto.entry import Entry
from lotto.flops import Flops, examples
from lotto.passes import STATIC
from lotto.spec import Spec
from lotto.store import Store

if TYPE_CHECKING:
    import pandas as pd

_WHOLE_NUMBERS = ("found_epoch", "found_step")


def with_drawn(
    spec: Spec, entries: Iterable[Entry], rows: Iterable[dict[str, Any]], store: Store, flops: Flops | None
) -> list[dict[str, Any]]:
    """The rows with ``found_epoch``, ``found_step`` and ``flops_whole``; as they are where nothing was drawn.

    ``flops_whole`` is what it costs to come to the trained ticket: the dense training until it was drawn, and its own, of the slimmed
    network where it was slimmed. Of the dense network it is its training.
    """
    entries, rows = list(entries), list(rows)
    drawn = [_drawn(entry, store) for entry in entries]
    if not any(drawn):
        return rows
    made = []
    for entry, row, found in zip(entries, rows, drawn, strict=True):
        own: dict[str, Any] = {name: found.get(name) for name in _WHOLE_NUMBERS}
        if flops is not None and entry.level == 0:
            own["flops_whole"] = row["flops_training"]
        elif flops is not None and found:
            own["flops_whole"] = _whole(spec, entry, row, found["found_step"], flops)
        made.append(row | own)
    return made


def whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Epochs and steps as whole numbers, also where some rows have none."""
    return table.astype({name: "Int64" for name in _WHOLE_NUMBERS if name in table})


def _drawn(entry: Entry, store: Store) -> Mapping[str, Any]:
    """What the record of the ticket says, or of the ticket that a control is for; empty unless it was drawn."""
    drawn = entry.start.parents["ticket"] if entry.start.kind == "control" else entry.start
    if drawn.kind != "draw" or not store.has(drawn.key):
        return {}
    result: Mapping[str, Any] = store.record(drawn.key)["result"]
    return result


def _whole(spec: Spec, entry: Entry, row: Mapping[str, Any], found: int, flops: Flops) -> float:
    first, stop = entry.trained.fields["start"], entry.trained.fields["stop"]
    if "found" in entry.trained.parents:
        first = found
    own = row.get("flops_slimmed") or row["flops_inference"]
    dense = flops.inference({})
    searched = STATIC.flops(dense, dense) * examples(spec, 0, found)
    return searched + STATIC.flops(own, dense) * examples(spec, first, stop)
