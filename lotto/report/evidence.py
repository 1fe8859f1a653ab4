"""What the store holds about the rows of a table: how they were trained, along which curves, from which mask."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from lotto.stage import canonical
from lotto.store import TENSORS, Store

if TYPE_CHECKING:
    import numpy as np

SHORT_HASH = 16


@dataclass(frozen=True)
class Evidence:
    """The records behind the rows of a table of results.

    Args:
        store: where the rows' keys lead.
        trained: ``stage.json`` of every row's trained network, by the row's key; a row that is not stored is left out.
        starts: ``stage.json`` of what that network was trained from, by the same key.
    """

    store: Store
    trained: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    starts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, table: pd.DataFrame, store: Store) -> Evidence:
        """The records that the keys of ``table`` lead to; rows whose artifacts are gone have none."""
        trained = {key: store.record(key) for key in dict.fromkeys(table["key"]) if store.has(key)}
        starts = {
            key: store.record(start)
            for key, record in trained.items()
            if (start := record["parents"].get("start")) and store.has(start)
        }
        return cls(store, trained, starts)

    def curves(self, table: pd.DataFrame, prefix: str = "") -> pd.DataFrame:
        """The evaluations during training of every row: its ``line`` (the branch behind ``prefix``), ``level`` and ``replicate``, the
        ``step``, and whatever was measured there (losses in nats, accuracies as fractions).
        """
        rows = [
            {"line": f"{prefix}{row.branch}", "level": row.level, "replicate": row.replicate, **evaluation}
            for row in table.drop_duplicates("key").itertuples()
            if row.key in self.trained
            for evaluation in self.store.metrics(str(row.key))
        ]
        return pd.DataFrame(rows)

    def layers(self, key: str) -> dict[str, tuple[int, int]]:
        """Weights kept and weights in all of every masked layer that the row started with; empty for a dense network."""
        if key not in self.starts:
            return {}
        start = self.starts[key]
        counted = start.get("result", {}).get("layers")
        if counted is not None:
            return {name: (int(kept), int(total)) for name, (kept, total) in counted.items()}
        return {name: (int(mask.sum()), mask.size) for name, mask in self._masks(str(start["key"]))}

    def mask(self, key: str, layer: str) -> np.ndarray | None:
        """The mask of ``layer`` (uint8, the shape of its weight) that the row started with; None where it has none."""
        if key not in self.starts:
            return None
        return next((mask for _, mask in self._masks(str(self.starts[key]["key"]), layer)), None)

    def layer_order(self) -> tuple[str, ...]:
        """The prunable layers as they follow each other in the network; by name where its class cannot be made here."""
        fields: Mapping[str, Any] = next((record["fields"] for record in self.trained.values()), {})
        names = {name for key in self.starts for name in self.layers(key)}
        if not names:
            return ()
        from lotto.errors import LottoError
        from lotto.models.anatomy import kinds
        from lotto.models.build import skeleton

        try:
            model = skeleton(fields["model"], tuple(fields["input_shape"]), fields["classes"])
        except (LottoError, KeyError):
            return tuple(sorted(names, key=_naturally))
        return tuple(name for name in kinds(model) if name in names)

    def input_shape(self) -> tuple[int, ...]:
        """Channels, height and width of what the networks see; empty where nothing is stored."""
        return next((tuple(record["fields"].get("input_shape", ())) for record in self.trained.values()), ())

    def _masks(self, key: str, only: str | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """The masks in an artifact, without reading anything else of it."""
        from safetensors import safe_open

        with safe_open(self.store.folder(key) / TENSORS, framework="numpy") as file:
            for name in sorted(file.keys()):
                layer = name.removeprefix("mask/")
                if name.startswith("mask/") and only in (None, layer):
                    yield layer, file.get_tensor(name)


def data_hash(record: Mapping[str, Any]) -> str:
    """The first digits of the SHA-256 of the data's identity, as it enters the keys of what was trained on them."""
    return hashlib.sha256(canonical(record["fields"].get("data", record["fields"].get("points"))).encode()).hexdigest()[
        :SHORT_HASH
    ]


def fit_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of the networks that were trained in one fit with this one, itself among them."""
    return tuple(record.get("stack") or (record["key"],))


def _naturally(name: str) -> list[tuple[int, str]]:
    """A name's order in which ``layer10`` comes behind ``layer9``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
