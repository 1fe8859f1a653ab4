"""Experiments that start from a file: what their networks begin with, what replicates share, and what a ticket goes on with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.stages import mask_in, under
from lotto.store import Store
from lotto.tickets import load_ticket
from tests.e2e import Shell, results
from tests.starts.start_samples import network, state, write_ticket

pytestmark = pytest.mark.usefixtures("without_figures")

SMALL = (
    "model=resnet20",
    "model.depth=8",
    "model.width=4",
    "train.steps=6it",
    "train.evaluate_every=3it",
    "replicates=2",
    "schedule.levels=2",
    "prune.rate=0.5",
    "controls=[reinit]",
    "hydra.run.dir=run",
)


@pytest.fixture
def lotto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def planned(*overrides: str) -> Plan:
    return Plan.of(read_spec(composed([*SMALL, *overrides])))


def test_a_random_draw_stays_what_it_was() -> None:
    assert "start" not in composed([]), "the names of runs would change"
    assert not any("from" in stage.fields for stage in planned().stages.values())


def test_networks_begin_with_the_file_and_only_reinit_draws(lotto: Shell, tmp_path: Path) -> None:
    save_file(state(network()), tmp_path / "w.safetensors")
    said = lotto(*SMALL, "start=checkpoint", "start.path=w.safetensors")
    assert said.status == 0, said.err
    assert "the replicates share these weights" in said.err + said.out
    assert "Start: start.path=w.safetensors" in (tmp_path / "run" / "report.md").read_text()
    plan, store = planned("start=checkpoint", "start.path=w.safetensors"), Store("outputs/store")
    weights = load_file(tmp_path / "w.safetensors")
    starts = {(entry.branch, entry.level, entry.replicate): store.tensors(entry.start.key) for entry in plan.entries}
    for replicate in range(2):
        dense = under(starts["ticket", 0, replicate], "weights/")
        assert dense.keys() == weights.keys()
        assert all(torch.equal(dense[name], tensor) for name, tensor in weights.items())
        mask = mask_in(starts["ticket", 1, replicate])
        assert mask is not None
        ticket, fresh = (under(starts[branch, 1, replicate], "weights/") for branch in ("ticket", "reinit"))
        assert all(torch.equal(ticket[name], tensor) for name, tensor in mask.apply(weights).items())
        assert not torch.equal(fresh["conv.weight"], ticket["conv.weight"])
        assert torch.equal(fresh["bn.running_mean"], torch.zeros(4))
    keys = {entry.start.key for entry in plan.entries if entry.level == 0}
    assert len(keys) == 1
    trained = {entry.trained.key for entry in plan.entries if entry.level == 0}
    assert len(trained) == 2, "replicates differ in their data order"
    shutil.move(tmp_path / "w.safetensors", tmp_path / "moved")
    assert "0 training steps run" in lotto(*SMALL, "start=checkpoint", "start.path=moved").out


def test_a_fresh_classifier_is_each_replicates_own(lotto: Shell, tmp_path: Path) -> None:
    save_file(state(network(classes=4)), tmp_path / "w")
    overrides = ("start=checkpoint", "start.path=w", "start.head=fresh")
    assert lotto(*SMALL, *overrides, "schedule.levels=1", "controls=[]").status == 0
    plan, store = planned(*overrides, "schedule.levels=1", "controls=[]"), Store("outputs/store")
    one, other = (under(store.tensors(entry.start.key), "weights/") for entry in plan.entries)
    assert one["fc.weight"].shape == (10, 16)
    assert not torch.equal(one["fc.weight"], other["fc.weight"])
    assert all(torch.equal(one[name], other[name]) for name in one if not name.startswith("fc."))


def test_a_ticket_is_level_0_and_pruning_goes_on_from_its_mask(lotto: Shell, tmp_path: Path) -> None:
    ticket = write_ticket(tmp_path / "t.safetensors")
    overrides = ("start=checkpoint", "start.path=t.safetensors", "rewind.at=2it")
    said = lotto(*SMALL, *overrides, "probes=[movement]")
    assert said.status == 0, said.err
    rows = results(tmp_path / "run")
    first = [row for row in rows if row["level"] == "0"]
    assert {int(row["weights_remaining"]) for row in first} == {ticket.mask.remaining}
    assert {int(row["weights_remaining"]) for row in rows if row["level"] == "1"} == {
        sum(count - round(0.5 * count) for count in ticket.mask.counts().values())
    }
    plan, store = planned(*overrides), Store("outputs/store")
    for entry in plan.entries:
        mask = mask_in(store.tensors(entry.start.key))
        assert mask is not None and mask <= ticket.mask
        trained = under(store.tensors(entry.trained.key), "weights/")
        assert all(not trained[name][~kept].any() for name, kept in mask.items()), "what is pruned stays zero"
    points = [stage for stage in planned(*overrides, "probes=[movement]").stages.values() if stage.kind == "rewind"]
    for stage in points:  # one of them is what the network of level 0 is trained from again, beside the tickets
        mask = mask_in(store.tensors(stage.key))
        assert mask is not None and mask <= ticket.mask
    exported = load_ticket(next((tmp_path / "run" / "tickets").iterdir()))
    assert exported.mask <= ticket.mask

    dropped = lotto(*SMALL, *overrides, "start.mask=drop", "schedule.levels=1", "controls=[]", "hydra.run.dir=other")
    assert dropped.status == 0, dropped.err
    assert {row["density"] for row in results(tmp_path / "other")} == {"1.0"}


def test_what_does_not_fit_is_said_before_anything_is_trained(lotto: Shell, tmp_path: Path) -> None:
    save_file(state(network(classes=4)), tmp_path / "w")
    said = lotto(*SMALL, "start=checkpoint", "start.path=w")
    assert said.status == 2
    assert "start.head=fresh draws the classifier anew" in said.err
    assert not list(tmp_path.glob("outputs/store/??/*/stage.json"))
    assert "start.path=nowhere cannot be read" in lotto(*SMALL, "start=checkpoint", "start.path=nowhere").err
    assert "start.path is missing" in lotto(*SMALL, "start=checkpoint").err
    said = lotto(*SMALL, "start._target_=lotto.mask.Mask", "start=checkpoint", "start.path=w")
    assert said.status == 2 and "start" in said.err


def test_every_part_of_the_content_is_in_the_key(tmp_path: Path) -> None:
    def start(path: Path, *more: str) -> str:
        plan = planned("start=checkpoint", f"start.path={path}", *more)
        return plan.entries[0].start.key

    tensors = state(network())
    for name, content in (("a", tensors), ("same", tensors), ("b", {**tensors, "fc.bias": tensors["fc.bias"] + 1})):
        save_file(content, tmp_path / name)
    assert start(tmp_path / "a") == start(tmp_path / "same") == start(tmp_path / "a", "seed=7")
    assert start(tmp_path / "a") != start(tmp_path / "b")
    assert start(tmp_path / "a", "start.head=fresh") != start(tmp_path / "a", "start.head=fresh", "seed=7")
