"""``probes.csv``: one row for every number that a probe read. A pure function of the plan and the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lotto.plan import Plan
from lotto.results import result_row
from lotto.spec import Spec
from lotto.store import Store

if TYPE_CHECKING:
    import pandas as pd

MEANING = {
    "experiment": "name of the experiment",
    "method": "how the ticket was found",
    "criterion": "score by which weights were kept",
    "branch": "ticket, or the name of the control",
    "replicate": "index of the replicate; of a pair the first",
    "level": "number of prunings; level 0 is the dense network",
    "density": "weights_remaining / weights_total",
    "sample": "index of the control's draw",
    "probe": "name of the probe",
    "measure": "what was read",
    "layer": "the parameter it is about; empty for the whole network",
    "pair": "the two networks it is about, where it is about two of several: numbers of copies, or of replicates",
    "x": "where on a curve it lies, such as the position between two networks",
    "value": "the number; empty where it was not finite",
    "key": "key of the probe's artifact in the store",
}
"""What each column means, in the order of the file."""

_OF_THE_ROW = ("experiment", "method", "criterion", "branch", "replicate", "level", "density", "sample")


def probes_table(spec: Spec, plan: Plan, store: Store) -> pd.DataFrame:
    """The columns of ``MEANING`` for all that is stored of the plan's readings, in their order."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for reading in plan.readings:
        key = reading.stage.key
        # The ticket itself may be damaged and owed again while the probe is still there.
        if store.has(key) and store.has(reading.entry.trained.key):
            row = result_row(spec, reading.entry, store.record(reading.entry.trained.key))
            place = {name: row[name] for name in _OF_THE_ROW} | {"probe": reading.probe}
            rows += [place | _number(number, reading.pair) | {"key": key} for number in store.metrics(key)]
    # Where no number has a place on a curve the column would hold no numbers, and tables put together could not be searched by it.
    return pd.DataFrame(rows, columns=list(MEANING)).astype({"x": float})


def _number(number: dict[str, Any], pair: str) -> dict[str, Any]:
    return {
        "measure": number["measure"],
        "layer": number.get("layer", ""),
        "pair": " ".join(filter(None, (pair, number.get("pair")))),
        "x": number.get("x"),
        "value": number["value"],
    }
