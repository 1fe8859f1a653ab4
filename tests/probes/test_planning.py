"""Which stages probes add to a plan, and what they share."""

from __future__ import annotations

from collections import Counter

from lotto.compose import composed, read_spec
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
