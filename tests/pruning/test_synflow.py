"""SynFlow: what is conserved, what it does not depend on, and which layers survive."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import lotto
from lotto.errors import LottoError
from lotto.models.init import initialise
from lotto.models.vgg import CifarVgg
from tests.pruning.networks import convolutional, drawn, images, plain


def flow(model: nn.Module, shape: tuple[int, ...]) -> tuple[Tensor, nn.Module]:
    """R, and the network of absolute values in float64 that it was found with."""
    positive = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for parameter in positive.parameters():
            parameter.copy_(parameter.abs())
    return positive(torch.ones(1, *shape, dtype=torch.float64)).sum(), positive


def sums(model: nn.Module, shape: tuple[int, ...]) -> dict[str, float]:
    return {name: float(s.sum()) for name, s in lotto.scores(model, "synflow", input_shape=shape).items()}


@pytest.mark.parametrize(
    ("network", "shape"),
    [(drawn(plain, 192, 30, 20, 4), (192,)), (drawn(convolutional), (3, 8, 8))],
    ids=["linear", "conv"],
)
def test_every_layer_of_a_network_without_biases_and_skips_carries_the_whole_flow(
    network: nn.Module, shape: tuple[int, ...]
) -> None:
    """Batch normalisation is between the layers, and in training mode: with the statistics of the input the sums would not be near."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    whole = flow(network.train(), shape)[0].item()
    assert list(sums(network, shape).values()) == pytest.approx([whole] * 3 + [whole] * (len(shape) == 3), rel=1e-12)


def test_what_flows_into_a_unit_flows_out() -> None:
    found = lotto.scores(drawn(plain, 192, 30, 20, 4), "synflow", input_shape=(192,))
    torch.testing.assert_close(found["1.weight"].sum(1), found["3.weight"].sum(0), rtol=1e-12, atol=0)
    torch.testing.assert_close(found["3.weight"].sum(1), found["5.weight"].sum(0), rtol=1e-12, atol=0)


def test_biases_feed_the_flow() -> None:
    model = drawn(lambda: plain(192, 30, 20, 4, bias=True))
    whole, positive = flow(model, (192,))
    names = [name for name, _ in positive.named_parameters()]
    g = torch.autograd.grad(whole, [*positive.parameters()])
    of_biases = {
        n: float((gradient * positive.get_parameter(n)).sum())
        for n, gradient in zip(names, g, strict=True)
        if "bias" in n
    }
    found = sums(model, (192,))
    assert found["3.weight"] == pytest.approx(found["1.weight"] + of_biases["1.bias"], rel=1e-12)
    assert found["5.weight"] == pytest.approx(found["3.weight"] + of_biases["3.bias"], rel=1e-12)
    assert found["5.weight"] + of_biases["5.bias"] == pytest.approx(float(whole), rel=1e-12)


class Skip(nn.Module):
    """A residual block between two layers, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(10, 8, bias=False), nn.Linear(8, 4, bias=False)
        self.inner = nn.Sequential(nn.Linear(8, 6, bias=False), nn.ReLU(), nn.Linear(6, 8, bias=False))
        self.with_skip = True

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        return self.last(self.inner(x) + (x if self.with_skip else 0))


def test_a_skip_takes_its_share() -> None:
    model = drawn(Skip)
    whole = flow(model, (10,))[0].item()
    found = sums(model, (10,))
    model.with_skip = False
    around = whole - flow(model, (10,))[0].item()  # the flow is linear in what meets before the last layer
    assert found["first.weight"] == pytest.approx(whole, rel=1e-12) == found["last.weight"]
    inside = [found["inner.0.weight"], found["inner.2.weight"]]
    assert inside == pytest.approx([whole - around] * 2, rel=1e-12)
    assert 0 < inside[0] < 0.9 * whole


def test_neither_data_nor_signs_nor_mode_matter() -> None:
    model = drawn(convolutional)
    mask = lotto.prune(model, "synflow", 0.1, input_shape=(3, 8, 8))
    other = copy.deepcopy(model).eval()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(torch.where(torch.rand(parameter.shape) < 0.5, -1.0, 1.0))
    assert mask == lotto.prune(other, "synflow", 0.1, input_shape=(3, 8, 8))
    for seed in (0, 1):
        assert mask == lotto.prune(model, "synflow", 0.1, batches=[images(4, seed=seed)])


def test_weights_come_back_bit_for_bit() -> None:
    model = drawn(convolutional)
    before = copy.deepcopy(model.state_dict())
    lotto.prune(model, "synflow", 0.1, input_shape=(3, 8, 8))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def by_hand(model: nn.Sequential, density: float, rounds: int) -> list[Tensor]:
    """The masks of a plain network's layers by the closed form: the flow is a product of matrices."""
    absolute = [module.weight.detach().double().abs() for module in model if isinstance(module, nn.Linear)]
    masks = [torch.ones_like(weight, dtype=torch.bool) for weight in absolute]
    total = sum(weight.numel() for weight in absolute)
    for number in range(1, rounds + 1):
        masked = [weight * kept for weight, kept in zip(absolute, masks, strict=True)]
        forward, backward = (
            [torch.ones(masked[0].shape[1], dtype=torch.float64)],
            [torch.ones(masked[-1].shape[0], dtype=torch.float64)],
        )
        for weight in masked[:-1]:
            forward.append(weight @ forward[-1])
        for weight in masked[:0:-1]:
            backward.insert(0, backward[0] @ weight)
        score = torch.cat([(b[:, None] * w * f).flatten() for f, w, b in zip(forward, masked, backward, strict=True)])
        score[~torch.cat([kept.flatten() for kept in masks])] = -1
        chosen = torch.zeros(total, dtype=torch.bool)
        chosen[score.argsort(descending=True, stable=True)[: round(total * density ** (number / rounds))]] = True
        masks = [p.view_as(w) for p, w in zip(chosen.split([w.numel() for w in absolute]), absolute, strict=True)]
    return masks


