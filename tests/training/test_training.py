"""What training must hold, on networks small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import lotto.training.fit as fit_module
from lotto.mask import Mask
from lotto.models.build import build
from lotto.training.network import load_state
from tests.training.lab import TINY, Lab, untimed

pytestmark = pytest.mark.usefixtures("without_figures")


def test_stacked_and_alone_agree(tmp_path: Path) -> None:
    options = ("replicates=3", "controls=[reinit]")
    stacked, alone = Lab(tmp_path / "stacked", *options), Lab(tmp_path / "alone", *options, "engine=alone")
    engines = [set(lab.run().table["engine"]) for lab in (stacked, alone)]
    assert engines == [{"stacked"}, {"alone"}]
    for entry in stacked.plan.entries:
        together, apart = stacked.store.tensors(entry.trained.key), alone.store.tensors(entry.trained.key)
        for name, tensor in apart.items():
            torch.testing.assert_close(together[name], tensor, rtol=1e-3, atol=1e-5)


def test_a_training_split_at_the_rewinding_point_is_the_same_training(tmp_path: Path) -> None:
    whole, split = Lab(tmp_path / "whole"), Lab(tmp_path / "split", "rewind.at=30it")
    whole.run(), split.run()
    assert whole.entry().trained.key == split.entry().trained.key
    for name, tensor in whole.trained().items():
        assert torch.equal(tensor, split.trained()[name]), name
    key = whole.entry().trained.key
    assert whole.store.metrics(key) == split.store.metrics(key)
    results = [lab.store.record(key)["result"] for lab in (whole, split)]
    for result in results:
        result.pop("wall_seconds")
    assert results[0] == results[1]


def test_a_rewound_ticket_starts_at_m_times_w_k_and_at_the_schedule_position_k(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, float]] = []
    original = fit_module.Fit._update

    def noted(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        original(self, step, x, y)
        seen.append((step, self.optimizer.param_groups[0]["lr"]))

    monkeypatch.setattr(fit_module.Fit, "_update", noted)
    lab = Lab(
        tmp_path,
        "rewind.at=30it",
        "train/lr_schedule=step",
        "train.lr_schedule.milestones=[40it]",
        "train.lr=0.01",
        "train.warmup=20it",
    )
    lab.run()
    ticket = lab.entry(1)
    start = lab.store.tensors(ticket.start.key)
    w_k = lab.store.tensors(ticket.start.parents["weights"].key)
    for name in w_k:
        if name.startswith("weights/"):
            mask = start.get(name.replace("weights/", "mask/"))
            assert torch.equal(start[name], w_k[name] if mask is None else w_k[name] * mask), name
    steps = [step for step, _ in seen]
    # The dense network in two parts, then the ticket: the remaining steps alone.
    assert steps == [*range(60), *range(30, 60)]
    rates = dict(seen[60:])
    assert rates[30] == pytest.approx(0.01) and rates[40] == pytest.approx(0.001)
    assert dict(seen[:60])[10] == pytest.approx(0.005)


def test_finetuning_holds_the_last_learning_rate_and_starts_from_trained_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    original = fit_module.Fit._update

    def noted(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        original(self, step, x, y)
        rates.append(self.optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(fit_module.Fit, "_update", noted)
    lab = Lab(
        tmp_path, "rewind=finetune", "rewind.at=40it", "train/lr_schedule=step", "train.lr_schedule.milestones=[50it]"
    )
    lab.run()
    assert rates[60:] == pytest.approx([0.00012] * 20)
    start, trained = lab.store.tensors(lab.entry(1).start.key), lab.trained(0)
    for name in (name for name in trained if f"mask/{name.removeprefix('weights/')}" in start):
        assert torch.equal(start[name], trained[name] * start[name.replace("weights/", "mask/")])


def test_pruned_weights_stay_zero_under_momentum_and_weight_decay(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "train/optimizer=sgd", "train.lr=0.05", "train.weight_decay=0.01", "schedule.levels=3")
    lab.run()
    mask = lab.store.tensors(lab.entry(2).start.key)
    trained = lab.trained(2)
    pruned = {
        name: trained[name][mask[name.replace("weights/", "mask/")] == 0]
        for name in trained
        if "fc" in name and name.endswith("weight")
    }
    assert sum(map(len, pruned.values())) > 500
    assert all(bool((values == 0).all()) for values in pruned.values())
    assert all(bool((trained[name] != 0).any()) for name in pruned)


class Restless(torch.optim.SGD):
    """Moves every weight, with or without gradient: no ticket stays sparse under it."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.add_(0.01)


def test_an_optimizer_that_revives_pruned_weights_is_a_failed_stage(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "train/optimizer=sgd", "train.optimizer._target_=tests.training.test_training.Restless")
    outcome = lab.run()
    assert list(outcome.table["level"]) == [0]
    assert "came back" in outcome.failed[0]


