"""Which blocks can go, and that a network without them is exactly the smaller one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import lotto
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.build import build
from lotto.models.resnet import CifarResNet
from lotto.residual.blocks import Block, all_blocks, removable, without
from lotto.residual.selection import block_family, drawn_blocks, even_blocks, remove_blocks
from lotto.schedule import Blocks, RemovedBlocks
from lotto.slimming import gone_with

SHAPE = (3, 16, 16)
MACS_OF_A_BLOCK = 4_718_592  # of every identity block of a CIFAR ResNet, in all three stages


def network(depth: int = 14, width: int = 4, seed: int = 0) -> nn.Module:
    """Statistics, scales and shifts are not those of a fresh network."""
    torch.manual_seed(seed)
    model = CifarResNet(SHAPE, 10, depth, width)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -1, 1)
    return model


def lacking(model: nn.Module, blocks: list[Block]) -> Mask:
    gone = {name for block in blocks for name in block.weights}
    return Mask({name: torch.full(model.get_parameter(name).shape, name not in gone) for name in kinds(model)})


@pytest.mark.parametrize(
    ("depth", "blocks", "identity", "apart"), [(8, 3, 1, 0), (14, 6, 4, 1), (32, 15, 13, 9), (56, 27, 25, 21)]
)
def test_blocks_that_change_the_shape_are_no_candidates(depth: int, blocks: int, identity: int, apart: int) -> None:
    with torch.device("meta"):
        model = CifarResNet((3, 32, 32), 10, depth)
    assert len(all_blocks(model)) == blocks
    names = [block.path for block in removable(model)]
    assert len(names) == identity
    stage = blocks // 3
    assert not {f"blocks.{stage}", f"blocks.{2 * stage}"} & set(names)
    far = [block.path for block in removable(model, "adjacent")]
    neighbours = {f"blocks.{place + step}" for place in (stage, 2 * stage) for step in (-1, 1)}
    assert far == [name for name in names if name not in neighbours]
    assert len(far) == apart


def test_torchvisions_blocks_are_found_too() -> None:
    model = build({"_target_": "lotto.models.torchvision_model.build", "name": "resnet18"}, (3, 32, 32), 10, 0)
    paths = [block.path for block in removable(model)]
    assert paths == ["layer1.0", "layer1.1", "layer2.1", "layer3.1", "layer4.1"]
    assert removable(model)[0].last == ("layer1.0.bn2.weight", "layer1.0.bn2.bias")


def test_a_network_without_blocks_has_none() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    assert block_family(model, "downsample_only") is None
    with pytest.raises(
        BadRequest, match=r"structure=residual finds nothing to prune in Sequential: it has no residual block"
    ):
        from lotto.structures.grouping import families_of
        from lotto.structures.request import Structure

        families_of(Structure.read("residual", {}), model, (12,))


@pytest.mark.parametrize("count", [0, 1, 2, 4])
def test_the_smaller_network_computes_what_the_whole_one_does_without_the_branches(count: int) -> None:
    model = network().eval()
    gone = removable(model)[:count]
    x = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    expected = copy.deepcopy(model)
    with torch.no_grad():
        for block in gone:
            for name in block.last:  # the branch's last scale and shift
                expected.get_parameter(name).zero_()
        small = lotto.slim(model, lacking(model, gone), SHAPE)
        assert torch.equal(small(x), expected(x))
        assert bool((expected(x) != model(x)).any()) == (count > 0)
    assert not any(name.startswith(f"{block.path}.") for name, _ in small.named_parameters() for block in gone)
    survivors = dict(model.named_parameters())
    for name, tensor in small.named_parameters():
        assert torch.equal(tensor, survivors[name]), name


def test_zero_weights_alone_remove_nothing() -> None:
    model = network().eval()
    x = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    block = removable(model)[0]
    mask = lacking(model, [block])
    with torch.no_grad(), without(model, block):
        expected = model(x)
    masked = copy.deepcopy(model)
    mask.apply_(masked)
    assert float((masked(x) - expected).abs().max().detach()) > 1e-3, "normalisation still adds a constant"
    zeroed = gone_with(model, SHAPE, mask)
    assert all(bool(zeroed[name].all()) for name in block.last)
    assert {name.rpartition(".conv")[0].rpartition(".bn")[0] for name in zeroed} <= {block.path, ""}


def test_without_takes_the_shift_of_a_branch_away_too() -> None:
    """Here every branch's last shift is large: with it a block of scale 0 would still add a constant."""
    model = network().eval()
    block = removable(model)[0]
    x = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    expected = copy.deepcopy(model)
    with torch.no_grad():
        for name in block.last:
            expected.get_parameter(name).zero_()
            model.get_parameter(name).fill_(3.0)
        with without(model, block):
            assert torch.equal(model(x), expected(x))