@pytest.mark.parametrize("rounds", [1, 7])
def test_rounds_worked_out_by_matrix_products(rounds: int) -> None:
    model = drawn(plain, 60, 30, 20, 4)
    assert isinstance(model, nn.Sequential)
    found = lotto.prune(model, "synflow", 0.03, input_shape=(60,), rounds=rounds)
    assert all(torch.equal(a, b) for a, b in zip(found.values(), by_hand(model, 0.03, rounds), strict=True))


def kaiming() -> nn.Module:
    """784-300-100-10 without biases: 266,200 weights."""
    model = plain(784, 300, 100, 10)
    initialise(model, weights="kaiming_normal")
    return model


@pytest.mark.parametrize(
    ("ratio", "rounds", "measured"),
    [
        (10, 1, (3486, 22141, 993)),
        (10, 100, (16578, 9068, 974)),
        (100, 1, (0, 1709, 953)),
        (100, 100, (1306, 720, 636)),
        (1000, 1, (0, 0, 267)),
        (1000, 100, (122, 48, 97)),
    ],
)
@pytest.mark.filterwarnings("ignore:Pruning by synflow leaves no weight")
def test_kept_weights_of_the_table(ratio: int, rounds: int, measured: tuple[int, ...]) -> None:
    """Measured for the sheet with another seed: counts agree to a tenth and a few; empty layers exactly."""
    counts = [*lotto.prune(drawn(kaiming), "synflow", 1 / ratio, input_shape=(784,), rounds=rounds).counts().values()]
    assert sum(counts) == round(266_200 / ratio)
    for count, known in zip(counts, measured, strict=True):
        assert (count == 0) == (known == 0)
        assert count == pytest.approx(known, rel=0.1, abs=15)


def test_a_hundred_rounds_keep_a_path_alive_down_to_one_weight_a_layer() -> None:
    model, weights = drawn(kaiming), 266_200
    for kept in (100, 10, 3):
        mask = lotto.prune(model, "synflow", kept / weights, input_shape=(784,))
        assert mask.remaining == kept
        assert min(mask.counts().values()) >= 1
        paths = mask["5.weight"].double() @ mask["3.weight"].double() @ mask["1.weight"].double()
        assert paths.sum() >= 1


@pytest.mark.parametrize(("rounds", "path"), [(1, "exponential"), (100, "linear")])
def test_one_round_or_a_linear_path_empties_layers(rounds: int, path: str) -> None:
    with pytest.warns(UserWarning, match=r"Pruning by synflow leaves no weight in 1\.weight"):
        mask = lotto.prune(drawn(kaiming), "synflow", 1e-4, input_shape=(784,), rounds=rounds, path=path)
    assert mask.counts()["1.weight"] == 0


def test_vgg_16_keeps_every_layer_where_one_shot_scores_lose_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a thousandth of the weights; an eighth of VGG-16's channels, so that a test can wait for it."""
    monkeypatch.setattr("lotto.models.vgg._STAGE_WIDTHS", (8, 16, 32, 64, 64))
    torch.manual_seed(0)
    model = CifarVgg((3, 32, 32), 10, depth=16)
    initialise(model, weights="kaiming_normal")
    assert min(lotto.prune(model, "synflow", 1e-3, input_shape=(3, 32, 32)).counts().values()) >= 1
    batch = images(50, classes=10, shape=(3, 32, 32))
    for criterion in ("snip", "grasp"):
        with pytest.warns(UserWarning, match=f"Pruning by {criterion} leaves no weight in layers"):
            mask = lotto.prune(model, criterion, 1e-3, batches=[batch])
        assert min(mask.counts().values()) == 0


def test_depth_that_float32_cannot_hold() -> None:
    model = plain(256, *[256] * 40, 10)
    initialise(model, weights="kaiming_normal")
    found = sums(model, (256,))
    assert min(found.values()) > torch.finfo(torch.float32).max
    assert [*found.values()] == pytest.approx([max(found.values())] * 41, rel=1e-10)
    mask = lotto.prune(model, "synflow", 1e-3, input_shape=(256,), rounds=20)
    assert min(mask.counts().values()) >= 1


def test_what_float64_cannot_hold_is_one_sentence() -> None:
    model = plain(4, 4, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e38)
    for _ in range(3):
        model = nn.Sequential(model, copy.deepcopy(model))
    assert math.isinf(flow(model, (4,))[0].item())
    with pytest.raises(LottoError, match="too large for float64"):
        lotto.scores(model, "synflow", input_shape=(4,))


def test_running_means_count_by_their_magnitude() -> None:
    """Of (w x - m) / sqrt(v) with w = -2 and x = 1 each input flows 2 - |m|; the authors take the whole state's absolute value."""
    first, norm, last = nn.Linear(1, 2, bias=False), nn.BatchNorm1d(2, eps=0.0), nn.Linear(2, 1, bias=False)
    first.load_state_dict({"weight": torch.full((2, 1), -2.0)})
    norm.load_state_dict(norm.state_dict() | {"running_mean": torch.tensor([-1.0, 3.0])})
    last.load_state_dict({"weight": torch.tensor([[3.0, -5.0]])})
    model = nn.Sequential(first, norm, nn.ReLU(), last)
    found = lotto.scores(model, "synflow", input_shape=(1,))
    # The first unit carries 2 - 1 = 1 onwards; the second is rectified, 2 - 3 < 0.
    assert found["3.weight"].tolist() == [[3.0, 0.0]]
    assert found["0.weight"].flatten().tolist() == [6.0, 0.0]