def test_early_stopping_is_the_first_least_validation_loss_and_reads_the_test_split_there(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "train.lr=0.02", "train.steps=90it", "schedule.levels=1")
    row = lab.run().table.iloc[0]
    metrics = lab.store.metrics(row["key"])
    assert [entry["step"] for entry in metrics] == [0, 15, 30, 45, 60, 75, 90]
    losses = [entry["val_loss"] for entry in metrics]
    assert row["val_loss_min"] == min(losses)
    assert row["early_stop_step"] == metrics[losses.index(min(losses))]["step"]
    # Training that ends at that step has the accuracy that was noted for it.
    shorter = Lab(tmp_path / "shorter", "train.lr=0.02", f"train.steps={row['early_stop_step']}it", "schedule.levels=1")
    assert shorter.run().table.iloc[0]["test_accuracy"] == row["test_accuracy_early_stop"]


def test_reported_accuracy_is_that_of_the_stored_weights(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "replicates=2")
    table = lab.run().table
    from sklearn.datasets import load_digits

    from lotto.data.build import build as build_data

    data = build_data(lab.spec.data_config)
    data.load()
    x, y = next(iter(data.evaluation_batches("test", 10_000)))
    assert len(y) == 450 and len(load_digits().target) == 1797
    for row in table.itertuples():
        model = build(lab.spec.model, (1, 8, 8), 10, 0)
        tensors = lab.store.tensors(row.key)
        load_state(model, {name.removeprefix("weights/"): tensor for name, tensor in tensors.items()})
        assert float((model.eval()(x).argmax(1) == y).double().mean()) == pytest.approx(row.test_accuracy, abs=1e-12)
        alive = sum(
            int((tensors[f"weights/{name}"] != 0).sum())
            for name in dict(model.named_parameters())
            if name.endswith("weight")
        )
        assert alive == row.weights_remaining


def test_a_loss_that_is_not_finite_fails_its_replicate_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = fit_module.Fit._update

    def poisoned(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        if step == 20:
            x[1] = float("inf")
        original(self, step, x, y)

    monkeypatch.setattr(fit_module.Fit, "_update", poisoned)
    lab = Lab(tmp_path, "replicates=3", "schedule.levels=1")
    outcome = lab.run()
    assert list(outcome.table["replicate"]) == [0, 2]
    assert len(outcome.failed) == 1 and "not finite" in outcome.failed[0]
    monkeypatch.undo()
    assert len(lab.run().table) == 3


def test_bf16_does_not_keep_stale_copies_of_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = Lab(tmp_path / "long", "hardware.precision=bf16", "hardware=cpu", "schedule.levels=1")
    long.run()
    monkeypatch.setattr(fit_module, "LONGEST_CHUNK", 1)
    short = Lab(tmp_path / "short", "hardware.precision=bf16", "hardware=cpu", "schedule.levels=1")
    short.run()
    for name, tensor in long.trained().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, short.trained()[name])
    exact = Lab(tmp_path / "exact", "schedule.levels=1")
    exact.run()
    assert not torch.equal(exact.trained()["weights/fc.weight"], long.trained()["weights/fc.weight"])


