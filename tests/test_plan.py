"""What an experiment costs, and that nothing is made twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stage import Stage

SpecOf = Callable[..., Spec]

T = 600  # steps of the digits recipe
NOTHING = frozenset[str]()


def plan_of(spec_of: SpecOf, *overrides: str) -> Plan:
    return Plan.of(spec_of(*overrides))


def owed(plan: Plan, stored: Plan | None = None) -> tuple[Counter[str], int]:
    """Kinds of the stages that ``plan`` must run where all of ``stored`` is finished, and the training steps they cost."""
    has = stored.stages if stored else NOTHING
    missing = plan.missing(lambda key: key in has)
    return Counter(stage.kind for stage in missing.values()), plan.steps(missing.values())


def stages_per_replicate(levels: int, controls: int) -> int:
    """Initialisation and dense training; then mask, ticket and its training, and every control with its own."""
    return 2 + (levels - 1) * (3 + 2 * controls)


def test_the_main_job(spec_of: SpecOf) -> None:
    plan = plan_of(spec_of)
    tickets_per_replicate = 1 + 15 * (1 + 2)
    assert len(plan.stages) == 5 * stages_per_replicate(16, 2) == 535
    assert owed(plan)[1] == 5 * tickets_per_replicate * T == 138_000
    assert len(plan.entries) == 5 * tickets_per_replicate
    assert Counter(entry.branch for entry in plan.entries) == {"ticket": 80, "reinit": 75, "shuffle": 75}


def test_parents_come_before_their_children(spec_of: SpecOf) -> None:
    seen: set[str] = set()
    for key, stage in plan_of(spec_of, "rewind.at=100it").stages.items():
        assert key == stage.key
        assert all(parent.key in seen for parent in stage.parents.values())
        seen.add(key)


def test_a_finished_plan_owes_nothing(spec_of: SpecOf) -> None:
    plan = plan_of(spec_of)
    assert owed(plan, plan) == (Counter(), 0)


BASE = ("replicates=2", "schedule.levels=4", "controls=[reinit]")


@pytest.mark.parametrize(
    ("more", "kinds", "steps"),
    [
        # a third replicate: itself alone
        (("replicates=3",), {"init": 1, "prune": 3, "rewind": 3, "control": 3, "train": 7}, 7 * T),
        # two more levels, of two replicates
        (("schedule.levels=6",), {"prune": 4, "rewind": 4, "control": 4, "train": 8}, 8 * T),
        # another control at three levels of two replicates
        (("controls=[reinit,shuffle]",), {"control": 6, "train": 6}, 6 * T),
        # two more samples of the control that is there
        (("controls.reinit.samples=3",), {"control": 12, "train": 12}, 12 * T),
        # the same of one level alone
        (("controls.reinit.samples=3", "controls.reinit.levels=[2]"), {"control": 4, "train": 4}, 4 * T),
        # another method shares initialisation, dense network and the whole first level
        (("method=one_shot",), {"prune": 4, "rewind": 4, "control": 4, "train": 8}, 8 * T),
        # another seed shares nothing
        (("seed=1",), {"init": 2, "prune": 6, "rewind": 6, "control": 6, "train": 14}, 14 * T),
        # fewer of everything cost nothing, and neither does where it runs
        (("replicates=1", "schedule.levels=2", "controls=[]"), {}, 0),
        (("hardware=cpu", "name=other", "engine=alone", "store=elsewhere"), {}, 0),
    ],
)  # fmt: skip
def test_more_costs_only_what_is_new(spec_of: SpecOf, more: tuple[str, ...], kinds: dict[str, int], steps: int) -> None:
    base = plan_of(spec_of, *BASE)
    replaced = {override.split("=")[0] for override in more}
    kept = [override for override in BASE if override.split("=")[0] not in replaced]
    assert owed(plan_of(spec_of, *kept, *more), base) == (Counter(kinds), steps)


def test_a_rewinding_point_costs_itself_and_the_remaining_steps_of_every_ticket(spec_of: SpecOf) -> None:
    base, rewound = (plan_of(spec_of, *BASE, f"rewind.at={at}it") for at in (0, 100))
    tickets = 3 * 2  # three levels, ticket and control
    # From nothing: the dense network goes on from its rewinding point.
    assert owed(rewound)[1] == 2 * (T + tickets * (T - 100))
    assert len(rewound.stages) == len(base.stages) + 2
    # Next to a finished run from step 0 the dense networks are there; the points are trained once more, 100 steps each.
    assert owed(rewound, base) == (
        Counter({"train": 2 + 2 * tickets, "prune": 4, "rewind": 6, "control": 6}),
        2 * (100 + tickets * (T - 100)),
    )
    # A second point between the first and the end goes on from the first where both are planned together.
    later = plan_of(spec_of, *BASE, "rewind.at=300it")
    both = Plan.union([rewound, later])
    assert owed(both, rewound)[1] == 2 * (200 + tickets * (T - 300))


def test_dense_network_and_rewinding_point_are_one_trajectory(spec_of: SpecOf) -> None:
    plan = plan_of(spec_of, *BASE, "rewind.at=100it")
    dense = [entry.trained for entry in plan.entries if entry.level == 0]
    for stage in dense:
        point = plan.prefix(stage)
        assert point is not None
        assert (point.fields["stop"], point.fields["resumable"], stage.fields["resumable"]) == (100, True, False)
        assert point.trajectory == stage.trajectory
        assert point.parents["start"] is not stage
        assert point.key in {need.key for need in plan.needs(stage)}
    assert all(plan.prefix(entry.trained) is None for entry in plan.entries if entry.level > 0)
    base = plan_of(spec_of, *BASE)
    assert all(base.prefix(stage) is None for stage in base.stages.values())


def test_what_finished_stages_were_made_from_is_not_made_again(spec_of: SpecOf) -> None:
    plan = plan_of(spec_of, "replicates=1", "schedule.levels=4", "controls=[]")
    trained = {entry.level: entry.trained.key for entry in plan.entries}
    # Only the rows are stored: nothing they came from is needed.
    assert plan.missing(lambda key: key in set(trained.values())) == {}
    # Level 3 is missing: its mask and ticket, and the masks and init that they are made from; no training but its own.
    kept = set(trained.values()) - {trained[3]}
    missing = plan.missing(lambda key: key in kept)
    assert Counter(stage.kind for stage in missing.values()) == {"init": 1, "prune": 3, "rewind": 1, "train": 1}
    assert plan.steps(missing.values()) == T


def test_union_makes_once_what_is_shared(spec_of: SpecOf) -> None:
    imp, one_shot = (plan_of(spec_of, *BASE, f"method={name}") for name in ("imp", "one_shot"))
    union = Plan.union([imp, one_shot])
    # Two replicates: initialisation, dense network, and the first level of five stages.
    assert len(union.stages) == 2 * len(imp.stages) - 2 * 7
    assert len(union.entries) == len(imp.entries) + len(one_shot.entries)
    assert Plan.union([imp, imp]).stages.keys() == imp.stages.keys()


def ticket(plan: Plan, level: int) -> Stage:
    return next(e.start for e in plan.entries if (e.branch, e.level, e.replicate) == ("ticket", level, 0))


def trained(plan: Plan, level: int) -> Stage:
    return next(e.trained for e in plan.entries if (e.branch, e.level, e.replicate) == ("ticket", level, 0))


def test_imp_prunes_the_level_before_and_one_shot_the_dense_network(spec_of: SpecOf) -> None:
    imp, one_shot = (plan_of(spec_of, *BASE, f"method={name}") for name in ("imp", "one_shot"))
    for level in (1, 2, 3):
        mask = ticket(imp, level).parents["mask"]
        assert mask.parents["trained"].key == trained(imp, level - 1).key
        assert mask.fields["count"] == 1
        assert ("mask" in mask.parents) == (level > 1)
        if level > 1:
            assert mask.parents["mask"].key == ticket(imp, level - 1).parents["mask"].key
        mask = ticket(one_shot, level).parents["mask"]
        assert mask.parents["trained"].key == trained(one_shot, 0).key
        assert mask.fields["count"] == level
        assert set(mask.parents) == {"trained"}


def test_tickets_go_back_to_initialisation_or_to_the_point(spec_of: SpecOf) -> None:
    start = ticket(plan_of(spec_of, *BASE), 2).parents["weights"]
    assert start.kind == "init"
    rewound = plan_of(spec_of, *BASE, "rewind.at=100it")
    point = ticket(rewound, 2).parents["weights"]
    assert (point.kind, point.fields["stop"]) == ("train", 100)
    assert trained(rewound, 2).fields["start"] == 100


@pytest.mark.parametrize(("to", "hold"), [("learning_rate", None), ("finetune", 0.1**2)])
def test_learning_rate_rewinding_and_finetuning_keep_the_trained_weights(
    spec_of: SpecOf, to: str, hold: float | None
) -> None:
    plan = plan_of(
        spec_of, *BASE, f"rewind={to}", "rewind.at=100it", "train/lr_schedule=step", "train.lr_schedule.milestones=[200it,400it]"
    )  # fmt: skip
    for level in (1, 2, 3):
        assert ticket(plan, level).parents["weights"].key == trained(plan, level - 1).key
        assert trained(plan, level).fields["start"] == 100
        assert trained(plan, level).fields["hold"] == pytest.approx(hold)
    # No rewinding point is trained that nobody goes back to.
    assert Counter(stage.kind for stage in plan.stages.values())["train"] == 2 * (1 + 3 * 2)
    assert trained(plan, 0).fields["hold"] is None


def test_following_optimizer_state_is_stored_where_it_is_followed(spec_of: SpecOf) -> None:
    back = plan_of(spec_of, *BASE, "rewind.at=100it", "rewind.optimizer=follow")
    assert ticket(back, 1).parents["weights"].fields["resumable"] is True
    assert trained(back, 0).fields["resumable"] is False
    on = plan_of(spec_of, *BASE, "rewind=learning_rate", "rewind.optimizer=follow")
    assert trained(on, 0).fields["resumable"] is True


def test_statistics_are_kept_from_the_trained_network(spec_of: SpecOf) -> None:
    kept = plan_of(spec_of, *BASE, "rewind.batch_norm=keep")
    assert ticket(kept, 2).parents["trained"].key == trained(kept, 1).key
    assert "trained" not in ticket(plan_of(spec_of, *BASE), 2).parents


def test_controls_are_made_from_the_ticket_of_their_level(spec_of: SpecOf) -> None:
    plan = plan_of(spec_of, "replicates=2", "schedule.levels=3", "controls=[shuffle,reinit]", "rewind.at=100it")
    for entry in plan.entries:
        if entry.branch == "ticket":
            continue
        own = next(
            e for e in plan.entries if (e.branch, e.level, e.replicate) == ("ticket", entry.level, entry.replicate)
        )
        assert entry.start.parents["ticket"].key == own.start.key
        assert ("weights" in entry.start.parents) == (entry.branch == "shuffle")
        assert entry.trained.parents["start"].key == entry.start.key
        differ = {name for name in own.trained.fields if own.trained.fields[name] != entry.trained.fields[name]}
        assert differ == set()


@pytest.mark.parametrize("method", ["one_shot", "imp"])
def test_masks_may_be_taken_from_an_earlier_step(method: str) -> None:
    options = (f"method={method}", "replicates=1", "schedule.levels=3", "controls=[]")
    end, early, first = (
        Plan.of(read_spec(composed([*options, *at]))) for at in ((), ("method.at=100it",), ("method.at=0",))
    )
    assert Plan.of(read_spec(composed([*options, "method.at=null"]))).stages.keys() == end.stages.keys()
    masks = [stage for stage in early.stages.values() if stage.kind == "prune"]
    assert [mask.parents["trained"].fields["stop"] for mask in masks] == [100, 100]
    assert [entry.trained.fields["stop"] for entry in early.entries] == [600, 600, 600]
    assert early.entries[0].trained.key == end.entries[0].trained.key
    # the checkpoint lies on the way of the training that is there anyhow, and weights are rewound to the start all the same
    assert early.steps(list(early.stages.values())) == end.steps(list(end.stages.values())) == 1800
    assert {stage.parents["weights"].kind for stage in early.stages.values() if stage.kind == "rewind"} == {"init"}
    (mask, *_) = [stage for stage in first.stages.values() if stage.kind == "prune"]
    assert mask.parents["trained"].kind == "init"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["method.at=600it"], "method.at=600it is step 600, not before the end of training"),
        (["method.at=soon"], "method.at=soon"),
        (["method=imp", "method.at=50it", "rewind.at=100it"], "method.at=50it lies before rewind.at"),
    ],
)
def test_a_step_that_the_training_has_not_is_refused(overrides: list[str], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        Plan.of(read_spec(composed(["schedule.levels=3", *overrides])))


def test_tickets_and_controls_may_have_a_weight_decay_of_their_own() -> None:
    plan = Plan.of(
        read_spec(
            composed(["schedule.levels=2", "controls=[reinit]", "train.weight_decay=0.1", "rewind.weight_decay=0.0"])
        )
    )
    found = {(entry.branch, entry.level): entry.trained.fields["weight_decay"] for entry in plan.entries}
    assert found == {("ticket", 0): 0.1, ("ticket", 1): 0.0, ("reinit", 1): 0.0}
    with pytest.raises(BadRequest, match=r"rewind\.weight_decay=-1 must not be negative"):
        read_spec(composed(["rewind.weight_decay=-1"]))
