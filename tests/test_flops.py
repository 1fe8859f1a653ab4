"""FLOPs against counts worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import Tensor, nn

from lotto.compose import composed, read_spec
from lotto.flops import Flops, examples, network_flops
from lotto.report.columns import read_csv
from lotto.spec import Spec
from lotto.store import Store
from tests.e2e import TINY
from tests.training.lab import Lab


def spec_of(*overrides: str) -> Spec:
    return read_spec(composed(overrides))


def test_lenet_is_two_for_every_weight(tmp_path: Path) -> None:
    found = network_flops(spec_of("data=mnist", "data.root=nowhere"), Store(tmp_path))
    assert found is not None
    assert list(found.layers.values()) == [2 * 784 * 300, 2 * 300 * 100, 2 * 100 * 10]
    assert found.others == 0


def test_a_convolution_counts_at_every_place(tmp_path: Path) -> None:
    found = network_flops(spec_of("model=conv2", "data=cifar10", "data.root=nowhere"), Store(tmp_path))
    assert found is not None
    # 3x3 convolutions of 3 to 64 and 64 to 64 channels at 32x32 places, then 16384-256-256-10
    expected = [2 * 27 * 64 * 1024, 2 * 576 * 64 * 1024, 2 * 16384 * 256, 2 * 256 * 256, 2 * 256 * 10]
    assert list(found.layers.values()) == expected


def test_the_smaller_network_behind_a_channel_ticket_by_hand(tmp_path: Path) -> None:
    """64-20-12-10 that keeps 12 and 7 units; level 0, and tickets without channels, have none."""
    options = ("schedule.levels=2", "prune.rate=0.4")
    table = Lab(tmp_path, "prune.structure=channel", *options).run().table
    weights, biases = 64 * 12 + 12 * 7 + 7 * 10, 12 + 7 + 10
    assert table["weights_slimmed"].iloc[1] == weights + biases
    assert table["flops_slimmed"].iloc[1] == table["flops_inference"].iloc[1] == 2 * weights
    assert table["weights_slimmed"].isna().tolist() == [True, False]
    written = read_csv(tmp_path / "run" / "results.csv")
    assert written["weights_slimmed"].iloc[1] == weights + biases
    single = Lab(tmp_path, "prune.structure=block", *options).run().table
    assert single[["weights_slimmed", "flops_slimmed"]].isna().all(axis=None)


class Shared(nn.Module):
    """One weight used twice, and a product of activations that no weight is in."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.inner = nn.Linear(64, 64, bias=False)
        self.outer = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        h = self.inner(self.inner(x.flatten(1)))
        return self.outer((h.unsqueeze(2) @ h.unsqueeze(1)).mean(2))


def test_a_weight_used_twice_counts_twice_and_products_of_activations_apart(tmp_path: Path) -> None:
    found = network_flops(spec_of("model=custom", "model._target_=tests.test_flops.Shared"), Store(tmp_path))
    assert found == Flops({"inner.weight": 2 * 2 * 64 * 64, "outer.weight": 2 * 64 * 10}, 2 * 64 * 64)


class Looks(nn.Module):
    """Its forward pass depends on what it sees."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1) if float(x.sum()) >= 0 else -x.flatten(1))


def test_a_network_that_cannot_be_followed_has_no_count(tmp_path: Path) -> None:
    assert network_flops(spec_of("model=custom", "model._target_=tests.test_flops.Looks"), Store(tmp_path)) is None


def test_masked_weights_are_left_out_layer_by_layer() -> None:
    flops = Flops({"a": 1000, "b": 10}, 7)
    assert flops.inference({}) == 1017
    assert flops.inference({"a": [1, 4], "b": [5, 5]}) == 7 + 250 + 10


@pytest.mark.parametrize(
    ("overrides", "steps", "seen"),
    [
        # 1,197 examples: 19 whole batches of 60 and one of 57
        (("train.batch_size=60",), 20, 1197),
        (("train.batch_size=60",), 19, 19 * 60),
        (("train.batch_size=60",), 45, 2 * 1197 + 5 * 60),
        (("train.batch_size=60", "train.drop_last=true"), 40, 2 * 19 * 60 + 2 * 60),
        (("train.batch_size=2000",), 3, 3 * 1197),
    ],
)  # fmt: skip
def test_examples_of_a_training(overrides: tuple[str, ...], steps: int, seen: int) -> None:
    assert examples(spec_of(*overrides), 0, steps) == seen
    assert examples(spec_of(*overrides), 7, steps) == seen - examples(spec_of(*overrides), 0, 7)


def test_the_table_has_them(tmp_path: Path) -> None:
    import lotto

    lotto.run([*TINY, "replicates=1", f"store={tmp_path / 'store'}", f"hydra.run.dir={tmp_path / 'run'}"])
    table = read_csv(tmp_path / "run" / "results.csv")
    dense = 2 * (64 * 20 + 20 * 12 + 12 * 10)
    assert table.loc[table["level"] == 0, "flops_inference"].tolist() == [dense]
    # 60 steps: three epochs of 1,197 examples in 20 batches of 60
    assert table.loc[table["level"] == 0, "flops_training"].tolist() == [3 * dense * 3 * 1197]
    ticket, control = (
        table[(table["branch"] == branch) & (table["level"] == 2)].iloc[0] for branch in ("ticket", "reinit")
    )
    assert ticket["flops_inference"] == control["flops_inference"] == pytest.approx(2 * ticket["weights_remaining"])


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Linear(64, 64, bias=False)
        self.second = nn.Linear(64, 64, bias=False)
        self.second.weight = self.first.weight
        self.outer = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.second(self.first(x.flatten(1))))


def test_a_weight_that_two_layers_share_counts_for_both(tmp_path: Path) -> None:
    found = network_flops(spec_of("model=custom", "model._target_=tests.test_flops.Tied"), Store(tmp_path))
    assert found == Flops({"first.weight": 2 * 2 * 64 * 64, "outer.weight": 2 * 64 * 10}, 0)
