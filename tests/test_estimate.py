"""``lotto plan`` tells how long a run will take: by the fits that the run will make, each timed on made-up images."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from lotto.ahead import Ahead, fits_ahead, interpolated
from lotto.calibration import Calibration, Case, Cost
from lotto.estimate import Estimate, Part, Span, duration, estimate_line, machine, sentence
from lotto.running.engines import Engines
from lotto.running.progress import QuietProgress
from lotto.running.runner import Runner
from lotto.spec import Spec
from lotto.store import Store
from lotto.training.regimen import Regimen, View
from tests.e2e import TINY, Shell, artifacts, steps_planned
from tests.training.lab import Lab

# A first layer of 12,800 weights, which is sparse at the last of three levels.
SPARSE_AT_LAST = (
    "model.plan=[200,12]",
    "schedule.levels=3",
    "prune.rate=0.82",
    "train.steps=6it",
    "train.evaluate_every=3it",
)
KNOWN = Cost(step=0.01, example=0.001, besides=2.0, low=0.9, high=1.2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """What is measured; every measurement comes to ``KNOWN``, and saving takes no time."""
    cases: list[Case] = []

    def measured(self: Calibration, case: Case, *given: object) -> Cost:
        cases.append(case)
        return KNOWN

    monkeypatch.setattr(Calibration, "_measured", measured)
    monkeypatch.setattr(Calibration, "saving", lambda self: 0.0)
    return cases


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def ahead(lab: Lab) -> list[Ahead]:
    store = Store(lab.folder / "store")
    engines = Engines(lab.spec.engine, "cpu", store, lambda reason: None)
    return list(fits_ahead(lab.spec, lab.plan, lab.plan.missing(store.has), store, engines))


def train(lab: Lab) -> int:
    """Run it, without a report; the steps that were taken."""
    missing = lab.plan.missing(lab.store.has)
    runner = Runner(lab.plan, missing, lab.store, lab.spec.hardware, lab.spec.engine, QuietProgress())
    assert runner.run() == {}
    return runner.steps


def line_of(lab: Lab) -> str:
    line = estimate_line(lab.spec, lab.plan, Store(lab.folder / "store"))
    assert line
    return line


# -- what would be trained together ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overrides",
    [
        ("replicates=2", "controls=[random]"),
        ("replicates=2", "engine=alone", "schedule.levels=2"),
        ("rewind.at=2it", "prune.allocation=global", "controls=[reinit]"),
        ("method=one_shot", "engine=dense"),
    ],
    ids=["stacked and sparse", "alone", "a rewinding point", "one shot"],
)
def test_the_fits_foreseen_are_those_that_a_run_makes(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    lab = Lab(tmp_path, *SPARSE_AT_LAST, *overrides)
    foreseen = ahead(lab)
    assert not (tmp_path / "store").exists()
    assert sum(fit.steps * fit.members for fit in foreseen) == train(lab)
    records = {stage.key: lab.store.record(stage.key) for fit in foreseen for stage in fit.stack.stages}
    assert len(records) == sum(stage.kind == "train" for stage in lab.plan.stages.values())
    for fit in foreseen:
        keys = [stage.key for stage in fit.stack.stages]
        for key in keys:
            record = records[key]
            assert (record["stack"], record["engine"], record["sparse"]) == (keys, fit.engine, list(fit.stack.sparse))
        first = fit.stack.stages[0]
        assert len(lab.store.metrics(first.key)) >= fit.evaluations
        layers = lab.store.record(first.parents["start"].key)["result"].get("layers", {})
        if lab.spec.rule.allocation == "layerwise":
            assert layers == fit.kept
        else:
            assert sum(count for count, _ in layers.values()) == sum(count for count, _ in fit.kept.values())


def test_what_is_damaged_is_foreseen_in_the_company_that_it_was_trained_in(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "replicates=3", "train.steps=6it")
    train(lab)
    assert ahead(lab) == []
    lost = lab.entry(1, replicate=1).trained.key
    (lab.store.folder(lost) / "tensors.safetensors").write_bytes(b"")
    (fit,) = ahead(lab)
    assert [stage.key for stage in fit.stack.stages] == lab.store.record(lab.entry(1).trained.key)["stack"]


# -- how long it takes ----------------------------------------------------------------------------------------------------------------


def test_between_two_measurements_it_is_linear_and_beyond_them_constant() -> None:
    known = {100: Cost(1.0, 0.5, 3.0, 0.5, 2.0), 200: Cost(2.0, 0.5, 1.0, 1.0, 1.0), 400: Cost(10.0, 0.5, 1.0)}
    assert interpolated(150, known) == Cost(1.5, 0.5, 2.0, 0.75, 1.5)
    assert interpolated(250, known) == Cost(4.0, 0.5, 1.0)
    assert (interpolated(100, known), interpolated(1, known)) == (known[100], known[100])
    assert (interpolated(400, known), interpolated(999, known)) == (known[400], known[400])
    assert interpolated(7, {5: known[100]}) == known[100]


def test_an_estimate_adds_up_its_fits(tmp_path: Path, asked: list[Case]) -> None:
    lab = Lab(tmp_path, *SPARSE_AT_LAST, "replicates=2")
    line = line_of(lab)
    # Each of three fits: six steps, three evaluations of 150 examples and two of 450 in the test split, and two seconds.
    varying = 3 * (6 * 0.01 + (3 * 150 + 2 * 450) * 0.001)
    assert line.startswith(f"about {6 + varying:.0f} s ({6 + 0.9 * varying:.0f} s to {6 + 1.2 * varying:.0f} s) on ")
    assert line.endswith(": levels 0\u20131 stacked 7 s, level 2 sparse 3 s")
    assert [(case.members, bool(case.kept), case.sparse) for case in asked] == [
        (2, False, ()),
        (2, True, ()),
        (2, True, ("fc_layers.0.weight",)),
    ]


def test_few_points_stand_for_many_levels_and_for_other_numbers_of_members(tmp_path: Path, asked: list[Case]) -> None:
    lab = Lab(tmp_path, *SPARSE_AT_LAST, "schedule.levels=10", "prune.rate=0.3", "replicates=2", "controls=[reinit]")
    line_of(lab)
    sparse = [case for case in asked if case.sparse]
    weights = [case.kept[case.sparse[0]][0] for case in sparse]
    assert len(asked) == 5 and weights == sorted(weights, reverse=True)
    assert {case.members for case in sparse} == {4}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (119, "119 s"),
        (120, "2.0 min"),
        (596, "9.9 min"),
        (597, "10 min"),
        (7140, "119 min"),
        (7170, "2.0 hours"),
        (90000, "25 hours"),
    ],
)
def test_a_time_is_as_exact_as_it_is_known(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_words() -> None:
    made = Estimate(
        Span(7800, 7000, 9000), (Part("stacked", (0, 1, 2, 5), 7000), Part("sparse", (3,), 59)), "2 CPU cores", 12
    )
    assert sentence(made, "calibrated in 12 s") == (
        "about 2.2 hours (117 min to 2.5 hours) on 2 CPU cores, calibrated in 12 s: "
        "levels 0\u20132 and 5 stacked 117 min, level 3 sparse 59 s"
    )


# -- what is kept ---------------------------------------------------------------------------------------------------------------------


def test_what_was_measured_is_not_measured_again(tmp_path: Path, asked: list[Case]) -> None:
    lab = Lab(tmp_path, *SPARSE_AT_LAST)
    first = line_of(lab)
    measured = len(asked)
    second = line_of(lab)
    assert len(asked) == measured == 3 and second.partition(", ")[0] == first.partition(", ")[0]
    # Another plan of the same network: what they share is known.
    longer = Lab(tmp_path, *SPARSE_AT_LAST, "train.steps=9it")
    assert ", calibrated before: " in line_of(longer) and len(asked) == measured
    # Other batches take another time, and a note that cannot be read is none.
    line_of(Lab(tmp_path, *SPARSE_AT_LAST, "train.batch_size=7"))
    assert len(asked) == 2 * measured
    for note in (tmp_path / "store" / "calibration").iterdir():
        note.write_text("{")
    assert line_of(lab).partition(", ")[0] == first.partition(", ")[0]
    assert len(asked) == 3 * measured


def test_a_store_that_cannot_be_written_to_is_no_obstacle(tmp_path: Path, asked: list[Case]) -> None:
    (tmp_path / "store").write_text("a file")
    line = line_of(Lab(tmp_path))
    assert line.startswith("about ") and (tmp_path / "store").read_text() == "a file"


# -- the verb -------------------------------------------------------------------------------------------------------------------------


def test_plan_prints_it_before_its_last_line_and_makes_nothing(shell: Shell) -> None:
    small = (*TINY, "replicates=1", "schedule.levels=2", "controls=[]", "train.steps=20it")
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    said = shell("plan", *small, "hardware.threads=1")
    assert torch.equal(random, torch.get_rng_state()) and torch.get_num_threads() == threads
    assert (said.status, said.err, steps_planned(said.out)) == (0, "", 40)
    assert said.out.splitlines()[-2].startswith("about ") and " on 1 CPU core, calibrated in " in said.out
    store = shell.folder / "outputs" / "store"
    assert not artifacts(store) and not list(store.glob("work/*"))
    assert all(json.loads(note.read_text()) for note in (store / "calibration").iterdir())
    without = shell("plan", "--no-estimate", *small)
    assert without.out.splitlines() == [*said.out.splitlines()[:-2], said.last_line]
    refused = shell("plan", "--noestimate", *small)
    assert refused.status == 2 and "--no-estimate" in refused.err


def test_the_machine_is_named_in_words_that_a_note_can_hold(spec_of: Callable[..., Spec]) -> None:
    one, other = (machine(spec_of(f"hardware.energy={asked}")) for asked in ("false", "true"))
    assert json.loads(json.dumps(one)) == one == other, "what is measured of power makes no step slower"


def test_nothing_to_run_needs_no_estimate(tmp_path: Path, asked: list[Case]) -> None:
    lab = Lab(tmp_path, "schedule.levels=1", "train.steps=4it")
    train(lab)
    assert estimate_line(lab.spec, lab.plan, lab.store) is None and not asked


@pytest.fixture
def network_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "failing_network.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Sequential):\n    def __init__(self, classes):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, classes))\n\n"
        "    def forward(self, x):\n        raise ZeroDivisionError('by\\nzero')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "model._target_=failing_network.Net"


def test_a_network_that_cannot_be_tried_out_leaves_the_plan_as_it_is(shell: Shell, network_that_fails: str) -> None:
    said = shell("plan", "model=custom", network_that_fails, "train.steps=4it", "schedule.levels=2", "controls=[]")
    assert (said.status, said.err) == (0, "")
    told, last = said.out.splitlines()[-2:]
    assert (
        told.startswith("no estimate: model._target_=failing_network.Net cannot take inputs") and last == said.last_line
    )


def test_an_engine_that_refuses_is_said_in_the_line(tmp_path: Path, asked: list[Case]) -> None:
    lab = Lab(tmp_path, "engine=stacked", "train.optimizer={_target_: torch.optim.LBFGS}")
    line = line_of(lab)
    assert line.startswith("no estimate: engine=stacked is impossible") and not asked


# -- what happens beside the optimizer's updates --------------------------------------------------------------------------------------


class Noted(Regimen):
    """Counts steps; it may end its fit."""

    steps: ClassVar[list[int]] = []

    def __init__(self, view: View, after: int | None = None) -> None:
        super().__init__(view)
        self.after = after

    def after_update(self, step: int) -> None:
        self.steps.append(step)

    @property
    def over(self) -> bool:
        return self.after is not None and self.steps[-1] >= self.after


@pytest.mark.parametrize("after", [None, 2], ids=["to the end", "over early"])
def test_a_regimen_is_timed_with_its_steps_unless_it_ends_them(tmp_path: Path, after: int | None) -> None:
    lab = Lab(tmp_path, "replicates=1", "schedule.levels=1", "controls=[]")
    (stage,) = [stage for stage in lab.plan.stages.values() if stage.kind == "train"]
    fields = {**stage.fields, "regimen": {"_target_": f"{__name__}.Noted", "after": after}}
    Noted.steps.clear()
    cost = Calibration(lab.spec, lab.store).cost(Case(fields, 1, {}, ()), None, 100, 0.05)
    assert cost.step > 0
    assert (max(Noted.steps) > 3) == (after is None)  # the first four steps only warm up
