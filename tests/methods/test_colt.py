"""COLT: what its stages are made from, and what comes out of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from lotto.data.part import Part
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.experiment import summary_line
from lotto.limit import Limit
from lotto.mask import Mask
from lotto.methods.colt import parts_of
from lotto.parts import overlap
from lotto.plan import Plan
from lotto.pruning.allocate import Layer, Rule
from lotto.recipe import Recipe
from lotto.rounds import rounds_alone
from lotto.schedule import Densities, Geometric, Removal
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.stages import mask_in, run_stage, under
from lotto.store import Store
from lotto.training.train import Tensors
from tests.e2e import steps_planned
from tests.training.lab import Lab, untimed

SMALL = (
    "method=colt",
    "model=resnet20",
    "model.depth=8",
    "model.width=4",
    "model.init.batchnorm=uniform",
    "train.batch_size=100",
    "train.steps=30it",
    "train.evaluate_every=30it",
    "train/optimizer=sgd",
    "train.lr=0.1",
    "train.weight_decay=0.01",
    "prune.allocation=global",
    "prune.rate=0.15",
    "prune.exclude=[dense,output]",
    "replicates=2",
    "schedule.levels=4",
    "controls=[]",
)

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Three rounds of two copies on a residual network with batch normalisation, run."""
    made = Lab(tmp_path_factory.mktemp("colt"), base=SMALL)
    outcome = made.run()
    assert outcome.failed == ()
    return made


def tickets(plan: Plan, replicate: int = 0) -> list[Entry]:
    return [entry for entry in plan.entries if entry.branch == "ticket" and entry.replicate == replicate]


def overlap_of(entry: Entry) -> Stage:
    assert entry.noted is not None and entry.noted.kind == "overlap"
    return entry.noted


def copies_of(common: Stage) -> list[Stage]:
    return [parent for role, parent in common.parents.items() if role.startswith("mask")]


def mask_of(lab: Lab, stage: Stage) -> Mask:
    found = mask_in(lab.store.tensors(stage.key))
    assert found is not None
    return found


def weights_of(lab: Lab, stage: Stage) -> Tensors:
    return under(lab.store.tensors(stage.key), "weights/")


# -- the plan ---------------------------------------------------------------------------------------------------------------------------


def plan_of(spec_of: Callable[..., Spec], *overrides: str) -> Plan:
    return Plan.of(spec_of(*overrides))


@pytest.mark.parametrize("rewind", ["rewind.at=0", "rewind.at=100", "rewind=finetune", "rewind=learning_rate"])
@pytest.mark.parametrize("schedule", ["schedule=geometric", "schedule.density=0.1"])
def test_one_partition_is_iterative_pruning(spec_of: Callable[..., Spec], rewind: str, schedule: str) -> None:
    shared = ("replicates=2", "schedule.levels=4", schedule, rewind, "controls=[reinit]")
    imp = plan_of(spec_of, *shared)
    assert plan_of(spec_of, "method=colt", "method.partitions=1", *shared).stages.keys() == imp.stages.keys()
    assert plan_of(spec_of, "method=colt", *shared[:3], "controls=[reinit]").stages.keys() != imp.stages.keys()


def test_copies_share_start_and_streams_and_differ_in_their_part(spec_of: Callable[..., Spec]) -> None:
    plan = plan_of(spec_of, "method=colt", "method.partitions=5", "replicates=1", "schedule.levels=3", "controls=[]")
    for entry in tickets(plan)[1:]:
        copies = [prune.parents["trained"] for prune in copies_of(overlap_of(entry))]
        assert len(copies) == 5
        assert len({copy.parents["start"].key for copy in copies}) == 1
        parts = [copy.fields["data"]["part"]["classes"] for copy in copies]
        assert parts == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
        assert all(copy.fields["classes"] == 2 for copy in copies)
        alike = [{name: value for name, value in copy.fields.items() if name != "data"} for copy in copies]
        assert alike.count(alike[0]) == 5
    # The configuration of every part can be found by its identity.
    assert len(plan.data) == 6


