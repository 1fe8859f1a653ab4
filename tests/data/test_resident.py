"""What every data set that lies in memory does, checked against batches made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor

from lotto.data.augment import HorizontalFlip, PadCrop
from lotto.data.normalise import Scale
from lotto.data.share import Share
from lotto.errors import BadRequest
from tests.data.data_samples import TinySet, replicates

AUGMENT = (HorizontalFlip(), PadCrop(2))


def batches(data: TinySet, count: int, start: int, stop: int, drop_last: bool = False) -> list[tuple[Tensor, Tensor]]:
    return list(data.train_batches(replicates(count), start, stop, 5, drop_last))


def equal(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(p, q) for one, other in zip(a, b, strict=True) for p, q in zip(one, other, strict=True)
    )


def test_batches_follow_the_order_of_each_epoch() -> None:
    data = TinySet(normalise=Scale(2))
    data.load()
    train = data._splits["train"]
    steps = iter(batches(data, 2, 0, 10))
    for epoch in range(2):
        orders = [streams.permutation(23, epoch) for streams in replicates(2)]
        for first in range(0, 23, 5):
            x, y = next(steps)
            for replicate, order in enumerate(orders):
                wanted = order[first : first + 5]
                assert torch.equal(x[replicate], train.images[wanted].float() / 2)
                assert torch.equal(y[replicate], train.labels[wanted])


def test_types_and_shapes() -> None:
    x, y = batches(TinySet(AUGMENT), 3, 0, 1)[0]
    assert (x.shape, x.dtype) == ((3, 5, 2, 6, 5), torch.float32)
    assert (y.shape, y.dtype) == ((3, 5), torch.int64)


@pytest.mark.parametrize("augment", [(), AUGMENT], ids=["plain", "augmented"])
@pytest.mark.parametrize("drop_last", [False, True])
def test_any_step_can_be_the_first(augment: tuple, drop_last: bool) -> None:
    whole = batches(TinySet(augment), 2, 0, 12, drop_last)
    for start in range(12):
        assert equal(batches(TinySet(augment), 2, start, 12, drop_last), whole[start:])


def test_stacked_replicates_see_what_they_see_alone() -> None:
    stacked = batches(TinySet(AUGMENT), 3, 0, 7)
    for replicate, streams in enumerate(replicates(3)):
        alone = TinySet(AUGMENT).train_batches([streams], 0, 7, 5, False)
        assert equal(list(alone), [(x[replicate, None], y[replicate, None]) for x, y in stacked])


@pytest.mark.parametrize("drop_last", [False, True])
def test_shares_of_a_batch_are_the_batch(drop_last: bool) -> None:
    whole = batches(TinySet(AUGMENT), 2, 3, 12, drop_last)
    parts = [
        list(TinySet(AUGMENT).train_batches(replicates(2), 3, 12, 5, drop_last, Share(rank, 3))) for rank in range(3)
    ]
    for (x, y), *shared in zip(whole, *parts, strict=True):
        assert torch.equal(torch.cat([part for part, _ in shared], 1), x)
        assert all(torch.equal(labels, y) for _, labels in shared)
    held = list(TinySet().evaluation_batches("validation", 2))
    shares = [batch for rank in range(3) for batch in TinySet().evaluation_batches("validation", 2, Share(rank, 3))]
    for place in (0, 1):
        assert torch.equal(torch.cat([b[place] for b in shares]), torch.cat([b[place] for b in held]))


def test_interleaved_iterators_do_not_disturb_each_other() -> None:
    data = TinySet(AUGMENT)
    one, other = (data.train_batches([streams], 0, 7, 5, False) for streams in replicates(2))
    pairs = list(zip(one, other, strict=True))
    assert equal([a for a, _ in pairs], batches(TinySet(AUGMENT), 1, 0, 7))


def test_partial_last_batch_is_kept_unless_dropped() -> None:
    assert [y.shape[1] for _, y in batches(TinySet(), 1, 0, 6)] == [5, 5, 5, 5, 3, 5]
    assert [y.shape[1] for _, y in batches(TinySet(), 1, 0, 6, drop_last=True)] == [5] * 6


def test_epochs_and_replicates_differ_in_order_and_hold_every_example() -> None:
    seen = [torch.cat([y for _, y in batches(TinySet(), 2, 5 * e, 5 * e + 5)], dim=1) for e in range(2)]
    every = seen[0][0].sort().values
    assert all(torch.equal(row.sort().values, every) for epoch in seen for row in epoch)
    assert not torch.equal(seen[0][0], seen[1][0])
    assert not torch.equal(seen[0][0], seen[0][1])


def test_splits_are_disjoint_and_complete() -> None:
    labels = {
        split: torch.cat([y for _, y in TinySet().evaluation_batches(split, 4)]) for split in ("train", "validation")
    }
    assert [len(labels["train"]), len(labels["validation"])] == [23, 4]
    assert sorted([*labels["train"].tolist(), *labels["validation"].tolist()]) == list(range(27))


def test_validation_is_drawn_by_the_split_seed() -> None:
    held = [next(TinySet(split_seed=seed).evaluation_batches("validation", 4))[1].tolist() for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]


def test_evaluation_is_in_order_and_without_augmentation() -> None:
    data = TinySet(AUGMENT)
    found = list(data.evaluation_batches("test", 2))
    assert [len(y) for _, y in found] == [2, 2, 1]
    assert torch.equal(torch.cat([y for _, y in found]), torch.arange(5))
    assert torch.equal(torch.cat([x for x, _ in found]), data._splits["test"].images.float())


def test_unknown_split_is_refused_before_it_is_iterated() -> None:
    with pytest.raises(BadRequest, match="split='val' is unknown: train, validation, test are allowed"):
        TinySet().evaluation_batches("val", 2)


def test_empty_split_is_refused() -> None:
    data = TinySet()
    data.sizes["validation"] = 0
    with pytest.raises(BadRequest, match="split='validation' is empty"):
        data.evaluation_batches("validation", 2)


def test_what_is_read_must_be_what_was_declared() -> None:
    data = TinySet()
    data.sizes["test"] = 6
    with pytest.raises(BadRequest, match=r"declare 6 test images of \(2, 6, 5\), but 5 of \(2, 6, 5\)"):
        data.load()


def test_labels_must_be_classes() -> None:
    data = TinySet()
    data.classes = 10
    with pytest.raises(BadRequest, match=r"data.classes=10 but the train labels go up to 26"):
        data.load()


def test_loading_reads_once() -> None:
    data = TinySet()
    data.load()
    first = data._splits["train"].images
    data.load()
    assert data._splits["train"].images is first


def test_batches_draw_nothing_from_the_global_stream() -> None:
    before = torch.get_rng_state()
    batches(TinySet(AUGMENT), 2, 0, 6)
    assert torch.equal(torch.get_rng_state(), before)


class Recorder(LightningModule):
    """Keeps the labels that a Trainer hands over."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.labels: dict[str, list[Tensor]] = {"training": [], "validation": []}

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        self.labels["training"].append(batch[1])
        return self.weight * batch[0].mean()

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        self.labels["validation"].append(batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


@pytest.mark.filterwarnings("ignore")
def test_it_is_a_lightning_data_module() -> None:
    data, module = TinySet(AUGMENT), Recorder()
    data.seed, data.batch_size = 3, 5
    quiet: dict[str, Any] = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    Trainer(accelerator="cpu", max_epochs=2, num_sanity_val_steps=0, **quiet).fit(module, datamodule=data)
    wanted = [y[0] for _, y in batches(TinySet(AUGMENT), 1, 0, 10)]
    assert torch.equal(torch.cat(module.labels["training"]), torch.cat(wanted))
    assert len(torch.cat(module.labels["validation"])) == 2 * 4
    assert len(torch.cat([y for _, y in data.test_dataloader()])) == 5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_the_device_changes_no_batch_and_no_step_waits_for_it() -> None:
    data = TinySet(AUGMENT)
    data.place("cuda")
    next(data.train_batches(replicates(2), 0, 1, 5, False))
    torch.cuda.set_sync_debug_mode("error")
    found = batches(data, 2, 0, 5)
    torch.cuda.set_sync_debug_mode("default")
    assert all(tensor.is_cuda for batch in found for tensor in batch)
    assert equal([(x.cpu(), y.cpu()) for x, y in found], batches(TinySet(AUGMENT), 2, 0, 5))


@pytest.mark.parametrize("augment", [None, AUGMENT])
@pytest.mark.parametrize("drop_last", [True, False])
def test_batches_gathered_together_are_those_gathered_one_by_one(
    monkeypatch: pytest.MonkeyPatch, augment: tuple | None, drop_last: bool
) -> None:
    one_by_one = batches(TinySet(normalise=Scale(2), augment=augment), 2, 3, 17, drop_last)
    monkeypatch.setattr(TinySet, "_gathered_steps", lambda self, examples: 4)
    assert equal(one_by_one, batches(TinySet(normalise=Scale(2), augment=augment), 2, 3, 17, drop_last))


def test_a_module_that_writes_into_its_input_harms_no_later_evaluation() -> None:
    data = TinySet(normalise=Scale(2))
    first = [x.clone() for x, _ in data.evaluation_batches("test", 3)]
    for x, _ in data.evaluation_batches("test", 3):
        x.zero_()
    assert all(torch.equal(x, y) for x, (y, _) in zip(first, data.evaluation_batches("test", 3), strict=True))
