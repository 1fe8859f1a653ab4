"""The files of ``sweeps/<paper>/``: every one is found here, composes at its scales, and claims nothing that its plan does not hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lotto.ahead import forecast_kept
from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.report.columns import read_csv
from lotto.reproduce.claim import MARKS, Claim
from lotto.reproduce.differs import differences
from lotto.reproduce.figure import PAPER, SCALES, Figure, figures
from lotto.reproduce.quantity import SAME_DENSITY
from lotto.spec import Spec
from lotto.sweep.definition import Point, called
from lotto.sweep.planned import PlannedPoint, PlannedSweep
from tests.e2e import Shell

EVERY = figures()
# A file for each of them, some of them one a network.
OF_THE_PAPERS = {
    "frankle2019": ("fig1", "fig3", "fig4", "fig4c", "fig5", "fig7", "fig8", "f3", "f4", "f7"),
    "stabilizing": ("fig3", "fig4", "fig5", "late_resetting"),
    "lmc": ("fig2", "fig3", "fig5", "fig9"),
    "renda": ("iterative", "one_shot", "rewinding_point", "deeper"),
    "early_bird2020": ("table", "emergence", "existence", "imagenet"),
    "worm2024": ("detection",),
    "snip2019": ("lenet",),
    "grasp2020": ("cifar",),
    "tanaka2020": ("cifar10", "cifar100", "tiny_imagenet"),
    "frankle2021": ("accuracy", "sanity"),
    "gmp2017": ("imagenet",),
    "rigl2020": ("cifar10", "imagenet"),
    "itop2021": ("imagenet",),
    "colt": ("rounds", "transfer"),
    "jackpots2021": ("table1", "imagenet"),
    "layer_tickets": ("at_init", "rewinding", "savings"),
    "ramanujan2020": ("imagenet",),
    "zhou2019": ("criteria", "learned", "learned_conv"),
    "burkholz2022": ("subset_sums", "universal"),
    "grokking": ("contrasts", "curves"),
}


@cache
def figure(name: str) -> Figure:
    return Figure.read(name)


@cache
def spec_at(*overrides: str) -> Spec:
    return read_spec(composed(overrides))


class Nothing:
    """A store in which nothing is."""

    def has(self, key: str) -> bool:
        return False


@cache
def plan_at(*overrides: str) -> Plan:
    """Of one replicate."""
    return Plan.of(dataclasses.replace(spec_at(*overrides), replicates=1, probes=()))


@cache
def densities(*overrides: str) -> list[float]:
    """Of every level of one replicate, from counts alone, or as the schedule asks for it where training decides."""
    plan, schedule = plan_at(*overrides), spec_at(*overrides).schedule
    kept = forecast_kept(plan, Nothing())  # type: ignore[arg-type]
    found = {0: 1.0}
    for entry in plan.entries:
        if entry.branch == "ticket" and entry.level > 0:
            counts = kept[entry.start.key].values()
            asked = getattr(schedule.target(entry.level, 0), "value", math.nan)
            found[entry.level] = sum(n for n, _ in counts) / sum(total for _, total in counts) if counts else asked
    return [found[level] for level in sorted(found)]


def points(name: str, scale: str) -> list[Point]:
    sweep, overrides = figure(name).at(scale)
    return sweep.points(overrides)


def ends(name: str, scale: str) -> list[Point]:
    """The first and the last point; of the smallest scale every value of every axis: to compose all points takes minutes."""
    made = points(name, scale)
    if scale != "smoke":
        return [made[0], made[-1]]
    seen: set[tuple[str, str]] = set()
    chosen = []
    for point in made:
        if set(point.values.items()) - seen:
            seen |= set(point.values.items())
            chosen.append(point)
    return chosen


def test_nothing_of_the_papers_is_missing() -> None:
    for paper, wanted in OF_THE_PAPERS.items():
        own = [name.partition("/")[2] for name in EVERY if name.startswith(f"{paper}/")]
        for one in wanted:
            assert one in own or any(name.startswith(f"{one}_") for name in own), f"{paper}/{one}"


@pytest.mark.parametrize("name", EVERY)
def test_every_scale_of_a_figure_composes(name: str) -> None:
    made = figure(name)
    assert {"smoke", PAPER} <= set(made.scales) <= set(SCALES)
    assert made.title and made.paper and made.claims
    for scale in made.scales:
        for point in ends(name, scale):
            spec = spec_at(*point.overrides)
            if scale == "smoke":
                assert spec.data.identity["name"] in ("digits", "cube")  # nothing to fetch
                assert spec.replicates >= 2


@pytest.mark.parametrize("name", EVERY)
def test_the_paper_differs_from_nothing(name: str) -> None:
    sweep, overrides = figure(name).at(PAPER)
    assert not overrides and sweep.axes == figure(name).sweep.axes
    (point, *_) = sweep.points()
    spec = dataclasses.replace(spec_at(*point.overrides), replicates=1)
    planned = PlannedSweep(sweep, (PlannedPoint(point, spec, Plan(), "paper"),), (), Path(), ())
    assert differences(planned, planned) == []


def levels(point: Point, selection: Mapping[str, Any]) -> list[int]:
    """The levels of a plan that a claim speaks of."""
    if "level" in selection:
        return [selection["level"]]
    wanted = selection.get("density", [0.0, 1.0])
    low, high = wanted if isinstance(wanted, list) else (wanted, wanted)
    return [
        level
        for level, density in enumerate(densities(*point.overrides))
        if low * SAME_DENSITY <= density <= high / SAME_DENSITY
    ]


def sides(claim: Claim) -> Iterator[Mapping[str, Any]]:
    yield claim.of
    if claim.against is not None:
        yield claim.against


def first_of(name: str, selection: Mapping[str, Any]) -> Point:
    """The first of the points that a selection chooses; where they rewind to changes neither levels nor branches nor probes."""
    axes = figure(name).sweep.axes
    wanted = {axis: called(value) for axis, value in selection.items() if axis in axes}
    for axis, value in wanted.items():
        assert value in map(called, axes[axis]), f"{axis} has no {value}"
    wanted = {axis: value for axis, value in wanted.items() if not only_rewinds(axis, axes[axis])}
    return next(p for p in points(name, PAPER) if all(p.values[axis] == value for axis, value in wanted.items()))


def only_rewinds(axis: str, values: Sequence[Any]) -> bool:
    settings = [set(value) - {"name"} if isinstance(value, Mapping) else {axis} for value in values]
    return all(one == {"rewind.at"} for one in settings)


@pytest.mark.parametrize("name", EVERY)
def test_claims_speak_of_what_the_papers_size_holds(name: str) -> None:
    for claim in figure(name).claims:
        assert claim.mark in MARKS and claim.tolerance, claim.name
        for selection in sides(claim):
            point = first_of(name, selection)
            spec = spec_at(*point.overrides)
            branch = selection.get("branch", "ticket")
            rows = {(entry.branch, entry.level) for entry in plan_at(*point.overrides).entries}
            held = [level for level in levels(point, selection) if (branch, level) in rows]
            assert held, f"{claim.name}: no level of {branch} at {selection.get('density')}"
            probe, _, read = claim.measure.partition("@")[0].rpartition(".")
            if probe:
                (own,) = [own for own in spec.probes if own.name == probe]
                assert own.branches is None or branch in own.branches, claim.name
                assert any(own.levels is None or level in own.levels for level in held), claim.name
                assert read


def test_a_figure_is_made_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, monkeypatch, capfd)
    said = shell(
        "reproduce", "lmc/fig2_cifar", "--scale=smoke", "train.steps=20it", "train.lr_schedule.milestones=[10it,15it]"
    )
    assert said.status == 0, said.err
    (folder,) = (shell.folder / "outputs/reproduce/lmc/fig2_cifar").iterdir()
    claims = read_csv(folder / "claims.csv").set_index("name")
    assert claims.loc["error half way, VGG-16", "verdict"] == "not testable at this scale"
    probes = pd.read_csv(folder / "probes.csv")
    middle = probes[(probes["measure"] == "test_error") & ((probes["x"] - 0.5).abs() < 0.5 / 29 + 1e-9)]
    by_hand = middle.groupby("replicate")["value"].mean().mean()
    assert claims["measured"]["error half way, ResNet-20"] == pytest.approx(by_hand)
    assert set(probes["pair"]) == {"1-2", "1-3", "2-3"}