def test_neighbouring_classes_are_dealt_out_and_shares_are_numbered() -> None:
    assert parts_of(6, 2, "by_class") == [Part((0, 1, 2)), Part((3, 4, 5))]
    assert parts_of(6, 2, "stratified") == [Part(share=0, of=2), Part(share=1, of=2)]


@pytest.mark.parametrize(("partition", "spared"), [("by_class", ["output"]), ("stratified", [])])
def test_heads_of_the_copies_own_are_not_pruned(
    spec_of: Callable[..., Spec], partition: str, spared: list[str]
) -> None:
    made = plan_of(spec_of, *SMALL, "prune.exclude=[]", f"method.partition={partition}")
    common = overlap_of(tickets(made)[1])
    assert common.fields["exclude"] == spared
    assert [copy.fields["exclude"] for copy in copies_of(common)] == [spared, spared]


def test_a_ticket_of_the_density_that_is_asked_for_is_sparse_enough() -> None:
    layers = [Layer("w", "dense", 10, 10, (10,))]
    rule = Rule("global", 0.5)
    at = {"result": {"weights_remaining": 5, "weights_total": 10, "layers": {"w": [5, 10]}}}
    limits = [Limit(Stage("init", {}), density, rule, Removal(0.5), lambda: layers) for density in (0.5, 0.49)]
    assert [limit.ends_here(at) for limit in limits] == [True, False]


def test_lengths_in_epochs_are_those_of_a_part(spec_of: Callable[..., Spec]) -> None:
    shared = ("method=colt", "replicates=1", "schedule.levels=2", "controls=[]")

    def steps(*overrides: str) -> tuple[int, int]:
        entry = tickets(plan_of(spec_of, *shared, *overrides))[1]
        copy = copies_of(overlap_of(entry))[0].parents["trained"]
        return entry.trained.fields["stop"], copy.fields["stop"]

    assert steps("train.steps=30ep") == (600, 300)
    assert steps("train.steps=600it") == (600, 600)
    assert steps("train.steps=600it", "method.train={steps: 250it}") == (600, 250)


def test_the_ticket_has_the_head_of_iterative_pruning(spec_of: Callable[..., Spec]) -> None:
    shared = ("replicates=1", "schedule.levels=3", "controls=[shuffle]")
    colt, imp = plan_of(spec_of, "method=colt", *shared), plan_of(spec_of, *shared)
    init = tickets(imp)[0].start
    assert [entry.start.parents["weights"].key for entry in tickets(colt)[1:]] == [init.key] * 2
    assert tickets(colt)[0].trained.key == tickets(imp)[0].trained.key


def test_a_later_rewinding_point_is_that_of_all_classes(spec_of: Callable[..., Spec]) -> None:
    plan = plan_of(spec_of, "method=colt", "replicates=1", "schedule.levels=2", "controls=[]", "rewind.at=50")
    entry = tickets(plan)[1]
    point = entry.start.parents["weights"]
    assert point.kind == "train" and point.fields["stop"] == 50 and "part" not in point.fields["data"]
    copy = copies_of(overlap_of(entry))[0].parents["trained"]
    assert copy.fields["start"] == 50 and copy.parents["start"].parents["body"].key == point.key


def test_stratified_copies_keep_the_networks_own_head(spec_of: Callable[..., Spec]) -> None:
    shared = ("method=colt", "method.partition=stratified", "replicates=1", "schedule.levels=2", "controls=[]")
    entry = tickets(plan_of(spec_of, *shared, "method.partitions=3"))[1]
    copies = [prune.parents["trained"] for prune in copies_of(overlap_of(entry))]
    assert [copy.fields["data"]["part"] for copy in copies] == [{"share": share, "of": 3} for share in range(3)]
    assert entry.start.kind == "rewind" and entry.start.parents["mask"].key == overlap_of(entry).key
    assert {copy.parents["start"].key for copy in copies} == {entry.start.parents["weights"].key}
    assert all("output" not in prune.fields["exclude"] for prune in copies_of(overlap_of(entry)))


