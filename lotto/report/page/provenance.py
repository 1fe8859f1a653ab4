"""Where every number comes from: what the store says of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lotto.report.evidence import Evidence, data_hash, fit_of
from lotto.report.page.embed import drawn


def origins(table: pd.DataFrame, evidence: Evidence, prefix: str = "") -> dict[str, Any]:
    """The rows with their numbers and what their record says; what many rows share is held once.

    ``rows`` have ``line``, ``level``, ``replicate``, ``sample``, ``key`` and the numbers; those that are stored have also ``seed``,
    ``engine``, ``device``, ``stack`` (networks in the fit), ``finished``, ``seconds``, ``start`` (key and kind), and the places of their
    ``versions`` and ``data`` in the lists of these names.
    """
    versions: list[str] = []
    data: list[str] = []
    rows = []
    for row in table.to_dict("records"):
        found: dict[str, Any] = {
            "line": f"{prefix}{row['branch']}",
            "level": int(row["level"]),
            "replicate": int(row["replicate"]),
            "sample": int(row.get("sample", 0)),
            "key": str(row["key"]),
            "accuracy": drawn(float(row["test_accuracy"])),
            "cached": bool(row["cached"]),
        }
        record = evidence.trained.get(str(row["key"]))
        if record:
            fields, start = record["fields"], evidence.starts.get(str(row["key"]))
            found |= {
                "kind": record["kind"],
                "seed": fields.get("seed"),
                "engine": record.get("engine", ""),
                "device": record.get("device", ""),
                "stack": len(fit_of(record)),
                "finished": record.get("published", ""),
                "seconds": drawn(float(row["wall_seconds"])),
                "steps": [fields.get("start"), fields.get("stop")],
                "start": [record["parents"].get("start", ""), start["kind"] if start else ""],
                "versions": _place(", ".join(f"{k} {v}" for k, v in record["versions"].items()), versions),
                "data": _place(f"{_images(fields).get('name', '')} {data_hash(record)}", data),
            }
        rows.append(found)
    return {"rows": rows, "versions": versions, "data": data}


def _images(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the row was read on: a data set, or the points at which a function is approximated."""
    return fields.get("data") or fields.get("points") or {}


def _place(text: str, known: list[str]) -> int:
    """Where ``text`` stands among what is known, which it joins if it is new."""
    if text not in known:
        known.append(text)
    return known.index(text)
