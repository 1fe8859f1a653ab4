"""Alone, stacked, recorded and sparse: the same training, and the rule that chooses between them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from torch import Tensor, nn

import lotto.models.conv
import lotto.models.vgg
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.conv import ConvNet
from lotto.models.lenet import LeNet
from lotto.models.resnet import CifarResNet
from lotto.models.vgg import CifarVgg
from lotto.training.engine import (
    SMALLEST_SPARSE,
    SPARSE_BELOW,
    SPARSE_BELOW_ALONE,
    engine_for,
    network_for,
    sparse_layers,
)
from lotto.training.network import Alone
from lotto.training.recorded import Recordings
from lotto.training.sparse import Pattern
from lotto.training.stacked import dense
from tests.training.made_up import IMAGE, fitted, members, worst_difference

SGD = "torch.optim.SGD"


def test_the_trial_of_a_narrow_network_leaves_memory_alone() -> None:
    """oneDNN's backward pass of its 1x1 convolutions, on a batch of three, brought the process down: hence a process of its own."""
    tried = (
        "from lotto.models.resnet import CifarResNet; from lotto.training.engine import engine_for; "
        "print(engine_for(CifarResNet((3, 32, 32), 10, depth=20, width=8), (3, 32, 32), 'torch.optim.SGD', 'auto', 'cpu').largest)"
    )
    done = subprocess.run([sys.executable, "-c", tried], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1"


class Grouped(nn.Module):
    """Groups, dilation, a skip, group normalisation and a weight that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Conv2d(3, 8, 3, padding=1)
        self.first = nn.Conv2d(8, 8, 3, padding=2, groups=4, dilation=2)
        self.second = nn.Conv2d(8, 8, 3, padding=2, groups=4, dilation=2)
        self.second.weight = self.first.weight
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, 10, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.widen(x)
        x = x + self.norm(self.first(x)).relu()
        x = x + self.second(x).relu()
        return self.head(x.mean((2, 3)))


class Dropping(nn.Module):
    """Batch normalisation, and dropout of numbers, of channels and by the functional."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.3))
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6 * 7 * 7, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(self.drop(self.body(x).flatten(1)), 0.1, training=self.training))


class Wordy(nn.Module):
    """A linear layer on sequences, a weight used outside of its layer, and constants that are not in the state."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(48, 20)
        self.query = nn.Linear(20, 20, bias=False)
        self.head = nn.Linear(20, 10)
        self.register_buffer("position", torch.linspace(0, 1, 16).view(16, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x.reshape(len(x), 16, 48)) + self.position
        scores = torch.softmax(self.query(tokens) @ tokens.mT / 20**0.5, dim=2)
        return self.head((scores @ tokens).mean(1)) + self.head.weight.sum()


class Recurrent(nn.Module):
    """``vmap`` has no rule for its cell."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(48, 12, batch_first=True)
        self.head = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cell(x.reshape(len(x), 16, 48))[0][:, -1])


class Branching(nn.Module):
    """What it computes depends on the values that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(768, 10)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x.flatten(1))
        return y if float(y.sum()) > 0 else -y


class StraightThrough(nn.Module):
    """A gradient that is not that of the values: a recording would lose it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head = nn.Linear(768, 30), nn.Linear(30, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x.flatten(1))
        with torch.no_grad():
            rounded = hidden.sign()
        return self.head(hidden + (rounded - hidden).detach())


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The papers' networks with few channels: as deep, and quick in float64."""
    monkeypatch.setattr(lotto.models.vgg, "_STAGE_WIDTHS", (8, 8, 16, 16, 16))
    monkeypatch.setattr(lotto.models.conv, "_PAIR_WIDTHS", (4, 8, 8))
    monkeypatch.setattr(lotto.models.conv, "_HIDDEN_WIDTHS", (16, 16))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lenet": partial(LeNet, IMAGE, 10),
    "lenet with batch normalisation": partial(LeNet, IMAGE, 10, batch_norm=True),
    "conv2": partial(ConvNet, IMAGE, 10),
    "resnet20": partial(CifarResNet, IMAGE, 10, width=2),
    "vgg11": partial(CifarVgg, IMAGE, 10, depth=11),
    "groups, skip and shared weight": Grouped,
    "dropout": Dropping,
    "sequences": Wordy,
}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_stacked_and_alone_agree_after_a_hundred_steps(make: Callable[[], nn.Module]) -> None:
    taking_part = members(make, 2, 0.4)
    recordings = None if list(make().buffers()) else Recordings()
    together = fitted(make, taking_part, "stacked", recordings=recordings)
    apart = [fitted(make, [member], "alone")[0] for member in taking_part]
    assert worst_difference(together, apart) < 1e-10
    state = taking_part[0].state
    moved = max(float((apart[0].state[name] - state[name]).abs().max()) for name in state if name.endswith("weight"))
    assert moved > 1e-3, "it must have been a training"


