"""Which stages probes add to a plan, and what they share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.stage import Stage

BASE = ("replicates=2", "schedule.levels=3", "controls=[reinit]", "train.steps=60it", "train.evaluate_every=20it")


def planned(*overrides: str) -> Plan:
    return Plan.of(read_spec(composed([*BASE, *overrides])))


def added(*overrides: str) -> list[Stage]:
    """The stages that the last override's probes add."""
    without = planned(*overrides[:-1])
    return [stage for key, stage in planned(*overrides).stages.items() if key not in without.stages]


def test_no_probe_leaves_every_key_as_it_is() -> None:
    plan = planned("probes=[interpolation]")
    assert planned().stages.keys() < plan.stages.keys()
    assert [entry.trained.key for entry in plan.entries] == [entry.trained.key for entry in planned().entries]


def test_copies_start_where_the_ticket_does_and_differ_in_their_noise_alone() -> None:
    plan = planned("probes=[interpolation]")
    for reading in plan.readings:
        copies = list(reading.stage.parents.values())
        assert list(reading.stage.parents) == ["copy1", "copy2", "copy3"]
        assert {copy.parents["start"].key for copy in copies} == {reading.entry.start.key}
        expected = [{**reading.entry.trained.fields, "noise": noise} for noise in (1, 2, 3)]
        assert [dict(copy.fields) for copy in copies] == expected
    # three levels of two replicates, three copies each; the controls have none
    assert Counter(stage.kind for stage in added("probes=[interpolation]")) == {"train": 18, "probe": 6}
    assert plan.steps(plan.stages.values()) - planned().steps(planned().stages.values()) == 18 * 60


def test_copies_of_the_dense_network_begin_at_the_rewinding_point_without_optimizer_state() -> None:
    new = added("rewind.at=20it", "probes=[interpolation]")
    points = [stage for stage in new if stage.kind == "rewind"]
    assert len(points) == 2
    assert all(set(point.parents) == {"weights"} and "optimizer_state" in point.fields for point in points)
    dense = [s for s in new if s.kind == "train" and s.parents["start"].key in {point.key for point in points}]
    assert sorted(stage.fields["noise"] for stage in dense) == [1, 1, 2, 2, 3, 3]
    assert {(stage.fields["start"], stage.fields["stop"]) for stage in dense} == {(20, 60)}


def test_levels_and_branches_choose_the_rows() -> None:
    plan = planned("probes=[evaluate]", "probes.evaluate.levels=[2]", "probes.evaluate.branches=[ticket,reinit]")
    assert {(reading.entry.branch, reading.entry.level) for reading in plan.readings} == {("ticket", 2), ("reinit", 2)}
    assert [reading.stage.parents["trained"].key for reading in plan.readings] == [
        reading.entry.trained.key for reading in plan.readings
    ]


def test_a_probe_reads_again_when_an_option_changes_and_trains_nothing_anew() -> None:
    first = planned("probes=[interpolation]", "probes.interpolation.points=5")
    second = planned("probes=[interpolation]", "probes.interpolation.points=7")
    new = [stage for key, stage in second.stages.items() if key not in first.stages]
    assert {stage.kind for stage in new} == {"probe"}


def test_a_missing_probe_needs_its_networks_and_a_stored_one_nothing() -> None:
    plan = planned("probes=[evaluate]")
    stored = {key for key, stage in plan.stages.items() if stage.kind != "probe"}
    assert {stage.kind for stage in plan.missing(stored.__contains__).values()} == {"probe"}
    assert not plan.missing(plan.stages.__contains__)


def test_a_union_holds_the_readings_of_all() -> None:
    one, other = planned("probes=[evaluate]"), planned("seed=1", "probes=[evaluate]")
    whole = Plan.union([one, other])
    assert len(whole.readings) == len(one.readings) + len(other.readings)
    assert whole.stages.keys() == one.stages.keys() | other.stages.keys()


def keys(plan: Plan, roles: tuple[str, str], **asked: object) -> list[tuple[str, str]]:
    """The networks of a plan's readings in these roles, of rows with these values."""
    rows = [
        reading
        for reading in plan.readings
        if all(getattr(reading.entry, name) == value for name, value in asked.items())
    ]
    return [tuple(reading.stage.parents[role].key for role in roles) for reading in rows]  # type: ignore[misc]


def test_networks_of_other_levels_are_those_of_the_same_branch_and_replicate() -> None:
    beside = ("probes=[overlap]", "probes.overlap.across=false", "probes.overlap.branches=[ticket,reinit]")
    trained = {
        (entry.branch, entry.level, entry.replicate): entry.trained.key
        for entry in planned("schedule.levels=4").entries
    }

    plan = planned("schedule.levels=4", *beside, "probes.overlap.networks=[trained,previous]")
    for reading in plan.readings:
        entry = reading.entry
        before = (entry.branch if entry.level > 1 else "ticket", entry.level - 1, entry.replicate)
        assert reading.stage.parents["previous"].key == trained[before]
    # Of the dense network there is none before it; the control of level 1 comes after the dense network too.
    assert sorted({(reading.entry.branch, reading.entry.level) for reading in plan.readings}) == [
        (branch, level) for branch in ("reinit", "ticket") for level in (1, 2, 3)
    ]

    plan = planned("schedule.levels=4", *beside, "probes.overlap.networks=[trained,level2]")
    assert keys(plan, ("trained", "level2"), branch="reinit", level=3) == [
        (trained["reinit", 3, replicate], trained["reinit", 2, replicate]) for replicate in (0, 1)
    ]
    assert not keys(plan, ("trained", "level2"), level=2), "a ticket is not compared with itself"
    assert keys(plan, ("trained", "level2"), branch="ticket", level=0) == [
        (trained["ticket", 0, replicate], trained["ticket", 2, replicate]) for replicate in (0, 1)
    ]


def test_ticket_files_are_told_by_their_content(tmp_path: Path) -> None:
    def files(*paths: Path) -> Plan:
        named = ",".join(map(str, paths))
        return planned("probes=[overlap]", "probes.overlap.across=false", f"probes.overlap.files=[{named}]")

    for name, content in (("a", b"one"), ("b", b"two"), ("same", b"one")):
        (tmp_path / name).write_bytes(content)
    a, b, same = (tmp_path / name for name in ("a", "b", "same"))
    plan = files(a, b)
    assert {tuple(reading.stage.parents) for reading in plan.readings} == {("trained", "file1", "file2")}
    assert files(a).readings[0].stage.key == files(same).readings[0].stage.key != files(b).readings[0].stage.key
    with pytest.raises(BadRequest, match=r"probes\.overlap\.files=.*nowhere cannot be read"):
        files(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "probes.overlap.networks=[trained,level3]",
            r"probes\.overlap\.networks names level 3, and schedule\.levels=3 has 0 to 2",
        ),
        (
            "probes.overlap.networks=[trained,previuos]",
            r"networks=previuos is unknown: choose from .*did you mean previous",
        ),
        ("probes.overlap.files=[x]", r"probes\.overlap\.files=\['x'\] is impossible where replicates are compared"),
    ],
)
def test_networks_that_there_are_not_are_refused(override: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        planned("probes=[overlap]", override)
