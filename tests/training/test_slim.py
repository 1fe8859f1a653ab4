"""The engine ``slim``: the smaller network is trained, and what comes out is what masked training comes to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from lotto.errors import BadRequest
from lotto.slimming import slimmed
from lotto.training.fit import Fit
from lotto.training.network import state_of
from lotto.zeroed import pinned, zeroed_in
from tests.training.lab import Lab

pytestmark = pytest.mark.usefixtures("without_figures")

RESNET = (
    "model=resnet20", "model.depth=8", "model.width=4", "train.steps=24it", "train.evaluate_every=8it", "train.batch_size=20",
    "replicates=1", "schedule.levels=2", "controls=[]", "hardware=cpu", "hardware.precision=64", "prune.rate=0.5",
)  # fmt: skip
SGD = ("train/optimizer=sgd", "train.lr=0.05", "train.weight_decay=0.001")
LENET = (
    "model.plan=[20,12]", "train.steps=40it", "train.evaluate_every=10it", "replicates=1", "schedule.levels=2", "controls=[]",
    "hardware=cpu", "hardware.precision=64", "prune.rate=0.4",
)  # fmt: skip


def pair(tmp_path: Path, base: tuple[str, ...], *options: str) -> tuple[Lab, Lab]:
    """The same experiment with and without the smaller network."""
    return Lab(tmp_path / "slim", *options, "engine=slim", base=base), Lab(
        tmp_path / "alone", *options, "engine=alone", base=base
    )


def assert_alike(slim: Lab, alone: Lab, level: int = 1, branch: str = "ticket") -> None:
    """Weights, optimizer state and every evaluation; the statistics of removed channels, which nothing reads, apart."""
    entry = slim.entry(level, branch)
    own, masked = (lab.store.tensors(entry.trained.key) for lab in (slim, alone))
    start = slim.store.tensors(entry.start.key)
    held = {f"weights/{name}" for name in zeroed_in(start)}
    compared = [name for name in masked if "running" not in name and "num_batches" not in name]
    assert any(name in held for name in compared)
    assert own.keys() <= masked.keys()
    for name in compared:
        if name.startswith("weights/") or name in own:
            torch.testing.assert_close(own[name], masked[name], rtol=1e-10, atol=1e-10, msg=name)
    metrics = [lab.store.metrics(entry.trained.key) for lab in (slim, alone)]
    for one, other in zip(*metrics, strict=True):
        assert one == pytest.approx(other, rel=1e-10)
    assert own["weights/conv.weight" if "weights/conv.weight" in own else "weights/fc.weight"].dtype == torch.float64


@pytest.mark.parametrize("structure", ["channel", "filter"])
@pytest.mark.parametrize("optimizer", [SGD, ()], ids=["sgd with momentum and decay", "adam"])
def test_it_equals_masked_training(tmp_path: Path, structure: str, optimizer: tuple[str, ...]) -> None:
    slim, alone = pair(tmp_path, RESNET, f"prune.structure={structure}", *optimizer)
    assert list(slim.run().table["engine"]) == ["alone", "slim"]
    assert list(alone.run().table["engine"]) == ["alone", "alone"]
    assert_alike(slim, alone)


@pytest.mark.parametrize("control", ["reinit", "shuffle", "random", "invert", "prune_at_init"])
def test_controls_of_structured_tickets_are_structured_and_slimmed(tmp_path: Path, control: str) -> None:
    slim, alone = pair(tmp_path, LENET, "prune.structure=channel", f"controls=[{control}]")
    assert set(slim.run().table.query("level == 1")["engine"]) == {"slim"}
    alone.run()
    assert_alike(slim, alone, branch=control)
    ticket, own = (slim.store.record(slim.entry(1, branch).start.key)["result"] for branch in ("ticket", control))
    assert own["layers"] == ticket["layers"]
    masks = [slim.store.tensors(slim.entry(1, branch).start.key) for branch in ("ticket", control)]
    whole = [mask["mask/fc_layers.0.weight"].bool() for mask in masks]
    assert all(torch.equal(mask.any(1), mask.all(1)) for mask in whole)
    if control != "prune_at_init":  # which may come to the same
        assert torch.equal(*whole) == (control == "reinit")


def test_later_levels_go_on_from_slimmed_ones_and_optimizer_state_follows(tmp_path: Path) -> None:
    options = ("prune.structure=channel", "schedule.levels=3", "rewind=learning_rate", "rewind.optimizer=follow", *SGD)
    slim, alone = pair(tmp_path, RESNET, *options)
    assert list(slim.run().table["engine"]) == ["alone", "slim", "slim"]
    alone.run()
    for level in (1, 2):
        assert_alike(slim, alone, level)


@pytest.mark.parametrize("structure", ["channel", "filter"])
def test_what_is_zeroed_stays_zero_and_counts_in_no_density(tmp_path: Path, structure: str) -> None:
    """A filter's output is added to channels that live: its shift would move if nothing held it."""
    lab = Lab(tmp_path, f"prune.structure={structure}", "engine=alone", "train.weight_decay=0.01", base=RESNET)
    row = lab.run().table.iloc[1]
    start, trained = lab.store.tensors(lab.entry(1).start.key), lab.trained(1)
    zeroed = zeroed_in(start)
    assert any("bn" in name for name in zeroed)
    for name, zero in zeroed.items():
        assert not bool(trained[f"weights/{name}"][zero].any()) and not bool(start[f"weights/{name}"][zero].any())
        assert bool(trained[f"weights/{name}"][~zero].any())
    masks = {name: kept for name, kept in start.items() if name.startswith("mask/")}
    assert row["weights_remaining"] == sum(int(kept.sum()) for kept in masks.values())
    assert row["weights_total"] == sum(kept.numel() for kept in masks.values())


