"""Sweeps as files: axes, points that make no sense, bad input, and what points share."""

from __future__ import annotations

from pathlib import Path

import pytest

from lotto.errors import BadRequest
from lotto.sweep.definition import Sweep, names
from lotto.sweep.planned import PlannedSweep
from tests.e2e import TINY


def sweep(folder: Path, text: str) -> Sweep:
    path = folder / "mine.yaml"
    path.write_text(text)
    return Sweep.read(str(path))


@pytest.mark.parametrize("name", names())
def test_every_sweep_of_the_repository_plans(name: str) -> None:
    planned = PlannedSweep.of(Sweep.read(name))
    assert planned.sweep.title and planned.plan.entries and planned.steps_together <= planned.steps_apart
    trains = any(stage.kind == "train" for stage in planned.plan.stages.values())
    assert (planned.steps_together > 0) == trains  # a construction trains nothing
    for point in planned.points:
        assert point.plan.stages.keys() <= planned.plan.stages.keys()


def test_there_is_a_sweep_for_every_question() -> None:
    assert {"rewinding", "criteria", "one_shot", "lr_warmup", "controls"} <= set(names())


def test_points_are_all_combinations_but_those_that_make_no_sense(tmp_path: Path) -> None:
    made = sweep(
        tmp_path,
        """\
# What it shows
overrides: [replicates=2]
axes:
  method: [imp, one_shot]
  rewind.at: [0, 20it, 40it]
  train: [{name: slow, train.lr: 0.001, train.warmup: 10it}, {name: fast, train.lr: 0.01}]
skip:
  - {method: one_shot, rewind.at: [20it, 40it]}
""",
    )
    points = made.points(["seed=3"])
    assert made.title == "What it shows" and len(points) == 8
    assert dict(points[0].values) == {"method": "imp", "rewind.at": "0", "train": "slow"}
    assert points[0].overrides == (
        "replicates=2", "method=imp", "rewind.at=0", "train.lr=0.001", "train.warmup=10it", "seed=3",
    )  # fmt: skip
    assert [str(point) for point in points if point.values["method"] == "one_shot"] == [
        "method=one_shot, rewind.at=0, train=slow",
        "method=one_shot, rewind.at=0, train=fast",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("axes: {seed: [0, 1]}\nmore: 1", "more is no part of a sweep"),
        ("overrides: []", "it has no axes"),
        ("axes: {seed: 3}", "axes.seed=3 is not a list of values"),
        ("axes: {seed: []}", r"axes.seed=\[\] is not a list of values"),
        ("axes: {criterion: [{name: one, seed: 0}]}", "axes.criterion has the name of a column"),
        ("axes: {seed: [0]}\nskip: [{method: imp}]", "is not a mapping of axes"),
        ("axes: {seed: [0]}\nskip: [{seed: 1}]", "skip.seed=1 is not on the axis: 0"),
        ("axes: {seed: [0]}\nreport: {x: lr}", "report names lr: choose from density, branch, seed"),
        ("axes: {seed: [0]}\nreport: {y: lr}", "may say x, lines and measures"),
        ("axes: {seed: [0", "cannot be read as YAML"),
        ("axes: {seed: [0]}\noverrides: seed=1", "is not a list of words"),
    ],
)
def test_what_is_no_sweep_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence) as refused:
        sweep(tmp_path, text)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("axes: {rewind.at: [0, 90it]}", "rewind.at=90it"),
        ("axes: {modle: [lenet]}", "modle is no setting of lotto"),
        ("axes: {engine: [alone, stacked]}", "engine is no axis"),
        ("axes: {hardware.precision: ['32', '64']}", "hardware is no axis"),
        ("axes: {seed: [0]}\nskip: [{seed: 0}]", "has no point"),
    ],
)
def test_a_wrong_point_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        PlannedSweep.of(sweep(tmp_path, text), TINY)


def test_an_unknown_sweep_is_answered_with_what_is_near() -> None:
    with pytest.raises(BadRequest, match=r"rewindign is no sweep.*rewinding"):
        Sweep.read("rewindign")


def test_one_shot_at_eight_densities_shares_nearly_half(tmp_path: Path) -> None:
    made = sweep(
        tmp_path,
        """\
axes:
  rewind.at: [0, 100it, 250it, 500it]
  schedule.densities: [[0.8], [0.5], [0.3], [0.2], [0.1], [0.05], [0.02], [0.01]]
  seed: [0, 1, 2]
overrides: [method=one_shot, schedule=densities, "controls=[]", replicates=1, train.steps=10000it]
""",
    )
    planned = PlannedSweep.of(made)
    assert len(planned.points) == 96
    # Every point: the dense network and a ticket from its rewinding point on. Together: the dense network once for each seed.
    rewound = sum(10_000 - k for k in (0, 100, 250, 500)) * 8 * 3
    assert planned.steps_apart == 96 * 10_000 + rewound and planned.steps_together == 3 * 10_000 + rewound
    assert planned.steps_together / planned.steps_apart <= 0.55


def test_three_iterative_searches_share_their_dense_networks(tmp_path: Path) -> None:
    made = sweep(
        tmp_path,
        """\
axes:
  search:
    - {name: layerwise}
    - {name: global, prune.allocation: global, prune.rate: 0.2}
    - {name: slowly, prune.allocation: global, prune.rate: 0.1}
  rewind.at: [0, 100it, 250it, 500it]
overrides: ["controls=[]", replicates=1, train.steps=10000it, schedule.levels=8]
""",
    )
    planned = PlannedSweep.of(made)
    assert 0.86 < planned.steps_together / planned.steps_apart < 0.90


def test_what_is_added_later_costs_itself_alone(tmp_path: Path) -> None:
    text = "axes: {{schedule.densities: {}}}\noverrides: [method=one_shot, schedule=densities, {}]"
    base = PlannedSweep.of(sweep(tmp_path, text.format("[[0.5], [0.2]]", "'controls=[]', replicates=2")), TINY[:3])
    density = PlannedSweep.of(
        sweep(tmp_path, text.format("[[0.5], [0.2], [0.1]]", "'controls=[]', replicates=2")), TINY[:3]
    )
    replicate = PlannedSweep.of(sweep(tmp_path, text.format("[[0.5], [0.2]]", "'controls=[]', replicates=3")), TINY[:3])
    control = PlannedSweep.of(
        sweep(tmp_path, text.format("[[0.5], [0.2]]", "'controls=[reinit]', replicates=2")), TINY[:3]
    )
    new = [planned.steps_together - base.steps_together for planned in (density, replicate, control)]
    assert new == [2 * 60, 3 * 60, 2 * 2 * 60]
