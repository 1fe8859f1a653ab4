"""``lotto.scores`` and ``lotto.prune`` on any module."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lotto
from lotto.errors import BadRequest


class Net(nn.Module):
    """A convolution and a classifier with batch normalisation between them: 36 + 40 prunable weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.norm(self.conv(x)).relu().mean(dim=(2, 3)))


@pytest.fixture
def model() -> Net:
    torch.manual_seed(0)
    return Net()


def assert_unchanged(model: nn.Module, before: nn.Module) -> None:
    for (name, tensor), (_, earlier) in zip(model.state_dict().items(), before.state_dict().items(), strict=True):
        assert torch.equal(tensor, earlier), name
    assert [p.requires_grad for p in model.parameters()] == [p.requires_grad for p in before.parameters()]
    assert all(p.grad is None for p in model.parameters())
    assert [m.training for m in model.modules()] == [m.training for m in before.modules()]


def test_scores_by_name_leave_the_model_unchanged(model: Net) -> None:
    before = copy.deepcopy(model)
    found = lotto.scores(model, "magnitude")
    assert torch.equal(found["conv.weight"], before.conv.weight.abs())
    assert list(found) == ["conv.weight", "fc.weight"]
    assert_unchanged(model, before)


@pytest.mark.parametrize("density", [0.01, 0.05, 0.333, 0.5, 0.99])
def test_prune_is_exact_and_leaves_the_model_unchanged(model: Net, density: float) -> None:
    before = copy.deepcopy(model)
    mask = lotto.prune(model, "magnitude", density=density)
    assert isinstance(mask, lotto.Mask)
    assert (mask.remaining, mask.total) == (round(density * 76), 76)
    assert_unchanged(model, before)
    # Of all weights the largest: the smallest kept is not below the largest pruned.
    weights = torch.cat([model.conv.weight.flatten(), model.fc.weight.flatten()]).abs()
    kept = torch.cat([mask["conv.weight"].flatten(), mask["fc.weight"].flatten()])
    assert weights[kept].min() >= weights[~kept].max()
    mask.apply_(model)
    assert sum(int(p.count_nonzero()) for p in (model.conv.weight, model.fc.weight)) == mask.remaining


def test_layerwise_gives_every_layer_its_density(model: Net) -> None:
    assert lotto.prune(model, "magnitude", 0.5, allocation="layerwise").counts() == {"conv.weight": 18, "fc.weight": 20}


def test_exclusions_keep_their_weights(model: Net) -> None:
    mask = lotto.prune(model, "magnitude", 0.6, exclude=["output"])
    assert mask.counts() == {"conv.weight": round(0.6 * 76) - 40, "fc.weight": 40}


def test_pruning_goes_on_from_a_mask(model: Net) -> None:
    first = lotto.prune(model, "magnitude", 0.5)
    least = {name: -tensor for name, tensor in lotto.scores(model, "magnitude").items()}
    second = lotto.prune(model, lambda _: least, 0.25, mask=first)
    assert second <= first
    assert second.remaining == 19


def test_a_criterion_of_ones_own(model: Net) -> None:
    def by_index(module: nn.Module, sign: int) -> dict[str, Tensor]:
        return {name: sign * torch.arange(p.numel()).view_as(p) for name, p in module.named_parameters() if p.dim() > 1}

    mask = lotto.prune(model, by_index, 0.5, allocation="layerwise", sign=-1)
    assert mask["conv.weight"].flatten().tolist() == [True] * 18 + [False] * 18
    assert mask["fc.weight"].flatten().tolist() == [True] * 20 + [False] * 20


@pytest.mark.parametrize(
    ("criterion", "options", "fragment"),
    [
        ("magnitud", {}, "did you mean magnitude?"),
        ("_allocation", {}, "_allocation is no criterion of lotto"),
        ("magnitude", {"temperature": 2}, "unexpected keyword argument 'temperature'"),
        (
            lambda model: {"conv.weight": model.conv.weight},
            {},
            "gives no scores in the shape of fc.weight, [10, 4]: it names conv.weight.",
        ),
        (lambda model: {}, {}, "gives no scores in the shape of conv.weight, [4, 1, 3, 3]: it names nothing."),
        (lambda model: {"conv.weight": model.fc.weight}, {}, "of conv.weight, [4, 1, 3, 3], but in [10, 4]."),
        (lambda model: None, {}, "gives None, not a mapping from parameter names to tensors of scores."),
        (lambda model: list(model.parameters()), {}, "gives a list, not a mapping"),
        (
            lambda model: dict.fromkeys(("conv.weight", "fc.weight"), 1.0),
            {},
            "gives a float, not a dense tensor of real numbers",
        ),
        (lambda model: {"conv.weight": model.conv.weight.detach().numpy()}, {}, "gives a ndarray, not a dense tensor"),
        (
            lambda model: {"conv.weight": model.conv.weight.to(torch.complex64)},
            {},
            "a strided tensor of complex64 on cpu, not",
        ),
        (
            lambda model: {"conv.weight": model.conv.weight.detach().to_sparse()},
            {},
            "a sparse_coo tensor of float32 on cpu, not",
        ),
        (lambda model: {"conv.weight": model.conv.weight.to("meta")}, {}, "a strided tensor of float32 on meta, not"),
        (42, {}, "42 is no criterion: give the name of one, or a function from a module to its scores."),
        ("snip", {"batches": (torch.rand(2, 1, 4, 4), torch.arange(2))}, "batches is no list of pairs of tensors"),
    ],
)
def test_refused_criteria(model: Net, criterion: Any, options: dict[str, Any], fragment: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        lotto.scores(model, criterion, **options)
    assert fragment in str(refusal.value)


def test_whole_numbers_beyond_single_precision_are_told_apart(model: Net) -> None:
    def ranks(module: nn.Module) -> dict[str, Tensor]:
        return {
            name: 2**30 + torch.arange(p.numel()).view_as(p) for name, p in module.named_parameters() if p.dim() > 1
        }

    assert (
        lotto.prune(model, ranks, 0.5, allocation="layerwise")["conv.weight"].flatten().tolist()
        == [False] * 18 + [True] * 18
    )


def test_one_exclusion_needs_no_list(model: Net) -> None:
    assert lotto.prune(model, "magnitude", 0.8, exclude="fc.weight") == lotto.prune(
        model, "magnitude", 0.8, exclude=["fc.weight"]
    )


@pytest.mark.parametrize("density", [0, 1.5, -0.1, float("nan"), "0.1", True])
def test_refused_densities(model: Net, density: float) -> None:
    with pytest.raises(BadRequest, match=r"lies outside \(0, 1\]\.$"):
        lotto.prune(model, "magnitude", density)


def test_a_density_that_excluded_layers_exceed_is_refused(model: Net) -> None:
    with pytest.raises(BadRequest, match=r"density 0\.5 cannot be met: layers that are not pruned hold 40 weights"):
        lotto.prune(model, "magnitude", 0.5, exclude=["fc.weight"])


def test_batches_may_come_from_a_loader(model: Net) -> None:
    x, y = torch.randn(12, 1, 5, 5), torch.arange(12)
    set_ = torch.utils.data.TensorDataset(x, y % 10)
    loader = torch.utils.data.DataLoader(set_, batch_size=4, shuffle=True)
    state = torch.get_rng_state()
    mask = lotto.prune(model, "force", 0.5, batches=loader, rounds=3)
    assert torch.equal(torch.get_rng_state(), state)
    once = lotto.prune(model, "force", 0.5, batches=(batch for batch in loader), rounds=3)
    assert mask.remaining == once.remaining == 38
