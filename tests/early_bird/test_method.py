"""From a request to its table and report: what is trained, from where, and what is told of what was not found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import lotto.training.step
from lotto.early_bird.options import prune_ratio
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stages import mask_in, under
from lotto.store import Store
from lotto.training.lr import factor
from lotto.zeroed import zeroed_in
from tests.training.lab import Lab

EPOCHS, PER_EPOCH = 8, 6  # 1,197 digits in batches of 200
SMALL = (
    "model=small_conv", "model.widths=[4,6]", "model.init.batchnorm=half", "train/optimizer=sgd", "train.batch_size=200",
    f"train.steps={EPOCHS}ep", "train.evaluate_every=1ep", "train/lr_schedule=linear", "train.lr=0.02",
    "method=early_bird", "schedule=densities", "schedule.densities=[0.7,0.5]", "controls=[reinit,shuffle]", "replicates=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, list[float]]:
    """A run whose masks count as settled whatever they do: before epoch 4. With the first learning rate of every fit."""
    rates: list[float] = []
    begin = lotto.training.step.Step.begin

    def noted(self: Any, step: int) -> None:
        fresh = self._rate is None
        begin(self, step)
        if fresh:
            rates.append(self._rate)

    lab = Lab(tmp_path_factory.mktemp("found"), *SMALL, "method.epsilon=1.0", base=())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lotto.training.step.Step, "begin", noted)
        lab.table = lab.run().table  # type: ignore[attr-defined]
    return lab, rates


def test_ratios_are_the_decimals_that_were_asked_for(spec_of: Callable[..., Spec]) -> None:
    listed = spec_of("method=early_bird", "schedule=densities", "schedule.densities=[0.9,0.7,0.1]")
    assert [prune_ratio(listed, level) for level in (1, 2, 3)] == [0.1, 0.3, 0.9]
    rounds = spec_of("method=early_bird", "schedule.levels=3", "prune.rate.conv=0.2")
    assert [prune_ratio(rounds, level) for level in (1, 2)] == [0.2, 0.36]
    removed = spec_of("method=early_bird", "schedule=removals", "schedule.removals=[0.25]")
    assert prune_ratio(removed, 1) == 0.25


def sources(plan: Plan) -> set[str]:
    return {stage.parents["source"].key for stage in plan.stages.values() if stage.kind == "draw"}


def test_all_levels_are_watched_in_the_dense_networks_own_training(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.of(spec_of(*SMALL))
    (source,) = sources(plan)
    (dense,) = (entry.trained for entry in plan.entries if entry.level == 0)
    assert dense.key == source
    assert dense.fields["regimen"]["ratios"] == [0.3, 0.5] and dense.fields["scale_penalty"] == 1e-4
    for entry in plan.entries:
        if entry.level > 0:
            drawn = entry.start if entry.branch == "ticket" else entry.start.parents["ticket"]
            assert entry.trained.parents["found"].key == drawn.key, "controls start where their ticket does"
            assert entry.trained.fields["scale_penalty"] == 1e-4 and entry.trained.fields["regimen"] is None


def test_a_search_that_ends_when_it_has_found_leaves_the_dense_network_to_all_methods(
    spec_of: Callable[..., Spec],
) -> None:
    plan = Plan.of(spec_of(*SMALL, "method.until=found", "method.longest=5ep"))
    imp = Plan.of(spec_of(*SMALL[:9], "method=imp", "controls=[]", "replicates=1"))
    (source,) = sources(plan)
    assert plan.stages[source].fields["stop"] == 5 * PER_EPOCH
    assert [e.trained.key for e in plan.entries if e.level == 0] == [e.trained.key for e in imp.entries if e.level == 0]


def test_tickets_of_any_moment_share_one_training(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.union([Plan.of(spec_of(*SMALL, "controls=[]", f"method.draw={epoch}ep")) for epoch in (2, 4)])
    points = [plan.stages[key] for key in sources(plan)]
    assert sorted(point.fields["stop"] for point in points) == [2 * PER_EPOCH, 4 * PER_EPOCH]
    later = max(points, key=lambda point: point.fields["stop"])
    prefix = plan.prefix(later)
    assert prefix is not None and prefix.fields["stop"] == 2 * PER_EPOCH
    assert len({entry.trained.key for entry in plan.entries if entry.level == 0}) == 1


def test_worm_searches_anew_for_each_level(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.of(spec_of(*SMALL, "method=worm", "method.longest=6ep"))
    searched = [plan.stages[key].fields for key in sources(plan)]
    assert sorted(fields["regimen"]["ratio"] for fields in searched) == [0.3, 0.5]
    assert {fields["stop"] for fields in searched} == {6 * PER_EPOCH}


def test_branches_differ_in_what_their_names_say(spec_of: Callable[..., Spec]) -> None:
    spec = spec_of(*SMALL, "controls=[]", "schedule.levels=2", "method.branches=[reinit_whole,random_channels]")
    ticket, anew, other = (entry for entry in Plan.of(spec).entries if entry.level == 1)
    assert (ticket.branch, anew.branch, other.branch) == ("ticket", "reinit_whole", "random_channels")
    assert ticket.start.parents == anew.start.parents == other.start.parents

    def changed(one: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in one.items() if ticket.start.fields[name] != value}

    assert changed(anew.start.fields) == {"weights": "reinit"} and "found" not in anew.trained.parents
    assert changed(other.start.fields) == {"channels": "random"}
    assert ticket.trained.fields == anew.trained.fields == other.trained.fields
    assert other.trained.parents["found"].key == ticket.start.key


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("method.epsilon=2", "method.epsilon=2 lies outside"),
        ("method.num_masks=1", "method.num_masks=1 is not a whole number of 2"),
        ("method.until=never", "method.until=never is unknown"),
        ("method.draw=99ep", "method.draw=99ep is step 594"),
        ("method.weights=old", "method.weights=old is unknown"),
        ("method.branches=[reinit]", "method.branches=reinit is unknown"),
        ("method.sparsity=-1", "method.sparsity=-1 must not be negative"),
    ],
)
def test_options_are_refused_in_a_sentence(spec_of: Callable[..., Spec], override: str, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        Plan.of(spec_of(*SMALL, override))


def test_networks_without_scales_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path, "method=early_bird", "model.plan=[8]", "train.steps=60it", "replicates=1", "controls=[]", base=()
    )
    with pytest.raises(BadRequest, match="LeNet has none"):
        lab.run()
    assert not any(stage.kind == "train" and lab.store.has(stage.key) for stage in lab.plan.stages.values())


def test_training_goes_on_where_the_ticket_was_drawn(found: tuple[Lab, list[float]]) -> None:
    lab, rates = found
    step = 4 * PER_EPOCH
    schedule = lab.spec.train.lr_schedule
    assert rates[0] == 0.02
    assert rates[1:] == [0.02 * factor(step, schedule)] * 6, "tickets and their controls, at the dense schedule's value"
    rows = lab.table[lab.table["level"] > 0]  # type: ignore[attr-defined]
    assert rows["found_epoch"].tolist() == [4] * 6 and rows["found_step"].tolist() == [step] * 6
    assert (rows["flops_slimmed"] < rows["flops_inference"]).all()
    whole = 3 * 1197 * (4 * lab.table["flops_inference"][0] + (EPOCHS - 4) * rows["flops_slimmed"])  # type: ignore[attr-defined]
    assert rows["flops_whole"].tolist() == pytest.approx(whole.tolist())
    assert lab.table["flops_whole"][0] == lab.table["flops_training"][0]  # type: ignore[attr-defined]
    assert rows["train_steps"].tolist() == [EPOCHS * PER_EPOCH - step] * 6
    assert lab.table["found_epoch"].isna().tolist() == [True] + [False] * 6  # type: ignore[attr-defined]


def test_the_ticket_is_the_network_of_that_moment_less_its_channels(found: tuple[Lab, list[float]]) -> None:
    lab, _ = found
    store, entry = lab.store, lab.entry(level=2)
    drawn, search = store.tensors(entry.start.key), store.tensors(entry.start.parents["source"].key)
    mask, zeroed = mask_in(drawn), zeroed_in(drawn)
    assert mask is not None and not any(name.startswith("optimizer/") for name in drawn)
    removed = sum(int(zeroed[name].sum()) for name in ("layers.0.bn.weight", "layers.1.bn.weight"))
    assert removed == 10 // 2 + 1
    moment = {
        n.removeprefix("early_bird/0.5/weights/"): t for n, t in search.items() if n.startswith("early_bird/0.5/w")
    }
    for name, tensor in moment.items():
        held = zeroed.get(name, torch.zeros_like(tensor, dtype=torch.bool))
        held = held | ~mask[name] if name in mask else held
        assert torch.equal(drawn[f"weights/{name}"], tensor.masked_fill(held, 0)), name
    trained = store.tensors(entry.trained.key)
    for name, gone in zeroed.items():
        assert not trained[f"weights/{name}"][gone].any()
    assert store.record(entry.trained.key)["engine"] == "slim"


def test_worm_settles_on_the_digits_about_when_early_bird_does(tmp_path: Path) -> None:
    """Three convolutions, SGD at 0.05: both within 20 epochs and at most 3 apart. That WORM be sooner is no law at this size."""
    small = (
        "data=digits", "model=small_conv", "model.widths=[16,32,32]", "model.init.batchnorm=half", "train=early_bird_digits",
        "train.steps=20ep", "train.lr_schedule.milestones=[10ep,15ep]", "train.evaluate_every=20ep", "replicates=1",
        "schedule=densities", "schedule.densities=[0.5]", "controls=[]",
    )  # fmt: skip
    epochs = []
    for method in ("early_bird", "worm"):
        lab = Lab(tmp_path, f"method={method}", base=small)
        table = lab.run().table
        epochs.append(table.loc[table["level"] == 1, "found_epoch"].iloc[0])
    assert all(4 < epoch <= 20 for epoch in epochs)
    assert abs(epochs[0] - epochs[1]) <= 3


def test_the_report_shows_the_masks(found: tuple[Lab, list[float]]) -> None:
    lab, _ = found
    folder = lab.folder / "run"
    text = (folder / "report.md").read_text()
    assert "Level 1, 30% of the channels removed: the masks had settled before epoch 4 (replicate 0)" in text
    assert (folder / "figures" / "mask_distance.png").stat().st_size > 0
    assert '<section id="mask_distance"' in (folder / "report.html").read_text()


def test_what_never_settles_is_drawn_at_the_end_and_told(tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        *SMALL,
        "method.epsilon=0.0",
        "controls=[]",
        "schedule.levels=2",
        f"method.num_masks={EPOCHS}",
        base=(),
    )
    table = lab.run().table
    row = table[table["level"] == 1].iloc[0]
    assert row.isna()["found_epoch"] and row["found_step"] == EPOCHS * PER_EPOCH and row["train_steps"] == 0
    text = (tmp_path / "run" / "report.md").read_text()
    assert f"the masks never settled, and the ticket is that of the end of the search, epoch {EPOCHS}" in text
    drawn, trained = Store(tmp_path / "store").tensors(lab.entry(1).start.key), lab.trained(1)
    assert all(torch.equal(trained[name], tensor) for name, tensor in drawn.items() if name.startswith("weights/"))


def test_the_shuffled_control_lacks_as_many_channels_elsewhere(found: tuple[Lab, list[float]]) -> None:
    lab, _ = found
    store, entry = lab.store, lab.entry(level=2, branch="shuffle")
    ticket, start = store.tensors(lab.entry(level=2).start.key), store.tensors(entry.start.key)
    moment = under(store.tensors(lab.entry(level=2).start.parents["source"].key), "early_bird/0.5/weights/")
    mine, its = mask_in(start), mask_in(ticket)
    assert mine is not None and its is not None and mine.counts() == its.counts() and mine != its
    for layer in ("layers.0", "layers.1"):
        rows = mine[f"{layer}.conv.weight"].flatten(1)
        assert torch.equal(rows.any(1), rows.all(1))
        for part in ("weight", "bias"):
            expected = moment[f"{layer}.bn.{part}"] * rows.any(1)
            assert torch.equal(start[f"weights/{layer}.bn.{part}"], expected), (
                "its own channels have scale and shift of the moment"
            )