def test_dropout_differs_between_replicates_and_between_steps() -> None:
    first, second = members(Dropping, 2)
    second.state = first.state
    network = network_for(Dropping(), [first, second], (), "stacked", None)
    x = torch.ones(1, 4, *IMAGE).expand(2, -1, -1, -1, -1)
    network.begin(3)
    one = network(x)
    network.begin(3)
    again = network(x)
    network.begin(4)
    later = network(x)
    assert torch.equal(one, again)
    assert not torch.allclose(one[0], one[1]) and not torch.allclose(one, later)


SPARSE_NETWORKS = {"lenet": NETWORKS["lenet"], "conv2": NETWORKS["conv2"], "sequences": Wordy}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "AdamW", "RMSprop"])
@pytest.mark.parametrize("name", ["lenet", "conv2"])
def test_sparse_and_dense_training_of_the_same_tickets_agree(name: str, optimizer: str) -> None:
    make = NETWORKS[name]
    taking_part = members(make, 3, 0.1)
    # A gradient that is rounding error alone must not be divided by its own size.
    settings = {} if optimizer == "SGD" else {"eps": 1e-4}
    changes = {"optimizer": {"_target_": f"torch.optim.{optimizer}", **settings}, "lr": 1e-3, "stop": 60}
    engine = engine_for(make(), IMAGE, f"torch.optim.{optimizer}", "sparse", "cpu")
    assert len(engine.sparse) == 3
    sparse = fitted(make, taking_part, "sparse", sorted(engine.sparse), engine.recordings, **changes)
    apart = [fitted(make, [member], "alone", **changes)[0] for member in taking_part]
    assert worst_difference(sparse, apart) < 1e-10
    for member, result in zip(taking_part, sparse, strict=True):
        for weight, kept in (member.mask or {}).items():
            assert bool((result.state[weight][~kept] == 0).all())


@pytest.mark.parametrize("asked", ["stacked", "sparse"])
def test_in_single_precision_the_difference_is_rounding(asked: str) -> None:
    make = NETWORKS["lenet"]
    taking_part = members(make, 2, 0.1)
    engine = engine_for(make(), IMAGE, SGD, asked, "cpu")
    together = fitted(make, taking_part, asked, sorted(engine.sparse), engine.recordings, precision="32")
    apart = [fitted(make, [member], "alone", precision="32")[0] for member in taking_part]
    assert 0 < worst_difference(together, apart) < 1e-5


def test_a_sparse_layer_trains_in_mixed_precision() -> None:
    make = NETWORKS["lenet"]
    taking_part = members(make, 2, 0.1)
    names = ["fc_layers.0.weight", "fc_layers.1.weight"]
    mixed = fitted(make, taking_part, "sparse", names, Recordings(), precision="bf16", stop=20)
    exact = fitted(make, taking_part, "sparse", names, Recordings(), precision="32", stop=20)
    assert all(result.finite for result in mixed)
    assert (
        0
        < max(float((a.state[names[0]] - b.state[names[0]]).abs().max()) for a, b in zip(mixed, exact, strict=True))
        < 0.05
    )