def test_a_schedule_of_densities_is_taken_as_rates(spec_of: Callable[..., Spec]) -> None:
    plan = plan_of(
        spec_of, "method=colt", "schedule=densities", "schedule.densities=[0.5,0.1]", "replicates=1", "controls=[]"
    )
    targets = [copies_of(overlap_of(entry))[0].fields for entry in tickets(plan)[1:]]
    assert [(fields["target"], fields["value"]) for fields in targets] == [("removal", 0.5), ("removal", 0.8)]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["method.partitions=3"], r"method\.partitions=3 does not divide the 10 classes"),
        (["method.partitions=0"], r"method\.partitions=0 is not a whole number of 1 or more"),
        (["method.partition=by_colour"], r"method\.partition=by_colour is unknown"),
        (["method.until=2"], r"method\.until=2 lies outside"),
        (["method.floor=-1"], r"method\.floor=-1 is not a whole number"),
        (["method.train=5"], r"method\.train=5 is not a section"),
        (["method.train={epochs: 5}"], r"method\.train\.epochs=5 is no setting of method\.train"),
        (
            ["method.train={steps: 50it}", "rewind.at=50"],
            r"rewind\.at=50 is not before the end of training on data\.part",
        ),
        (["rewind=finetune"], r"rewind\.to=finetune with"),
        (["rewind.batch_norm=keep"], r"rewind\.batch_norm=keep goes on"),
    ],
)
def test_what_is_impossible_is_refused_while_planning(
    spec_of: Callable[..., Spec], overrides: list[str], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        plan_of(spec_of, "method=colt", "controls=[]", *overrides)


# -- what comes out -----------------------------------------------------------------------------------------------------------------------


def test_masks_shrink_and_are_the_overlap(lab: Lab) -> None:
    for replicate in range(2):
        before: Mask | None = None
        for entry in tickets(lab.plan, replicate)[1:]:
            common = mask_of(lab, overlap_of(entry))
            masks = [mask_of(lab, prune) for prune in copies_of(overlap_of(entry))]
            assert masks[0] != masks[1]
            assert common == Mask({name: masks[0][name] & masks[1][name] for name in common})
            assert before is None or common <= before
            convolutions = [name for name in common if name != "fc.weight"]
            left = sum(common.counts()[name] for name in convolutions)
            earlier = sum(int(before[name].sum()) if before else common[name].numel() for name in convolutions)
            removed = round(0.15 * earlier)
            assert earlier - 2 * removed <= left < earlier - removed
            # Only convolutions lose weights; of the ticket's own head none is missing either.
            assert bool(common["fc.weight"].all()) and common["fc.weight"].shape[0] == 5
            ticket = mask_of(lab, entry.start)
            assert bool(ticket["fc.weight"].all()) and ticket["fc.weight"].shape[0] == 10
            assert all(torch.equal(ticket[name], common[name]) for name in convolutions)
            before = common


def test_copies_start_alike_from_the_initial_weights(lab: Lab) -> None:
    first = tickets(lab.plan)[1]
    start = copies_of(overlap_of(first))[0].parents["trained"].parents["start"]
    initial = weights_of(lab, start)
    theta = weights_of(lab, tickets(lab.plan)[0].start)
    for name, tensor in initial.items():
        same = tensor.shape == theta[name].shape and torch.equal(tensor, theta[name])
        assert same == (name not in ("fc.weight", "fc.bias")), name
    for entry in tickets(lab.plan)[2:]:
        starts = {prune.parents["trained"].parents["start"].key: prune for prune in copies_of(overlap_of(entry))}
        assert len(starts) == 1
        begun = starts.popitem()[1].parents["trained"].parents["start"]
        mask = mask_of(lab, begun)
        # Bit for bit m * theta_0, scales, biases, statistics and head included.
        for name, tensor in weights_of(lab, begun).items():
            wanted = initial[name] * mask[name] if name in mask else initial[name]
            assert torch.equal(tensor, wanted), name


def test_tickets_are_masked_initial_weights_under_one_head(lab: Lab) -> None:
    theta = weights_of(lab, tickets(lab.plan)[0].start)
    for entry in tickets(lab.plan)[1:]:
        mask = mask_of(lab, entry.start)
        for name, tensor in weights_of(lab, entry.start).items():
            assert torch.equal(tensor, theta[name] * mask[name] if name in mask else theta[name]), name


def test_pruned_weights_stay_zero_under_momentum_and_weight_decay(lab: Lab) -> None:
    assert lab.spec.train.weight_decay > 0 and lab.spec.train.optimizer["momentum"] > 0
    entry = tickets(lab.plan)[3]
    copies = [prune.parents["trained"] for prune in copies_of(overlap_of(entry))]
    for trained in [*copies, entry.trained]:
        mask, weights = mask_of(lab, trained.parents["start"]), weights_of(lab, trained)
        assert mask.remaining < mask.total
        for name, kept in mask.items():
            assert not bool(weights[name][~kept].any()), name
        moved = weights_of(lab, trained.parents["start"])
        assert all(not torch.equal(weights[name], moved[name]) for name in mask)


def test_magnitudes_of_the_last_step_decide(lab: Lab) -> None:
    for prune in copies_of(overlap_of(tickets(lab.plan)[1])):
        weights, mask = weights_of(lab, prune.parents["trained"]), mask_of(lab, prune)
        names = [name for name in mask if name != "fc.weight"]
        kept = torch.cat([weights[name][mask[name]].abs() for name in names])
        gone = torch.cat([weights[name][~mask[name]].abs() for name in names])
        assert len(gone) == round(0.15 * (len(kept) + len(gone)))
        assert float(kept.min()) >= float(gone.max())


def test_the_results_say_how_far_copies_agree(lab: Lab) -> None:
    table = lab.run().table
    for entry in tickets(lab.plan)[1:]:
        row = table[table["key"] == entry.trained.key].iloc[0]
        common = mask_of(lab, overlap_of(entry))
        masks = [mask_of(lab, prune) for prune in copies_of(overlap_of(entry))]
        names = [name for name in common if name != "fc.weight"]
        both = sum(int((masks[0][name] & masks[1][name]).sum()) for name in names)
        either = sum(int((masks[0][name] | masks[1][name]).sum()) for name in names)
        assert row["overlap_iou"] == both / either
        assert max(0, 1 - 2 * 0.15) - 1e-3 < row["overlap_survival"] < 0.85
        # By hand: 10 x 16 weights of the head; scales of the stem, of 6 blocks' normalisations and of 2 projections.
        body = sum(common[name].numel() for name in names)
        scales = 4 + 2 * (4 + 8 + 16) + (8 + 16)
        assert row["weights_total"] == body + 160
        assert row["sparsity_pruned"] == pytest.approx((body - both) / body, abs=0)
        assert row["sparsity_weights"] == pytest.approx((body - both) / (body + 160 + scales), abs=0)
        assert row["density"] == (both + 160) / (body + 160)
    assert table.loc[table["level"] == 0, "overlap_iou"].isna().all()


def test_the_results_say_how_many_rounds_iterative_pruning_takes(lab: Lab) -> None:
    """By the closed form: (1 - q)^r of the convolutions' weights and the whole head."""
    table = lab.run().table
    found = table[table["overlap_survival"].notna()]
    assert len(found) == 6 and table.loc[table["level"] == 0, "rounds_alone"].isna().all()
    for row in found.itertuples():
        body = row.weights_total - 160
        exact = math.log((row.weights_remaining - 160) / body) / math.log(0.85)
        # Counts are whole numbers, so that a round may fall short of its rate by a weight.
        assert row.rounds_alone in {math.ceil(exact - 0.01), math.ceil(exact + 0.01)}
        assert row.level < row.rounds_alone <= 2 * row.level + 1
        assert row.rounds_saved == row.rounds_alone - row.level


def test_rounds_of_iterative_pruning_are_those_that_it_takes(tmp_path: Path) -> None:
    """Of 1,000 weights half go in every round, and 2 become 1 in the ninth; a schedule of densities ends."""
    layers = [Layer("conv.weight", "conv", 1000, 1000), Layer("fc.weight", "output", 50, 50)]
    rule = Rule("global", 0.5, ("output",))
    alone = partial(rounds_alone, layers=layers, rule=rule, schedule=Geometric(2))
    assert [alone(remaining) for remaining in (1049, 550, 549, 300, 51, 50)] == [1, 1, 2, 2, 9, None]
    listed = Densities([0.5, 0.25])
    assert [rounds_alone(left, layers, rule, listed) for left in (525, 263, 262, 100)] == [1, 2, 2, None]


def test_running_again_trains_nothing_and_says_the_same(lab: Lab) -> None:
    first, again = lab.run(), Lab(lab.folder, base=SMALL).run()
    assert again.steps == 0
    assert untimed(again.table).equals(untimed(first.table))
    assert steps_planned(summary_line(lab.plan, lab.store)) == 0


def test_copies_on_the_same_data_prune_as_iterative_pruning_does(lab: Lab, tmp_path: Path) -> None:
    """Two copies that are one: the overlap of their masks is the mask that one alone is pruned to."""
    recipe = Recipe(lab.spec, 0)
    dense = recipe.dense()
    one = recipe.prune(dense, None, 1, since=0)
    made = Store(tmp_path / "store")
    made.publish(dense.key, {**dense.description, "result": {}}, lab.store.tensors(dense.key))
    for stage in (one, overlap(recipe, [one, recipe.prune(dense, None, 1, since=0)], None)):
        tensors, result = run_stage(stage, made)
        made.publish(stage.key, {**stage.description, "result": result}, tensors)
    both = overlap(recipe, [one, one], None)
    assert mask_in(made.tensors(both.key)) == mask_in(made.tensors(one.key))
    assert made.record(both.key)["result"]["numbers"]["overlap_iou"] == 1.0


def test_a_ticket_of_half_the_weights_trains_to_the_dense_accuracy(tmp_path: Path) -> None:
    """Four kinds of digits, two to each copy: the toy of the sheet, within 3 points of the dense network."""
    toy = (
        "method=colt", "data=digits", "+data.part={classes: [0,1,2,3]}", "model=conv3", "model.width=8", "train.steps=150it",
        "train.evaluate_every=50it", "method.train={steps: 75it}", "prune.allocation=global", "prune.rate=0.25",
        "prune.exclude=[dense,output]", "schedule.levels=4", "method.until=0.5", "replicates=1", "controls=[]",
    )  # fmt: skip
    table = Lab(tmp_path, base=toy).run().table.set_index("level")
    ticket = table.loc[table.index.max()]
    assert ticket["density"] <= 0.5 < table["density"].iloc[-2]
    assert table.loc[0, "test_accuracy"] > 0.9
    assert ticket["test_accuracy"] == pytest.approx(table.loc[0, "test_accuracy"], abs=0.03)


# -- where a search ends ----------------------------------------------------------------------------------------------------


def test_a_search_ends_at_the_density_that_is_asked_for(lab: Lab) -> None:
    """At the store of the search without an end: only what is kept of it differs."""
    densities = lab.run().table.query("branch == 'ticket'").groupby("level")["density"].max()
    limited = Lab(lab.folder, f"method.until={densities[2]}", base=SMALL)
    assert limited.plan.stages.keys() == lab.plan.stages.keys()
    assert set(limited.run().table["level"]) == {0, 1, 2, 3}  # what is stored is shown


def test_levels_behind_the_end_are_not_trained(tmp_path: Path) -> None:
    short = Lab(tmp_path, "method.until=0.6", "replicates=1", "schedule.levels=8", "controls=[reinit]", base=SMALL)
    outcome = short.run()
    found = outcome.table.query("branch == 'ticket'").set_index("level")["density"]
    last = int(found.index.max())
    assert 1 < last < 7 and found[last] <= 0.6 < found[last - 1]
    assert outcome.failed == () and set(outcome.table.query("branch == 'reinit'")["level"]) == set(range(1, last + 1))
    # The dense network, tickets and controls; of the copies those of the rounds that led to the last ticket.
    assert outcome.steps == 30 * (1 + 2 * last + 2 * last)
    assert steps_planned(summary_line(short.plan, Store(tmp_path / "store"))) == 0
    assert Lab(tmp_path, *short.overrides, base=SMALL).run().steps == 0
    # A ticket that is damaged is made again, and what lies behind it is still not trained.
    ticket = tickets(short.plan)[last].start
    (tmp_path / "store" / ticket.key[:2] / ticket.key / "tensors.safetensors").write_bytes(b"")
    again = Lab(tmp_path, *short.overrides, base=SMALL).run()
    assert again.steps == 0 and Store(tmp_path / "store").verify(ticket.key)
    # Another end goes on from there.
    longer = Lab(tmp_path, *short.overrides, "method.until=0.5", base=SMALL).run().table
    assert longer["level"].max() > last and longer.loc[longer["level"] <= last, "cached"].all()


def test_a_search_ends_where_nothing_can_be_removed(tmp_path: Path) -> None:
    """Of 36 weights one copy alone could be pruned six times by 45%, to the last weight: what two keep lasts less long."""
    spare = ("prune.rate=0.45", "prune.exclude=[output,blocks.*]", "schedule.levels=7", "replicates=1")
    short = Lab(tmp_path, *spare, "train.steps=10it", base=SMALL)
    outcome = short.run()
    assert outcome.failed == ()
    last = tickets(short.plan)[int(outcome.table["level"].max())]
    assert 1 <= last.level < 6
    assert steps_planned(summary_line(short.plan, Store(tmp_path / "store"))) == 0


def test_a_floor_keeps_every_layer_alive(tmp_path: Path) -> None:
    base = [*SMALL, "prune.rate=0.6", "schedule.levels=5", "replicates=1", "train.steps=10it"]
    bare, kept = Lab(tmp_path / "bare", base=base), Lab(tmp_path / "kept", "method.floor=3", base=base)
    bare.run(), kept.run()
    ends = [
        max(tickets(one.plan)[1:], key=lambda e: e.level if one.store.has(e.start.key) else 0) for one in (bare, kept)
    ]
    least = [min(mask_of(one, end.start).counts().values()) for one, end in zip((bare, kept), ends, strict=True)]
    assert least[0] < 3 <= least[1]


def test_probes_of_levels_that_are_not_reached_are_not_read(tmp_path: Path) -> None:
    short = Lab(tmp_path, "method.until=0.8", "probes=[densities]", "replicates=1", base=SMALL)
    outcome = short.run()
    assert outcome.failed == () and outcome.table["level"].max() == 1
    assert steps_planned(summary_line(short.plan, Store(tmp_path / "store"))) == 0


def test_every_ticket_is_looked_at_once_however_many_levels_lie_behind_it(lab: Lab) -> None:
    """All rows of all levels behind a ticket ask whether the search has ended there."""
    lab.run()
    read: list[str] = []

    def record(key: str) -> Mapping[str, Any]:
        read.append(key)
        return lab.store.record(key)

    lab.plan.missing(lab.store.has, record)
    asked = {entry.limit.ticket.key for entry in lab.plan.entries if entry.limit is not None}
    assert len(asked) == 4 and sorted(read) == sorted(asked)
    limits = [entry.limit for entry in tickets(lab.plan) if entry.limit is not None]
    assert limits[0].layers() is limits[1].layers()  # the network is built once, too


def test_until_is_no_part_of_any_key(spec_of: Callable[..., Spec]) -> None:
    shared = ("method=colt", "replicates=1", "schedule.levels=3")
    plans = [plan_of(spec_of, *shared, *more) for more in ((), ("method.until=0.5",))]
    assert plans[0].stages.keys() == plans[1].stages.keys()
    union = Plan.union(plans)
    # The search that goes on decides: what it needs is run.
    assert set(union.missing(lambda key: False)) == union.stages.keys()


def test_a_union_goes_on_for_whoever_wants_more(lab: Lab) -> None:
    ended = Plan.of(replace(lab.spec, method_options={**lab.spec.method_options, "until": 0.99}))
    stored = {entry.start.key for entry in tickets(lab.plan)[:2]}

    def missing(plan: Plan) -> set[str]:
        return set(plan.missing(lambda key: key in stored, lab.store.record))

    last = tickets(lab.plan)[3].trained.key
    assert last not in missing(ended)
    assert last in missing(Plan.union([ended, lab.plan]))