def test_without_puts_everything_back() -> None:
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(KeyError), without(model, removable(model)[1]):
        raise KeyError
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def macs(model: nn.Module) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.to("meta").eval()(torch.empty(1, 3, 32, 32, device="meta"))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(("depth", "places"), [(32, (0, 6, 14)), (56, (1, 12, 26, 20))])
def test_every_block_costs_the_same_macs_and_its_own_parameters(depth: int, places: tuple[int, ...]) -> None:
    model = CifarResNet((3, 32, 32), 10, depth)
    blocks = {block.path: block for block in removable(model)}
    gone = [blocks[f"blocks.{place}"] for place in places]
    widths = [model.get_parameter(block.weights[0]).shape[0] for block in gone]
    before = sum(parameter.numel() for parameter in model.parameters())
    small = lotto.slim(model, lacking(model, gone), (3, 32, 32))
    after = sum(parameter.numel() for parameter in small.parameters())
    assert before - after == sum(2 * 9 * c * c + 4 * c for c in widths)
    assert macs(model) - macs(small) == len(places) * MACS_OF_A_BLOCK


def test_the_lowest_scores_go_and_more_than_there_are_is_a_sentence() -> None:
    model = network()
    family = block_family(model, "downsample_only")
    assert family is not None and family.size == 4
    everything = lacking(model, [])
    scores = torch.tensor([3.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    blocks = removable(model)
    assert remove_blocks(family, scores, everything, 0) == everything
    assert remove_blocks(family, scores, everything, 2) == lacking(model, [blocks[1], blocks[3]])
    assert remove_blocks(family, scores, everything, 4) == lacking(model, blocks)
    again = remove_blocks(family, scores, lacking(model, [blocks[3]]), 1)
    assert again == lacking(model, [blocks[1], blocks[3]]), "what is gone is not taken again"
    with pytest.raises(BadRequest, match=r"schedule\.removed=5 asks for more blocks than can go: 4 have"):
        remove_blocks(family, scores, everything, 5)


def test_equal_scores_are_decided_by_order_with_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    model = network()
    family = block_family(model, "downsample_only")
    assert family is not None
    blocks, everything = removable(model), lacking(model, [])
    with pytest.warns(UserWarning, match="have the same score, 0: their order decided"):
        made = remove_blocks(family, torch.zeros(4, dtype=torch.float64), everything, 1)
    assert made == lacking(model, [blocks[3]])
    recwarn.clear()
    remove_blocks(family, torch.tensor([0.0, 0.0, 1.0, 1.0], dtype=torch.float64), everything, 2)
    assert not recwarn.list, "a tie that decides nothing"


def test_random_blocks_are_any_with_the_same_probability() -> None:
    model = network()
    family = block_family(model, "downsample_only")
    assert family is not None
    ticket = lacking(model, removable(model)[:1])
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(4)
    for _ in range(800):
        counts += ~family.alive(drawn_blocks(family, ticket, generator))
    # 200 expected of each; four standard deviations of a binomial count are 49.
    assert bool(((counts - 200).abs() < 49).all())


def test_blocks_are_removed_evenly_from_the_ends_of_the_stages() -> None:
    with torch.device("meta"):
        model = CifarResNet((3, 32, 32), 10, 32)
    family = block_family(model, "downsample_only")
    assert family is not None
    everything = Mask({name: torch.ones(model.get_parameter(name).shape) for name in kinds(model)})
    for count, places in ((1, {14}), (3, {4, 9, 14}), (4, {4, 9, 14, 13})):
        ticket = drawn = drawn_blocks(family, _of_size(family, everything, count), torch.Generator().manual_seed(count))
        made = even_blocks(family, ticket)
        gone = {block.path for block in removable(model) if not bool(made[block.weights[0]].any())}
        assert gone == {f"blocks.{place}" for place in places}
        assert int(family.alive(drawn).sum()) == int(family.alive(made).sum())


def _of_size(family: object, everything: Mask, count: int) -> Mask:
    scores = torch.arange(13, dtype=torch.float64)
    return remove_blocks(family, scores, everything, count)  # type: ignore[arg-type]


def test_the_schedule_counts_blocks() -> None:
    schedule = RemovedBlocks([1, 3, 5], levels=3)
    assert [schedule.target(level, 0) for level in (1, 2)] == [Blocks(1), Blocks(3)]
    assert schedule.target(2, 1) == Blocks(2)
    for wrong, sentence in (
        ([2, 1], "must rise"),
        ([-1], "is not a number of blocks"),
        ([], "is not a list"),
        ([0.5], "is not a number of blocks"),
    ):
        with pytest.raises(BadRequest, match=sentence):
            RemovedBlocks(wrong)
    with pytest.raises(BadRequest, match="at most 2"):
        RemovedBlocks([1], levels=3)


def step_seconds(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Processor time of a training step, the least of several: what else the machine does must not decide."""
    import time

    least = float("inf")
    for _ in range(6):
        began = time.process_time()
        nn.functional.cross_entropy(model(x), y).backward()
        least = min(least, time.process_time() - began)
    return least


def test_a_step_of_the_smaller_network_takes_less_time() -> None:
    model = network(depth=14, width=8).train()
    x, y = torch.randn(32, *SHAPE), torch.randint(10, (32,))
    small = lotto.slim(model, lacking(model, removable(model)), SHAPE)  # four of six blocks
    assert step_seconds(small, x, y) < step_seconds(model, x, y)
