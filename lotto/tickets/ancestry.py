"""What an artifact is made from, read off the records in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lotto.store import Store


class Ancestry:
    """The records of an artifact and of what it is made from; ancestors that are no longer stored are passed over.

    Args:
        key: the artifact's; it must be stored.
    """

    def __init__(self, store: Store, key: str) -> None:
        self.store = store
        self.key = key

    def nearest(self, field: str) -> Mapping[str, Any] | None:
        """The fields of the nearest stage that has ``field``, the artifact's own first; None if none has."""
        return next((record["fields"] for record in self._records() if field in record["fields"]), None)

    def rewind_step(self) -> int | None:
        """The absolute step that training goes on from.

        None where an untrained artifact does not tell: it holds trained weights, and only the schedule is rewound.
        """
        record = self.store.record(self.key)
        if record["kind"] == "train":
            found = record["parents"].get("found")
            if found and self.store.has(found):
                return int(self.store.record(found)["result"]["found_step"])
            return int(record["fields"].get("start", 0))
        if record["kind"] == "approximate":
            record = self.store.record(record["parents"]["start"])
        while record["kind"] == "control" and self.store.has(record["parents"]["ticket"]):
            record = self.store.record(record["parents"]["ticket"])
        if record["kind"] == "init":
            return 0
        if record["kind"] == "draw":
            return int(record["result"]["found_step"])
        weights, pruned = record["parents"].get("weights"), self._pruned(record)
        if weights is None or weights == pruned or not self.store.has(weights):
            return None
        source = self.store.record(weights)
        return 0 if source["kind"] == "init" else int(source["fields"]["stop"])

    def _pruned(self, record: Mapping[str, Any]) -> str | None:
        """The key of the trained network that the ticket's mask was taken from."""
        mask = record["parents"].get("mask")
        return self.store.record(mask)["parents"].get("trained") if mask and self.store.has(mask) else None

    def _records(self) -> Iterator[dict[str, Any]]:
        """Nearest first, each once."""
        keys = [self.key]
        for key in keys:
            if self.store.has(key):
                record = self.store.record(key)
                yield record
                keys.extend(parent for parent in record["parents"].values() if parent not in keys)