@pytest.mark.parametrize("structure", ["block", "nm"])
def test_tickets_without_removed_outputs_train_as_before(tmp_path: Path, structure: str) -> None:
    lab = Lab(tmp_path, f"prune.structure={structure}", base=LENET)
    assert list(lab.run().table["engine"]) == ["alone", "alone"]
    assert not zeroed_in(lab.store.tensors(lab.entry(1).start.key))


def test_replicates_of_dense_layers_stay_stacked_unless_it_is_asked_for(tmp_path: Path) -> None:
    options = ("replicates=2", "prune.structure=channel")
    assert set(Lab(tmp_path / "auto", *options, base=LENET).run().table["engine"]) == {"stacked"}
    asked = Lab(tmp_path / "asked", *options, "engine=slim", base=LENET).run().table
    assert list(asked["engine"]) == ["stacked", "stacked", "slim", "slim"]


def test_dropout_is_no_ground_for_other_numbers(tmp_path: Path) -> None:
    options = ("model=conv2", "model.dropout=0.5", "prune.structure=channel")
    lab = Lab(tmp_path, *options, base=RESNET[3:])
    assert list(lab.run().table["engine"]) == ["alone", "alone"]
    assert "draws random numbers" in lab.store.record(lab.entry(1).trained.key)["not_slimmed"]


def test_asking_for_it_where_it_is_impossible_is_refused_before_training(tmp_path: Path) -> None:
    options = ("model=custom", "model._target_=tests.training.test_slim.Looking", "engine=slim", "prune.rate=0.5")
    lab = Lab(tmp_path, *options, base=RESNET[3:])
    with pytest.raises(BadRequest, match="engine=slim is impossible for this experiment"):
        lab.run()
    assert not list((tmp_path / "store").glob("*/*/metrics.jsonl"))


class Looking(nn.Module):
    """Looks at its input, which no graph can follow."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1)) if x.sum() > 0 else self.fc(-x.flatten(1))


def test_killed_and_started_again_it_comes_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("prune.structure=channel", "hardware.checkpoint_every=0", *SGD)
    whole, killed = Lab(tmp_path / "whole", *options, base=RESNET), Lab(tmp_path / "killed", *options, base=RESNET)
    whole.run()
    original, taken = Fit._update, []

    def dying(self: Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        taken.append((self.network.engine, step))
        if taken[-1] == ("slim", 13):
            raise KeyboardInterrupt
        original(self, step, x, y)

    monkeypatch.setattr(Fit, "_update", dying)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    monkeypatch.setattr(Fit, "_update", original)
    steps: list[int] = []
    monkeypatch.setattr(Fit, "_update", lambda self, step, x, y: (steps.append(step), original(self, step, x, y))[1])
    killed.run()
    assert steps[0] == 8  # it went on from the checkpoint
    for name, tensor in whole.trained(1).items():
        assert torch.equal(tensor, killed.trained(1)[name]), name


def test_the_smaller_network_is_really_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[str, int] = {}
    original = Fit.on_fit_start

    def noting(self: Fit) -> None:
        sizes[self.network.engine] = sum(parameter.numel() for parameter in self.network.trained().values())
        original(self)

    monkeypatch.setattr(Fit, "on_fit_start", noting)
    lab = Lab(tmp_path, "prune.structure=channel", base=RESNET)
    lab.run()
    start = lab.store.tensors(lab.entry(1).start.key)
    from lotto.stages import mask_in, model_of

    model = model_of(lab.entry(1).trained.fields)
    smaller = slimmed(model, (1, 8, 8), pinned(mask_in(start), zeroed_in(start))).module
    assert sizes["slim"] == sum(parameter.numel() for parameter in smaller.parameters()) < 0.4 * sizes["alone"]
    assert state_of(smaller).keys() <= state_of(model).keys()
