"""Mean and spread over replicates, per branch and level."""

from __future__ import annotations

import pandas as pd

from lotto.report.branches import TICKET, in_order
from lotto.report.intervals import t_half_width
from lotto.report.measures import MEASURES

SHAPE = ["density", "weights_remaining", "weights_total"]


def by_replicate(table: pd.DataFrame, column: str) -> pd.Series:
    """``column`` with one value per branch, level and replicate, which are its index.

    A control drawn several times in a replicate is averaged there first: its draws share a mask and are not
    independent, so only replicates count towards n.
    """
    return table.groupby(["branch", "level", "replicate"])[column].mean()


def level_densities(table: pd.DataFrame) -> pd.Series:
    """The mean density of every level, which is its index: of the tickets where there are any, since a control may be dense."""
    tickets = table[table["branch"] == TICKET].groupby("level")["density"].mean()
    return tickets.combine_first(table.groupby("level")["density"].mean())


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """One row per branch and level, in the order in which reports show them.

    Columns: ``branch``, ``level``, ``n`` (replicates), ``runs`` (rows: more than n where a control is drawn several
    times), the means of ``density``, ``weights_remaining`` and ``weights_total``, and for each measure ``<measure>_n``
    (replicates it is known for), ``_mean``, ``_sd``, ``_min``, ``_max`` and the ends ``_low`` and ``_high`` of the mean's
    95% t interval. Replicates whose densities differ slightly are averaged by level. A single replicate has neither
    spread nor interval: they are NaN.
    """
    groups = table.groupby(["branch", "level"])
    summary = groups[SHAPE].mean()
    summary.insert(0, "n", groups["replicate"].nunique())
    summary.insert(1, "runs", groups.size())
    for column in MEASURES:
        spread = by_replicate(table, column).groupby(["branch", "level"])
        n, mean, sd = spread.count(), spread.mean(), spread.std(ddof=1)
        half = t_half_width(sd, n)
        for suffix, values in {
            "n": n,
            "mean": mean,
            "sd": sd,
            "min": spread.min(),
            "max": spread.max(),
            "low": mean - half,
            "high": mean + half,
        }.items():
            summary[f"{column}_{suffix}"] = values
    order = in_order(table["branch"])
    return summary.reset_index().sort_values(
        ["branch", "level"],
        key=lambda keys: keys.map(order.index) if keys.name == "branch" else keys,
        ignore_index=True,
    )
