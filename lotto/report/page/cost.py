"""What the numbers cost: steps, seconds, fits, and how much was shared."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lotto.report.evidence import Evidence, fit_of


@dataclass(frozen=True)
class Cost:
    """The cost of some rows of a table.

    Args:
        networks: distinct networks among the rows.
        steps: training steps of these, one for each network and batch.
        seconds: wall time of the fits that trained them, each fit once however many networks were stacked in it.
        fits: distinct fits.
        cached: rows that were read from the store instead of trained by the run.
        rows: all rows.
        engines: the engines that trained them.
        widest: most networks in one fit.
        flops: training FLOPs of all networks; None where they are not counted.
        energy_kwh: energy of the fits; None where it is not known.
        co2_kg: carbon dioxide of that energy.
        energy_from: how it is known: measured, estimated, or both of different fits.
    """

    networks: int
    steps: int
    seconds: float
    fits: int
    cached: int
    rows: int
    engines: tuple[str, ...]
    widest: int
    flops: float | None
    energy_kwh: float | None
    co2_kg: float | None
    energy_from: tuple[str, ...]


def cost(table: pd.DataFrame, evidence: Evidence) -> Cost:
    """What the rows of ``table`` cost; a network that several rows name counts once."""
    once = table.drop_duplicates("key")
    fits = once["key"].map(lambda key: _fit(str(key), evidence))
    by_fit = once.groupby(fits)
    widths = [len(fit_of(evidence.trained[key])) for key in once["key"] if key in evidence.trained]
    return Cost(
        networks=len(once),
        steps=int(once["train_steps"].sum()),
        seconds=float(by_fit["wall_seconds"].max().sum()),
        fits=int(fits.nunique()),
        cached=int(table["cached"].astype(bool).sum()),
        rows=len(table),
        engines=tuple(sorted({str(engine) for engine in once.get("engine", []) if engine})),
        widest=max(widths, default=1),
        flops=_total(once, "flops_training"),
        energy_kwh=_of_fits(once, fits, "energy_kwh"),
        co2_kg=_of_fits(once, fits, "co2_kg"),
        energy_from=tuple(sorted(once["energy_from"].dropna().unique())) if "energy_from" in once else (),
    )


def _fit(key: str, evidence: Evidence) -> str:
    """The name of the fit that trained a network: the first key in it; a network that is not stored is taken for a fit of its own."""
    return min(fit_of(evidence.trained[key])) if key in evidence.trained else key


def _total(rows: pd.DataFrame, column: str) -> float | None:
    return float(rows[column].sum()) if column in rows and rows[column].notna().any() else None


def _of_fits(rows: pd.DataFrame, fits: pd.Series, column: str) -> float | None:
    """Like wall time, the energy of a fit stands beside every network that was stacked in it."""
    if column not in rows or not rows[column].notna().any():
        return None
    return float(rows.groupby(fits)[column].max().sum())
