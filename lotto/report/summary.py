"""Mean and spread over replicates, per branch and level."""

from __future__ import annotations

import pandas as pd

from lotto.report.branches import in_order
from lotto.report.measures import MEASURES

SHAPE = ["density", "weights_remaining", "weights_total"]


def by_replicate(table: pd.DataFrame, column: str) -> pd.Series:
    """``column`` with one value per branch, level and replicate, which are its index.

    A control drawn several times in a replicate is averaged there first: its draws share a mask and are not
    independent, so only replicates count towards n.
    """
    return table.groupby(["branch", "level", "replicate"])[column].mean()


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row per branch and level, in the order in which reports show them.

    Columns: ``branch``, ``level``, ``n`` (replicates), ``runs`` (rows: more than n where a control is drawn several
    times), the means of ``density``, ``weights_remaining`` and ``weights_total``, and for each measure ``<measure>_n``
    (replicates it is known for), ``_mean``, ``_sd``, ``_min`` and ``_max``. Replicates whose densities differ slightly
    are averaged by level. A single replicate has no spread: its sd is NaN.
    """
    groups = table.groupby(["branch", "level"])
    summary = groups[SHAPE].mean()
    summary.insert(0, "n", groups["replicate"].nunique())
    summary.insert(1, "runs", groups.size())
    for column in MEASURES:
        spread = by_replicate(table, column).groupby(["branch", "level"])
        for suffix, values in {
            "n": spread.count(),
            "mean": spread.mean(),
            "sd": spread.std(ddof=1),
            "min": spread.min(),
            "max": spread.max(),
        }.items():
            summary[f"{column}_{suffix}"] = values
    order = in_order(table["branch"])
    return summary.reset_index().sort_values(
        ["branch", "level"],
        key=lambda keys: keys.map(order.index) if keys.name == "branch" else keys,
        ignore_index=True,
    )
