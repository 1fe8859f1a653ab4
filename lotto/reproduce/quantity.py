"""The number of a claim as it is measured here, one value for every replicate. A pure function of the tables and the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lotto.report.intervals import ROUNDING, t_half_width
from lotto.report.measures import weights_percent
from lotto.reproduce.claim import Claim
from lotto.sweep.curves import number
from lotto.sweep.definition import called
from lotto.sweep.run import axis_column

# Two densities are one level where they differ by less than this factor: half of a round that removes a tenth.
SAME_DENSITY = 0.9**0.5
DENSE = 1.0


class NotMeasuredError(Exception):
    """Why a claim's number cannot be had from what was run."""


@dataclass(frozen=True)
class Measured:
    """A number measured here.

    Args:
        value: the mean over replicates; None where there is nothing to measure, and then ``reason`` says why.
        low: of the 95% t interval, NaN for fewer than two replicates.
        where: the level that was looked at, where the claim leaves it open.
    """

    value: float | None
    sd: float = math.nan
    low: float = math.nan
    high: float = math.nan
    least: float = math.nan
    most: float = math.nan
    n: int = 0
    where: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Tables:
    """What claims are measured on.

    Args:
        results: the contract's columns with the axes of the points.
        probes: likewise, of the probes.
        curve: the evaluations of a trained artifact, by its key.
    """

    results: pd.DataFrame
    probes: pd.DataFrame
    curve: Callable[[str], Sequence[Mapping[str, Any]]]


def measured(claim: Claim, tables: Tables) -> Measured:
    """The claim's own quantity, over the replicates that both of its sides have."""
    try:
        rows = _values(claim.measure, tables)
        of = _picked(_chosen(rows, claim.of), claim)
        against = None if claim.against is None else _picked(_chosen(rows, claim.against), claim)
        if claim.measure == "early_stop_step" and all(_never_stopped(side, tables) for side in (of, against)):
            raise NotMeasuredError("the validation loss still falls at the last step")
        if claim.kind == "from":
            return _from(claim, of, against)
        if claim.kind == "down_to":
            assert against is not None
            return _down_to(of, against, claim.margin)
        values, density = _per_replicate(claim, of, against)
    except NotMeasuredError as reason:
        return Measured(None, reason=str(reason))
    ranges = _is_range(claim.of) or (claim.against is not None and _is_range(claim.against))
    where = f"at {weights_percent(density)}% of the weights" if density is not None and ranges else ""
    return _summary(values, where, claim.average)


def _never_stopped(rows: pd.DataFrame | None, tables: Tables) -> bool:
    """Whether every early stop is the last step: training was too short to see one."""
    if rows is None:
        return True
    last = rows["key"].map(lambda key: tables.curve(str(key))[-1]["step"])
    return bool((rows["early_stop_step"] == last).all())


def _summary(values: pd.Series, where: str, average: str) -> Measured:
    n, sd = len(values), float(values.std(ddof=1))
    least, most = float(values.min()), float(values.max())
    if average == "median":
        # A t interval is one of the mean.
        where = "; ".join(filter(None, ("median", where)))
        return Measured(float(values.median()), sd, least=least, most=most, n=n, where=where)
    mean, half = float(values.mean()), float(t_half_width(sd, n))
    return Measured(mean, sd, mean - half, mean + half, least, most, n, where)


def _per_replicate(claim: Claim, of: pd.DataFrame, against: pd.DataFrame | None) -> tuple[pd.Series, float | None]:
    """The quantity by replicate, and the density of the level that it is about."""
    compared = _compared(claim.kind, of, against)
    levels = compared.groupby("density")["value"].mean()
    density: float | None = None
    if claim.kind == "density" and len(levels) > 1 and levels.max() - levels.min() <= ROUNDING:
        raise NotMeasuredError("all levels are alike")
    if len(levels) > 1 and claim.over != "mean":
        place = levels.argmax() if claim.over == "best" else levels.argmin()
        density = float(levels.index.to_numpy()[place])
        compared = compared.loc[compared["density"] == density]
    elif len(levels) == 1:
        density = float(levels.index.to_numpy()[0])
    if claim.kind == "density":
        assert density is not None
        return compared.groupby("replicate")["density"].mean(), density
    return compared.groupby("replicate")["value"].mean(), density


