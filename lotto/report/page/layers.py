"""How dense every layer is at each level."""

from __future__ import annotations

from typing import Any

import pandas as pd

from lotto.report.evidence import Evidence
from lotto.report.page.embed import drawn


def layer_densities(table: pd.DataFrame, evidence: Evidence, prefix: str = "") -> dict[str, Any] | None:
    """The layers in the order of the network with the mean number of weights that each line keeps at each level.

    None where no masks are stored. Level 0 is dense by definition: its artifacts have no mask.
    """
    order = evidence.layer_order()
    if not order:
        return None
    totals: dict[str, int] = {}
    kept: dict[str, dict[str, list[float | int | None]]] = {}
    for (branch, level), rows in table.groupby(["branch", "level"]):
        counted = [found for key in rows["key"] if (found := evidence.layers(key))]
        for found in counted:
            totals.update({name: total for name, (_, total) in found.items()})
        if counted:
            mean = pd.DataFrame([{name: count for name, (count, _) in found.items()} for found in counted]).mean()
            kept.setdefault(f"{prefix}{branch}", {})[str(level)] = [drawn(float(mean[name])) for name in order]
    for branch in table.loc[table["level"] == 0, "branch"].unique():
        kept.setdefault(f"{prefix}{branch}", {}).setdefault("0", [totals[name] for name in order])
    return {"names": list(order), "totals": [totals[name] for name in order], "kept": kept}
