"""The part of ``report.md`` on searches by several copies: how far these agree, round by round."""

from __future__ import annotations

import pandas as pd

_COLUMNS = {
    "density": "weights left",
    "sparsity_pruned": "pruned, of what is pruned at all",
    "sparsity_weights": "pruned, of all with normalisation",
    "overlap_survival": "kept by all copies, of the weights before",
    "overlap_iou": "kept by all, of those kept by any",
}


def overlap_section(table: pd.DataFrame) -> list[str]:
    """Heading and table of the tickets that are an overlap, means over replicates in percent; nothing if there are none."""
    if "overlap_survival" not in table:
        return []
    found = table[(table["branch"] == "ticket") & table["overlap_survival"].notna()]
    if found.empty:
        return []
    rows = ["| level | n | " + " | ".join(_COLUMNS.values()) + " |", "| ---: " * (len(_COLUMNS) + 2) + "|"]
    for level, group in found.groupby("level"):
        cells = [f"{100 * group[column].astype(float).mean():.2f}%" for column in _COLUMNS]
        rows.append(f"| {level} | {len(group)} | " + " | ".join(cells) + " |")
    return ["## What the copies have in common", "\n".join(rows)]