def _compared(kind: str, of: pd.DataFrame, against: pd.DataFrame | None) -> pd.DataFrame:
    """``of``, less or over ``against`` of the same replicate: at the same level if both have several, else at each of those of one.

    Two ways to find tickets may have several levels each and few or none in common (what copies agree on has no density of its own
    choosing): the other side is then read on the line between its two nearest levels, over the logarithm of the density, and nowhere
    beyond them.
    """
    own: pd.DataFrame = of.groupby(["replicate", "density"])[["value"]].mean().reset_index()
    if against is None:
        return own
    levels = against["density"].nunique()
    by = ["replicate", "density"] if levels > 1 else ["replicate"]
    other = against.groupby(by)["value"].mean().rename("other")
    if levels > 1 and own["density"].nunique() == 1:
        joined = own[["replicate", "value"]].merge(other.reset_index(), on="replicate")
    else:
        ours, theirs = set(own["density"]), set(against["density"])
        if levels == 1 or ours <= theirs or theirs <= ours:
            joined = own.join(other, on=by, how="inner")
        else:
            joined = own.assign(other=_between(own, other.reset_index())).dropna()
    if joined.empty:
        raise NotMeasuredError("no replicate has both sides of the comparison")
    # A density is compared as what ``over`` chooses by: the gain of each level.
    value = joined["value"] / joined["other"] if kind == "ratio" else joined["value"] - joined["other"]
    return joined.assign(value=value)


def _between(own: pd.DataFrame, other: pd.DataFrame) -> list[float]:
    """At the densities of ``own``, the ``other`` side of its replicate on the line between the levels beside; NaN outside of them."""
    found = []
    for replicate, density in zip(own["replicate"], own["density"], strict=True):
        line = other[other["replicate"] == replicate].sort_values("density")
        if line.empty:
            found.append(math.nan)
            continue
        places = np.log(line["density"].to_numpy(float))
        found.append(float(np.interp(math.log(density), places, line["other"], left=math.nan, right=math.nan)))
    return found


def _down_to(of: pd.DataFrame, against: pd.DataFrame, margin: float) -> Measured:
    """The smallest density down to which the mean of every level is at least that of the other side, less the margin."""
    compared = _compared("difference", of, against)
    values = compared.pivot_table(index="replicate", columns="density", values="value")
    reached = _smallest(values.mean(), margin)
    own = [min(_smallest(row.dropna(), margin), DENSE) for _, row in values.iterrows()]
    if math.isinf(reached):
        where = "no level reaches it"
    else:
        where = "the sparsest level trained" if reached <= float(values.columns.to_numpy().min()) + ROUNDING else ""
    return Measured(min(reached, DENSE), n=len(values), least=min(own), most=max(own), where=where)


def _from(claim: Claim, of: pd.DataFrame, against: pd.DataFrame | None) -> Measured:
    """The smallest value of the axis from which on every mean is low enough, or not too far below that of the other side."""
    assert claim.along is not None
    of = of.assign(at=of[axis_column(claim.along)].map(number))
    if of["density"].nunique() > 1:
        raise NotMeasuredError("along an axis one level is looked at, and these are several")
    values = of.pivot_table(index="replicate", columns="at", values="value")
    if against is not None:
        values = values.sub(against.groupby("replicate")["value"].mean(), axis=0).dropna(how="all")
    if values.empty:
        raise NotMeasuredError("no replicate has both sides of the comparison")
    # What is to be at most the margin is to be, with its sign turned, at least the margin below zero.
    excess = -values if against is None else values
    reached = _smallest(excess.mean(), claim.margin)
    own = [_smallest(row.dropna(), claim.margin) for _, row in excess.iterrows()]
    earlier = [place for place in map(float, values.columns) if place < reached]
    where = f"not yet at {max(earlier):g}" if earlier else "the smallest value tried"
    if math.isinf(reached):
        where = "no value reaches it"
    return Measured(reached, n=len(values), least=min(own), most=max(own), where=where)


def _smallest(differences: pd.Series, margin: float) -> float:
    """Of differences by density or place, the smallest place with none below -margin from it on; infinity if there is none."""
    reached = math.inf
    for place in sorted(differences.index, reverse=True):
        if differences[place] < -margin - ROUNDING:
            break
        reached = float(place)
    return reached


# -- rows -------------------------------------------------------------------------------------------------------------------------------


