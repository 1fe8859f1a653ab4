"""Cost in words and numbers: tiles for the whole, a row for each level."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from lotto.report.evidence import Evidence
from lotto.report.measures import weights_percent
from lotto.report.page.cost import Cost, cost
from lotto.report.page.markup import row, table, tiles

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALLER = ((1, ""), (1e-3, "m"), (1e-6, "µ"))
_WH, _GRAMS = 1000, 1000  # in a kWh, in a kg
_MINUTE, _HOUR = 60, 3600


def cost_tiles(found: Cost) -> str:
    """The whole cost at a glance."""
    shown = {
        f"training steps of {found.networks:,} networks": f"{found.steps:,}",
        f"wall time of the {found.fits:,} fits that trained them": duration(found.seconds),
        "networks in the widest fit": f"{found.widest:,}",
        f"of {found.rows:,} rows were read from the store": f"{100 * found.cached / max(found.rows, 1):.0f}%",
    }
    if found.flops is not None:
        shown["training FLOPs"] = with_prefix(found.flops)
    if found.energy_kwh is not None:
        shown[f"energy of the fits, {how_known(found)}"] = quantity(found.energy_kwh * _WH, "Wh")
    if found.co2_kg is not None:
        shown[f"carbon dioxide, {how_known(found)}"] = quantity(found.co2_kg * _GRAMS, "g")
    return tiles(shown)


def energy_words(found: Cost) -> str:
    """Energy and carbon dioxide of a run in one line; empty where they are not known."""
    if found.energy_kwh is None or found.co2_kg is None:
        return ""
    energy, carbon = quantity(found.energy_kwh * _WH, "Wh"), quantity(found.co2_kg * _GRAMS, "g")
    return f"{energy} and {carbon} of CO2 for the {found.fits:,} fits, {how_known(found)}"


def how_known(found: Cost) -> str:
    """Whether energy was measured."""
    return " and ".join(found.energy_from)


def cost_by_level(rows: pd.DataFrame, evidence: Evidence) -> str:
    """A row for each level: what its networks cost."""
    header = ["level", "density %", *cost_header(rows), *slimmed_header(rows)]
    lines = (
        row(
            [
                str(level),
                weights_percent(float(group["density"].mean())),
                *cost_cells(cost(group, evidence), rows),
                *slimmed_cells(group, rows),
            ]
        )
        for level, group in rows.groupby("level")
    )
    return table("Cost by level", header, lines)


def cost_cells(found: Cost, rows: pd.DataFrame) -> Iterator[str]:
    """The cells of one row under ``cost_header``; FLOPs and energy only where ``rows`` have them at all."""
    yield f"{found.networks:,}"
    yield f"{found.fits:,}"
    yield f"{found.steps:,}"
    yield duration(found.seconds)
    yield f"{found.steps / found.seconds:,.0f}" if found.seconds else ""
    yield " ".join(found.engines)
    yield f"{found.cached:,} of {found.rows:,}"
    if "flops_training" in rows:
        yield "" if found.flops is None else with_prefix(found.flops)
    if "energy_kwh" in rows:
        yield "" if found.energy_kwh is None else quantity(found.energy_kwh * _WH, "Wh")
        yield "" if found.co2_kg is None else quantity(found.co2_kg * _GRAMS, "g")


def cost_header(rows: pd.DataFrame) -> Iterator[str]:
    yield from ("networks", "fits", "steps", "wall time", "steps/s", "engine", "read from the store")
    if "flops_training" in rows:
        yield "training FLOPs"
    if "energy_kwh" in rows:
        yield from ("energy", "CO2")


def slimmed_header(rows: pd.DataFrame) -> Iterator[str]:
    """What is left where removed channels and branches are physically gone; only where a ticket is structured."""
    if _is_slimmed(rows):
        yield from ("slimmed parameters", "slimmed FLOPs")


def slimmed_cells(group: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    """The means of a level under ``slimmed_header``."""
    if _is_slimmed(rows):
        tickets = group["branch"] == "ticket"
        for column, words in (("weights_slimmed", lambda mean: f"{mean:,.0f}"), ("flops_slimmed", with_prefix)):
            mean = group.loc[tickets, column].astype(float).mean()
            yield "" if math.isnan(mean) else words(mean)


def _is_slimmed(rows: pd.DataFrame) -> bool:
    return "weights_slimmed" in rows and bool(rows["weights_slimmed"].notna().any())


def duration(seconds: float) -> str:
    """Seconds as one reads them: 41 s, 2 min 5 s, 3 h 12 min."""
    whole = round(seconds)
    if whole < 10:
        return f"{seconds:.2g} s"
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE} min"


def with_prefix(number: float) -> str:
    """A large number with three digits and its SI prefix."""
    for size, prefix in _PREFIXES:
        if abs(number) >= size:
            return f"{number / size:.3g} {prefix}"
    return f"{number:.3g}"


def quantity(number: float, unit: str) -> str:
    """A number of units with three digits and the SI prefix that suits it, also a small one."""
    for size, prefix in (*_PREFIXES, *_SMALLER):
        if abs(number) >= size:
            return f"{number / size:.3g} {prefix}{unit}"
    return f"{number:.3g} {unit}"
