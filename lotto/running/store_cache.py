"""Decoded images as an artifact of the store."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lotto.stage import Stage
from lotto.store import Store
from lotto.versions import versions


class StoreCache:
    """Keeps decoded images under the key of a ``data`` stage; see ``lotto.data.cache.DataCache``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, key_fields: dict[str, Any]) -> dict[str, Tensor] | None:
        key = Stage("data", key_fields).key
        return self._store.tensors(key) if self._store.verify(key) else None

    def save(self, key_fields: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        stage = Stage("data", key_fields)
        self._store.publish(stage.key, {**stage.description, "result": {}, "versions": versions()}, tensors)