def _values(measure: str, tables: Tables) -> pd.DataFrame:
    """The rows that have the measure, with it in the column ``value``."""
    name, _, fraction = measure.partition("@")
    if fraction:
        return _along(name, float(fraction), tables)
    if measure in tables.results:
        return tables.results.assign(value=tables.results[measure].astype(float))
    probe, _, read = measure.rpartition(".")
    found = tables.probes[(tables.probes["probe"] == probe) & (tables.probes["measure"] == read)]
    if found.empty:
        raise NotMeasuredError(f"nothing was read by the probe {probe}" if probe else f"the results have no {measure}")
    return found.assign(value=found["value"].astype(float))


def _along(measure: str, fraction: float, tables: Tables) -> pd.DataFrame:
    """The measure at the last evaluation up to a fraction of training."""

    def value(row: pd.Series) -> float:
        curve = tables.curve(str(row["key"]))
        first = curve[-1]["step"] - row["train_steps"]
        seen = [point for point in curve if point["step"] <= first + fraction * row["train_steps"] and measure in point]
        return float(seen[-1][measure]) if seen else math.nan

    if tables.results.empty:
        raise NotMeasuredError("nothing was trained")
    return tables.results.assign(value=tables.results.apply(value, axis=1))


def _chosen(rows: pd.DataFrame, selection: Mapping[str, Any]) -> pd.DataFrame:
    """The rows that a claim speaks of."""
    selection = {"branch": "ticket", **({"layer": ""} if "layer" in rows else {}), **selection}
    for name, wanted in selection.items():
        if name == "density":
            near = rows[_near(rows["density"], wanted)]
            if near.empty:
                raise NotMeasuredError(_no_level(wanted, rows))
            rows = near
            continue
        column = name if name in rows else axis_column(name)
        if column not in rows:
            raise NotMeasuredError(f"{name}={called(wanted)} was not run")
        rows = rows[_are(rows[column], wanted, nearest=name == "x")]
        if rows.empty:
            raise NotMeasuredError(f"no row has {name} {called(wanted)}")
    rows = rows[np.isfinite(rows["value"])]
    if rows.empty:
        raise NotMeasuredError("it was not measured there")
    # Replicates and branches whose masks differ by a weight are one level.
    mean = rows.groupby("level")["density"].transform("mean") if _is_range(selection) else rows["density"].mean()
    return rows.assign(
        density=pd.Series(mean, index=rows.index).map(lambda density: float(f"{density:.3g}")), replicate=_unit(rows)
    )


def _are(column: pd.Series, wanted: Any, nearest: bool) -> pd.Series:
    """Which values are ``wanted``, as numbers or as a sweep calls them."""
    if not pd.api.types.is_numeric_dtype(column):
        return column.map(str) == called(wanted)
    if nearest:
        distance = (column - wanted).abs()
        return distance <= distance.min() + ROUNDING
    return column == wanted


def _picked(rows: pd.DataFrame, claim: Claim) -> pd.DataFrame:
    """Of the axis that the claim picks a value of, at every density that at which the mean of ``by`` is greatest."""
    if claim.pick is None:
        return rows
    axis, by = axis_column(claim.pick[0]), claim.pick[1]
    if by not in rows or rows[by].isna().all():
        raise NotMeasuredError(f"there is no {by} to choose by")
    means = rows.assign(by=rows[by].astype(float)).groupby(["density", axis])["by"].mean()
    best = means.groupby("density").idxmax()
    return rows[[(density, value) in set(best) for density, value in zip(rows["density"], rows[axis], strict=True)]]


def _unit(rows: pd.DataFrame) -> pd.Series:
    """What counts towards n: a replicate, of every seed if there are several."""
    seeds = axis_column("seed")
    return rows[seeds].astype(str) + "/" + rows["replicate"].astype(str) if seeds in rows else rows["replicate"]


def _near(densities: pd.Series, wanted: Any) -> pd.Series:
    if isinstance(wanted, list):
        low, high = map(float, wanted)
        return (densities >= low * SAME_DENSITY) & (densities <= high / SAME_DENSITY)
    distance = np.log(densities / float(wanted)).abs()
    return (distance < -math.log(SAME_DENSITY)) & (distance <= distance.min() + 0.01)


def _no_level(wanted: Any, rows: pd.DataFrame) -> str:
    """Of the branch that is asked for: a control may end before its tickets do."""
    reached = f"the levels end at {weights_percent(rows['density'].min())}%" if len(rows) else "nothing was trained"
    asked = " to ".join(weights_percent(float(one)) for one in (wanted if isinstance(wanted, list) else [wanted]))
    return f"no level lies at {asked}% of the weights ({reached})"


def _is_range(selection: Mapping[str, Any]) -> bool:
    return isinstance(selection.get("density"), list)
