"""The part of ``report.md`` on searches by several copies: how far these agree round by round, and how many rounds fewer it takes."""

from __future__ import annotations

import pandas as pd

from lotto.report.measures import NO_SPREAD as NEVER

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
    heads = ["level", "n", "rounds of iterative pruning to as few weights", *_COLUMNS.values()]
    rows = ["| " + " | ".join(heads) + " |", "| ---: " * len(heads) + "|"]
    for level, group in found.groupby("level"):
        cells = [f"{100 * group[column].astype(float).mean():.2f}%" for column in _COLUMNS]
        rows.append(f"| {level} | {len(group)} | {_alone(group)} | " + " | ".join(cells) + " |")
    return ["## What the copies have in common", "\n".join(rows)]


def _alone(group: pd.DataFrame) -> str:
    """The rounds of iterative pruning: the least and the most of the replicates'; a dash where it never comes to as few weights."""
    found = sorted({NEVER if pd.isna(value) else f"{int(value)}" for value in group["rounds_alone"]}, key=_number)
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _number(rounds: str) -> float:
    return float("inf") if rounds == NEVER else float(rounds)
