"""The jobs of a multirun train to each other's points on their way."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.waypoints import keep_waypoints, read_waypoints
from tests.e2e import TINY, Shell, steps_planned

pytestmark = pytest.mark.usefixtures("without_figures")


def specs(folder: Path, *more: str) -> list[Spec]:
    return [
        read_spec(composed([*TINY, f"store={folder}", f"rewind.at={at}", *more]))
        for at in ("0", "45it", "15it", "30it")
    ]


def test_whoever_comes_first_the_steps_are_those_of_one_plan(tmp_path: Path) -> None:
    name = keep_waypoints(specs(tmp_path))
    plans = [Plan.of(spec) for spec in specs(tmp_path, f"+waypoints={name}")]
    together = Plan.union(Plan.of(spec) for spec in specs(tmp_path))
    for order in itertools.permutations(plans):
        stored: set[str] = set()
        steps = 0
        for plan in order:
            missing = plan.missing(stored.__contains__)
            steps += plan.steps(missing.values())
            stored |= missing.keys()
        assert steps == together.steps(together.stages.values())
        assert together.stages.keys() <= stored


def test_a_waypoint_is_the_stage_that_the_other_job_asks_for(tmp_path: Path) -> None:
    first, second, *_ = specs(tmp_path)
    waypoints = read_waypoints(first.store, keep_waypoints([first, second]))
    passing = Plan.of(first).passing(waypoints)
    new = passing.stages.keys() - Plan.of(first).stages.keys()
    assert len(new) == first.replicates and new <= Plan.of(second).stages.keys()
    assert [entry.trained.key for entry in passing.entries] == [entry.trained.key for entry in Plan.of(first).entries]
    order = list(passing.stages)
    for key in new:
        assert all(order.index(parent.key) < order.index(key) for parent in passing.stages[key].parents.values())


def test_nothing_is_noted_where_no_job_has_a_use_for_it(tmp_path: Path) -> None:
    one = specs(tmp_path)[1]
    assert keep_waypoints([one, one]) is None
    assert not (tmp_path / "waypoints").exists()
    assert read_waypoints(str(tmp_path), "gone") == {}


def test_a_multirun_trains_the_steps_of_its_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, monkeypatch, capfd)
    axes = ["-m", "rewind.at=0,30it", "seed=0,1", *TINY]
    planned = steps_planned(shell("plan", *axes, "--no-estimate").out)
    ran = shell(*axes)
    assert ran.status == 0
    said = re.findall(r"^([\d,]+) training steps run in", ran.out, re.MULTILINE)
    assert len(said) == 4 and sum(int(steps.replace(",", "")) for steps in said) == planned
    assert steps_planned(shell("plan", *axes, "--no-estimate").out) == 0