class Noisy(nn.Module):
    """Convolution, batch normalisation and dropout: everything that has state or randomness of its own."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5))
        self.head = nn.Linear(144, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


NOISY = ("model=custom", "model._target_=tests.training.test_training.Noisy")
NOISY_BASE = ("train.steps=60it", "train.evaluate_every=15it", "replicates=1", "schedule.levels=2", "controls=[]")


@pytest.mark.parametrize("network", ["lenet", "noisy"])
def test_resuming_inside_a_training_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str
) -> None:
    base, extra = (
        (NOISY_BASE, NOISY)
        if network == "noisy"
        else (("replicates=2", "model.plan=[20,12]", *NOISY_BASE[:2], *NOISY_BASE[3:]), ())
    )
    whole = Lab(tmp_path / "whole", *extra, base=base)
    expected = whole.run().table
    broken = Lab(tmp_path / "broken", "hardware.checkpoint_every=0", *extra, base=base)
    original = fit_module.Fit._update
    falls = iter([40, 50])

    class Killed(BaseException):
        pass

    fall = next(falls)

    def interrupted(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        if step == fall:
            raise Killed
        original(self, step, x, y)

    monkeypatch.setattr(fit_module.Fit, "_update", interrupted)
    with pytest.raises(Killed):
        broken.run()
    assert list((tmp_path / "broken" / "store" / "work").glob("*/checkpoint.safetensors"))
    fall = next(falls)
    with pytest.raises(Killed):
        broken.run()
    monkeypatch.undo()
    seen: list[int] = []

    def noted(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        seen.append(step)
        original(self, step, x, y)

    monkeypatch.setattr(fit_module.Fit, "_update", noted)
    table = broken.run().table
    assert seen[0] == 45, "the second checkpoint was at step 45"
    assert untimed(table).equals(untimed(expected))
    for entry in whole.plan.entries:
        for name, tensor in whole.store.tensors(entry.trained.key).items():
            assert torch.equal(tensor, broken.store.tensors(entry.trained.key)[name]), name
        assert whole.store.metrics(entry.trained.key) == broken.store.metrics(entry.trained.key)
    assert not list((tmp_path / "broken" / "store" / "work").glob("*/checkpoint.safetensors"))


def test_batch_norm_statistics_are_rewound_with_the_weights(tmp_path: Path) -> None:
    lab = Lab(tmp_path, *NOISY, "rewind.at=30it", base=NOISY_BASE)
    lab.run()
    ticket = lab.entry(1)
    start = lab.store.tensors(ticket.start.key)
    w_k = lab.store.tensors(ticket.start.parents["weights"].key)
    trained = lab.trained(0)
    name = "weights/body.1.running_mean"
    assert torch.equal(start[name], w_k[name]) and not torch.equal(start[name], trained[name])
    assert int(start["weights/body.1.num_batches_tracked"]) == 30
    assert int(lab.trained(1)["weights/body.1.num_batches_tracked"]) == 60


def test_two_masks_of_one_level_differ_between_replicates(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "replicates=2")
    lab.run()
    masks = []
    for replicate in (0, 1):
        tensors = lab.store.tensors(lab.entry(1, replicate=replicate).start.key)
        masks.append(Mask({name: tensor for name, tensor in tensors.items() if name.startswith("mask/")}))
    assert masks[0].remaining == masks[1].remaining and masks[0] != masks[1]


def test_optimizer_state_follows_the_rewound_weights_of_the_ticket_and_of_its_controls(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "rewind.at=30it", "rewind.optimizer=follow", "controls=[shuffle,reinit]", "train/optimizer=sgd")
    assert not lab.run().failed
    point = lab.store.tensors(lab.entry(1).start.parents["weights"].key)
    for branch in ("ticket", "shuffle"):
        start = lab.store.tensors(lab.entry(1, branch).start.key)
        slot = "optimizer/momentum_buffer/fc.weight"
        assert torch.equal(start[slot], point[slot] * start["mask/fc.weight"])
        assert bool((start[slot] != 0).any())
    fresh = lab.store.tensors(lab.entry(1, "reinit").start.key)
    assert not any(name.startswith("optimizer/") for name in fresh)


def test_a_rewinding_point_off_the_evaluation_grid_leaves_the_training_as_it_was(tmp_path: Path) -> None:
    for network, base in (("lenet", TINY), ("noisy", (*NOISY_BASE, *NOISY))):
        whole = Lab(tmp_path / network / "whole", base=base)
        split = Lab(tmp_path / network / "split", "rewind.at=40it", base=base)
        whole.run(), split.run()
        key = whole.entry().trained.key
        assert key == split.entry().trained.key
        assert whole.store.metrics(key) == split.store.metrics(key)
        for name, tensor in whole.trained().items():
            assert torch.equal(tensor, split.trained()[name]), (network, name)


def test_a_diverged_replicate_harms_neither_the_others_nor_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = fit_module.Fit._update

    def poisoned(self: fit_module.Fit, step: int, x: torch.Tensor, y: torch.Tensor) -> None:
        if step == 20:
            x[0] = float("inf")
        original(self, step, x, y)

    monkeypatch.setattr(fit_module.Fit, "_update", poisoned)
    outcome = Lab(tmp_path, "replicates=3", "hardware.checkpoint_every=0").run()
    assert set(outcome.table["replicate"]) == {1, 2} and set(outcome.table["level"]) == {0, 1}
    assert outcome.written is not None and outcome.tickets


def test_validation_and_test_are_measured_under_the_precision_of_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = fit_module.Fit._measure

    def noted(self: fit_module.Fit, tensors: dict, split: str) -> tuple[torch.Tensor, torch.Tensor]:
        forward = self.network.evaluate
        self.network.evaluate = lambda *given: (seen.append(torch.is_autocast_enabled("cpu")), forward(*given))[1]
        try:
            return original(self, tensors, split)
        finally:
            del self.network.evaluate

    monkeypatch.setattr(fit_module.Fit, "_measure", noted)
    Lab(tmp_path, "hardware=cpu", "hardware.precision=bf16", "schedule.levels=1").run()
    assert len(seen) >= 6 and all(seen)


class HalfUsed(nn.Module):
    """One of its layers is never called."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.unused = nn.Linear(64, 8)
        self.fc = nn.Linear(64, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))


def test_a_layer_that_is_never_called_is_pruned_like_any_other(tmp_path: Path) -> None:
    model = ("model=custom", "model._target_=tests.training.test_training.HalfUsed")
    lab = Lab(tmp_path, *model, "replicates=2", base=NOISY_BASE)
    assert not lab.run().failed
    tensors = lab.trained(1)
    assert int((tensors["weights/unused.weight"] != 0).sum()) == 512 - round(0.2 * 512)