def test_a_member_is_the_same_whatever_the_stack_it_is_in() -> None:
    make = NETWORKS["lenet"]
    taking_part = members(make, 3, 0.1)
    names = ["fc_layers.0.weight", "fc_layers.1.weight"]
    three = fitted(make, taking_part, "sparse", names, Recordings(), stop=20)
    two = fitted(make, taking_part[1:], "sparse", names, Recordings(), stop=20)
    assert worst_difference(two, three[1:]) < 1e-12


# -- the sparse product, against the dense one -------------------------------------------------------------------------------------


@hypothesis_settings(deadline=None, max_examples=40)
@given(
    replicates=st.integers(1, 4),
    out=st.integers(1, 7),
    wide=st.integers(1, 9),
    batch=st.integers(1, 5),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 10_000),
    biased=st.booleans(),
)
def test_a_sparse_layer_computes_the_masked_dense_one(
    replicates: int, out: int, wide: int, batch: int, density: float, seed: int, biased: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    masks = [torch.rand(out, wide, generator=generator) < density for _ in range(replicates)]
    weight = (drawn(replicates, out, wide) * torch.stack(masks)).requires_grad_()
    bias = drawn(replicates, out).requires_grad_() if biased else None
    x = drawn(replicates, batch, wide).requires_grad_()
    pattern = Pattern(masks)
    values = weight.detach()[torch.stack(masks)].requires_grad_()
    direction = drawn(replicates, batch, out)
    sparse, expected = pattern.linear(x, values, bias, False), dense(x, weight, bias, False)
    torch.testing.assert_close(sparse, expected)
    of_sparse = torch.autograd.grad((sparse * direction).sum(), [x, values])
    of_dense = torch.autograd.grad((expected * direction).sum(), [x, weight])
    torch.testing.assert_close(of_sparse[0], of_dense[0])
    torch.testing.assert_close(of_sparse[1], of_dense[1][torch.stack(masks)])
    shared = x.detach()[0]
    torch.testing.assert_close(
        pattern.linear(shared, values.detach(), bias, True), dense(shared, weight.detach(), bias, True)
    )


def test_a_sparse_layer_follows_its_values_and_does_not_mix_two_sets_of_them() -> None:
    pattern = Pattern([torch.tensor([[True, False], [True, True]])])
    live, other = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    x = torch.tensor([[1.0, 10.0]])
    assert pattern.linear(x, live, None, True).tolist() == [[[1.0, 32.0]]]
    assert pattern.linear(x, other, None, True).tolist() == [[[4.0, 65.0]]]
    live.mul_(2)
    assert pattern.linear(x, live, None, True).tolist() == [[[2.0, 64.0]]]


# -- the rule ----------------------------------------------------------------------------------------------------------------------


def test_dense_layers_are_stacked_and_recorded() -> None:
    engine = engine_for(NETWORKS["lenet"](), IMAGE, "torch.optim.Adam", "auto", "cpu")
    assert engine.largest > 1 and engine.recordings is not None and engine.reason is None
    assert engine.sparse == {"fc_layers.0.weight", "fc_layers.1.weight", "fc.weight"}


def test_batch_normalisation_before_a_relu_is_stacked() -> None:
    engine = engine_for(LeNet(IMAGE, 10, batch_norm=True), IMAGE, "torch.optim.Adam", "auto", "cpu")
    assert engine.largest > 1 and engine.reason is None


def test_convolutions_are_trained_alone_on_a_cpu_and_their_linear_layers_may_be_sparse() -> None:
    engine = engine_for(ConvNet(IMAGE, 10), IMAGE, "torch.optim.Adam", "auto", "cpu")
    assert engine.largest == 1 and "convs.0 is a Conv2d" in str(engine.reason)
    assert "fc.weight" in engine.sparse


@pytest.mark.parametrize(("make", "why"), [(Recurrent, "torch.func.vmap refuses it"), (Branching, "refuses it")])
def test_what_cannot_be_stacked_is_trained_alone_with_a_reason(make: Callable[[], nn.Module], why: str) -> None:
    engine = engine_for(make(), IMAGE, SGD, "auto", "cpu")
    assert engine.largest == 1 and why in str(engine.reason)
    with pytest.raises(
        BadRequest, match=r"engine=stacked is impossible for this experiment .*choose engine=auto or alone"
    ):
        engine_for(make(), IMAGE, SGD, "stacked", "cpu")
    (member,) = members(make, 1)
    (result,) = fitted(make, [member], "alone", stop=5)
    assert result.finite


def test_a_recording_that_would_lose_a_gradient_is_not_used() -> None:
    engine = engine_for(StraightThrough(), IMAGE, SGD, "auto", "cpu")
    taking_part = members(StraightThrough, 2)
    together = fitted(StraightThrough, taking_part, "stacked", recordings=engine.recordings, stop=30)
    apart = [fitted(StraightThrough, [member], "alone", stop=30)[0] for member in taking_part]
    assert worst_difference(together, apart) < 1e-10


def test_a_weight_that_is_used_outside_of_its_layer_is_not_kept_sparse() -> None:
    assert engine_for(Wordy(), IMAGE, SGD, "auto", "cpu").sparse == frozenset()
    with pytest.raises(BadRequest, match="engine=sparse is impossible"):
        engine_for(Wordy(), IMAGE, SGD, "sparse", "cpu")


def test_an_optimizer_that_mixes_weights_is_not_stacked() -> None:
    engine = engine_for(NETWORKS["lenet"](), IMAGE, "torch.optim.Adafactor", "auto", "cpu")
    assert engine.largest == 1 and "Adafactor" in str(engine.reason)


def test_which_layers_are_sparse_follows_from_their_counts() -> None:
    engine = engine_for(NETWORKS["lenet"](), IMAGE, SGD, "auto", "cpu")
    large, total = "fc_layers.0.weight", 10 * SMALLEST_SPARSE
    at = int(SPARSE_BELOW * total)
    assert sparse_layers(engine, {large: [at, total]}, "auto", 2) == (large,)
    assert sparse_layers(engine, {large: [at + 1, total]}, "auto", 2) == ()
    assert sparse_layers(engine, {large: [0, total]}, "auto", 2) == ()
    assert sparse_layers(engine, {"fc.weight": [1, SMALLEST_SPARSE - 1]}, "auto", 2) == ()
    assert sparse_layers(engine, {"fc.weight": [1, 2], large: [total, total]}, "sparse", 2) == ("fc.weight", large)
    assert sparse_layers(engine, {}, "sparse", 2) == ()
    assert sparse_layers(engine, {large: [at, total]}, "auto", 1) == ()
    assert sparse_layers(engine, {large: [int(SPARSE_BELOW_ALONE * total), total]}, "auto", 1) == (large,)


@pytest.mark.parametrize("asked", ["alone", "stacked", "dense"])
def test_only_auto_and_sparse_train_sparsely(asked: str) -> None:
    assert engine_for(NETWORKS["lenet"](), IMAGE, SGD, asked, "cpu").sparse == frozenset()


def test_nothing_is_sparse_on_a_gpu() -> None:
    assert engine_for(NETWORKS["lenet"](), IMAGE, SGD, "auto", "cuda").sparse == frozenset()


def test_a_mask_of_ones_costs_no_multiplication() -> None:
    (member,) = members(NETWORKS["lenet"], 1)
    member.mask = Mask.ones({name: member.state[name] for name in member.state if name.endswith("weight")})
    assert Alone(NETWORKS["lenet"](), [member]).multipliers([member]) == {}


def test_a_recorded_pass_tells_tensors_apart_by_name() -> None:
    # Those of a checkpoint come in the order of their names.
    taking_part = members(NETWORKS["lenet"], 2)
    network = network_for(NETWORKS["lenet"]().double(), taking_part, (), "stacked", Recordings())
    x = torch.randn(3, *IMAGE, dtype=torch.float64)
    tensors = {name: tensor.detach().double() for name, tensor in network.tensors().items()}
    backwards = dict(reversed(list(tensors.items())))
    assert torch.equal(network.evaluate(backwards, x), network.evaluate(tensors, x))
    assert torch.equal(network.evaluate(backwards, x), network.evaluate(dict(sorted(tensors.items())), x))
