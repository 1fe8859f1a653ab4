"""Groups of weights that are pruned at once, against masks written out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import lotto
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.resnet import CifarResNet
from lotto.pruning.allocate import Rule
from lotto.schedule import Densities, Density, Geometric, Removal, Rounds, Target
from lotto.structures.grouping import families_of
from lotto.structures.masks import check_levels, regrouped_mask, structured_mask
from lotto.structures.request import STRUCTURES, Structure
from lotto.structures.rounds import OnTheWay

EVERYWHERE = Rule("layerwise", 0.5)


def read(name: str, **options: object) -> Structure:
    return Structure.read(name, options)


def ones(model: nn.Module) -> Mask:
    return Mask.ones({name: model.get_parameter(name) for name in kinds(model)})


def pruned(
    model: nn.Module,
    scores: Mapping[str, Tensor],
    structure: Structure,
    target: Target,
    rule: Rule = EVERYWHERE,
    shape: tuple[int, ...] = (3,),
    before: Mask | None = None,
    on_the_way: OnTheWay | None = None,
) -> Mask:
    return structured_mask(
        lambda number, left: scores,
        before or ones(model),
        model,
        shape,
        rule,
        target,
        structure,
        on_the_way or OnTheWay(),
    )


def two_layers() -> tuple[nn.Module, dict[str, Tensor]]:
    """Four hidden units whose incoming weights score 1, 4, 4 and 3 on average."""
    incoming = torch.tensor([[1.0, 1, 1], [4, 5, 3], [6, 4, 2], [1, 1, 7]])
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    return model, {"0.weight": incoming, "2.weight": torch.tensor([[9.0, 1, 1, 9], [9, 1, 1, 9]])}


def test_filters_are_rows_and_the_classifier_keeps_its_own() -> None:
    model, scores = two_layers()
    mask = pruned(model, scores, read("filter"), Rounds(1))
    assert mask["0.weight"].int().tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert bool(mask["2.weight"].all())


def test_channels_are_rows_with_the_columns_that_read_them() -> None:
    model, scores = two_layers()
    mask = pruned(model, scores, read("channel"), Rounds(1))
    assert mask["0.weight"].int().tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1], [0, 0, 0]]
    assert mask["2.weight"].int().tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]
    later = pruned(model, scores, read("channel"), Rounds(1), before=mask)
    assert later["0.weight"].any(1).tolist() == [False, True, False, False]  # of equal scores the first is kept
    assert later <= mask


def test_channels_that_are_added_go_together() -> None:
    model = CifarResNet((3, 8, 8), 10, depth=8, width=4)
    scores = {name: torch.zeros_like(model.get_parameter(name)) for name in kinds(model)}
    scores["conv.weight"][0] = 1.0
    scores["blocks.0.conv2.weight"][2] = 1.0
    mask = pruned(model, scores, read("channel"), Rounds(1), shape=(3, 8, 8))
    stream = [True, False, True, False]
    assert mask["conv.weight"].flatten(1).any(1).tolist() == stream
    assert mask["blocks.0.conv2.weight"].flatten(1).any(1).tolist() == stream
    for reader in ("blocks.0.conv1.weight", "blocks.1.conv1.weight", "blocks.1.shortcut.0.weight"):
        assert mask[reader].transpose(0, 1).flatten(1).any(1).tolist() == stream
    families = families_of(read("channel"), model, (3, 8, 8))
    assert [(own.name, own.size) for own in families] == [
        ("conv.weight", 4), ("blocks.0.conv1.weight", 4), ("blocks.1.conv1.weight", 8), ("blocks.1.conv2.weight", 8),
        ("blocks.2.conv1.weight", 16), ("blocks.2.conv2.weight", 16),
    ]  # fmt: skip


def test_tiles_are_smaller_at_the_edges() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    scores = {"0.weight": torch.tensor([[1.0, 1, 5], [1, 1, 0], [3, 2, 2]])}
    kept = {1: [[0, 0, 1], [0, 0, 1], [1, 1, 0]], 2: [[0, 0, 1], [0, 0, 1], [1, 1, 1]]}
    # Means of the four tiles: 1, 2.5, 2.5 and 2.
    for rounds, rate in ((1, 0.5), (2, 0.25)):
        mask = pruned(model, scores, read("block", tile=2), Rounds(1), Rule("layerwise", rate))
        assert mask["0.weight"].int().tolist() == kept[rounds]


def test_pooling_by_sum_favours_the_larger_and_by_mean_does_not() -> None:
    model = nn.Sequential(nn.Linear(3, 3))
    scores = {"0.weight": torch.tensor([[1.0, 1, 3], [1, 1, 0], [0, 0, 3]])}
    # Sums 4, 3, 0 and 3; means 1, 1.5, 0 and 3.
    rule = Rule("layerwise", 0.75)
    assert pruned(model, scores, read("block", tile=2, pool="sum"), Rounds(1), rule)["0.weight"][0, 0]
    assert pruned(model, scores, read("block", tile=2, pool="mean"), Rounds(1), rule)["0.weight"].int().tolist() == [
        [0, 0, 0], [0, 0, 0], [0, 0, 1],
    ]  # fmt: skip


class Attention(nn.Module):
    num_heads = 2

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.qkv(x)[..., :4])


def test_heads_are_rows_of_what_makes_them_and_columns_of_what_reads_them() -> None:
    model = nn.Sequential(Attention(), nn.Linear(4, 3))
    scores = {name: torch.ones_like(model.get_parameter(name)) for name in kinds(model)}
    scores["0.qkv.weight"][2:4] = 0.5
    mask = pruned(model, scores, read("head"), Rounds(1), shape=(4,))
    assert mask["0.qkv.weight"].any(1).tolist() == [True, True, False, False] * 3
    assert mask["0.out.weight"].any(0).tolist() == [True, True, False, False]
    assert bool(mask["1.weight"].all())
    own = nn.Sequential(nn.MultiheadAttention(8, 4), nn.Linear(8, 3))
    (family,) = families_of(read("head"), own, (8,))
    assert (family.name, family.size) == ("0.out_proj.weight", 4)


def test_two_of_four_by_hand() -> None:
    model = nn.Sequential(nn.Linear(10, 1))
    row = [[3.0, 1, 2, 2, 5, 5, 5, 5, 0, 0]]
    mask = pruned(model, {"0.weight": torch.tensor(row)}, read("nm"), Density(0.5))
    # Ties keep the first; the two inputs that are left over stay dense.
    assert mask["0.weight"].int().tolist() == [[1, 0, 1, 0, 1, 1, 0, 0, 1, 1]]


def test_a_convolution_is_sparse_along_its_channels() -> None:
    model = nn.Sequential(nn.Conv2d(8, 6, 3), nn.Flatten(), nn.Linear(6, 2))
    generator = torch.Generator().manual_seed(0)
    scores = {name: torch.rand(model.get_parameter(name).shape, generator=generator) for name in kinds(model)}
    mask = pruned(model, scores, read("nm", n=1), Density(0.25), shape=(8, 3, 3))
    rows = mask["0.weight"].permute(0, 2, 3, 1).reshape(-1, 4)
    assert bool((rows.sum(1) == 1).all())
    own = scores["0.weight"].permute(0, 2, 3, 1).reshape(-1, 4)
    assert torch.equal(rows.int().argmax(1), own.argmax(1))
    assert mask["2.weight"].sum(1).tolist() == [1 + 2] * 2


@settings(max_examples=60, deadline=None)
@given(
    outputs=st.integers(1, 5),
    inputs=st.integers(1, 19),
    n=st.integers(1, 3),
    extra=st.integers(1, 3),
    values=st.integers(1, 3),
    data=st.data(),
)
def test_every_m_keep_n_whatever_the_ties(
    outputs: int, inputs: int, n: int, extra: int, values: int, data: st.DataObject
) -> None:
    m = n + extra
    model = nn.Sequential(nn.Linear(inputs, outputs))
    numbers = data.draw(st.lists(st.integers(0, values), min_size=outputs * inputs, max_size=outputs * inputs))
    scores = {"0.weight": torch.tensor(numbers, dtype=torch.float32).view(outputs, inputs)}
    structure = read("nm", n=n, m=m)
    if inputs < m:
        with pytest.raises(BadRequest, match=f"prune.m={m} is more inputs than any layer has"):
            pruned(model, scores, structure, Density(n / m))
        return
    mask = pruned(model, scores, structure, Density(n / m))["0.weight"]
    whole = inputs // m * m
    assert bool((mask[:, :whole].reshape(-1, m).sum(1) == n).all())
    assert bool(mask[:, whole:].all())
    for kept, score in zip(mask[:, :whole].reshape(-1, m), scores["0.weight"][:, :whole].reshape(-1, m), strict=True):
        assert sorted(range(m), key=lambda place: (-score[place], place))[:n] == sorted(
            kept.nonzero().flatten().tolist(), key=lambda place: (-score[place], place)
        )


def test_n_of_m_level_by_level() -> None:
    model = nn.Sequential(nn.Linear(8, 2))
    scores = {"0.weight": torch.arange(16.0).view(2, 8)}
    structure = read("nm")
    three = pruned(model, scores, structure, Rounds(1))
    two = pruned(model, scores, structure, Rounds(1), before=three)
    assert [mask["0.weight"].sum().item() for mask in (three, two)] == [12, 8]
    assert two <= three
    assert two == pruned(model, scores, structure, Rounds(2)) == pruned(model, scores, structure, Removal(0.5))
    with pytest.raises(BadRequest, match=r"prune.n=2 and prune.m=4 prunes to nothing further"):
        pruned(model, scores, structure, Rounds(1), before=two)
    with pytest.raises(BadRequest, match=r"prunes to 3:4 \(0.75\), 2:4 \(0.5\)"):
        pruned(model, scores, structure, Density(0.6))


def test_a_density_is_of_weights_and_the_nearest_that_groups_allow() -> None:
    """Against all numbers of channels that a global ranking may keep."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3))
    scores = {name: torch.rand_like(model.get_parameter(name)) for name in kinds(model)}
    means = [
        (float(row.mean()), layer, index) for layer in (0, 2) for index, row in enumerate(scores[f"{layer}.weight"])
    ]
    best = {max(own for own in means if own[1] == layer) for layer in (0, 2)}
    order = [*best, *sorted(set(means) - best, reverse=True)]
    for density in (0.9, 0.6, 0.37, 0.2, 0.1):
        mask = pruned(model, scores, read("channel"), Density(density), Rule("global", 0.5), (5,))
        weights = []
        for count in range(2, len(order)):
            kept = [sum(own[1] == layer for own in order[:count]) for layer in (0, 2)]
            weights.append(5 * kept[0] + kept[0] * kept[1] + 3 * kept[1])
        wanted = density * mask.total
        assert abs(mask.remaining - wanted) <= min(abs(found - wanted) for found in weights) + 0.5
        for layer in (0, 2):
            assert bool(mask[f"{layer}.weight"].any())
    with pytest.raises(BadRequest, match="cannot be met: the groups that have to stay hold more weights"):
        pruned(model, scores, read("channel"), Density(0.05), Rule("global", 0.5), (5,))


def test_each_layer_keeps_its_best_channel_where_all_compete() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    scores = {name: torch.full_like(model.get_parameter(name), float(name[0]) + 1) for name in kinds(model)}
    scores["0.weight"][2] = 1.5
    mask = pruned(model, scores, read("channel"), Removal(0.5), Rule("global", 0.5), (5,))
    assert mask["0.weight"].any(1).tolist() == [False, False, True, False]
    assert mask["2.weight"].any(1).tolist() == [True] * 4 + [False] * 2


@pytest.mark.parametrize("large", [float("inf"), 1e200])
@pytest.mark.parametrize("structure", ["filter", "channel", "block"])
def test_each_layer_keeps_its_best_whatever_the_others_score(structure: str, large: float) -> None:
    """The first layer's scores are infinite, or beyond single precision, and so are most of the second's."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    scores = {name: torch.full(model.get_parameter(name).shape, large, dtype=torch.float64) for name in kinds(model)}
    scores["2.weight"][:5] *= 2  # of equal infinities the first, of other numbers the largest
    scores["2.weight"][4] *= 2
    mask = pruned(model, scores, read(structure), Removal(0.6), Rule("global", 0.5), (4,))
    assert all(bool(kept.any()) for kept in mask.values())
    if structure != "block":
        assert bool(mask["2.weight"][0 if large == float("inf") else 4].any())


def test_scores_beyond_single_precision_are_told_apart() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    for unit in (1e200, 1e-200):
        scores = {
            name: unit * torch.arange(1, p.numel() + 1, dtype=torch.float64).view(p.shape)
            for name, p in ((name, model.get_parameter(name)) for name in kinds(model))
        }
        mask = pruned(model, scores, read("filter"), Removal(0.5), Rule("global", 0.5), (4,))
        assert mask["0.weight"].any(1).tolist() == mask["2.weight"].any(1).tolist() == [False, False, True, True]
        narrow = pruned(model, scores, read("nm"), Density(0.5), shape=(4,))
        assert narrow["0.weight"].int().tolist() == [[0, 0, 1, 1]] * 4


def test_groups_of_equal_weights_tie_whatever_their_sizes() -> None:
    """Tiles of 16, 12 and 9 weights of 0.1, which sums in double precision do not hold exactly: the first ones stay."""
    model = nn.Sequential(nn.Linear(7, 7))
    scores = {"0.weight": torch.full((7, 7), 0.1, dtype=torch.float64)}
    for count in (1, 2, 3):
        mask = pruned(model, scores, read("block"), Removal(1 - count / 4))
        tiles = [mask["0.weight"][row, column].item() for row in (0, 4) for column in (0, 4)]
        assert tiles == [place < count for place in range(4)]


def test_n_of_m_prunes_no_further_where_what_remains_scores_minus_infinity() -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    before = Mask({"0.weight": torch.tensor([[False, True, True, True]])})
    scores = {"0.weight": torch.full((1, 4), -torch.inf)}
    mask = pruned(model, scores, read("nm", n=1), Density(0.5), before=before)
    assert mask["0.weight"].int().tolist() == [[0, 1, 1, 0]]


@pytest.mark.parametrize("structure", ["filter", "channel", "block"])
def test_erdos_renyi_shares_out_groups_as_it_does_weights(structure: str) -> None:
    """Kept weights are in proportion to the sum of a weight's shape, as long as no layer is dense; where groups are alike, so are they."""
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8))
    scores = {name: torch.rand_like(model.get_parameter(name)) for name in kinds(model)}
    mask = pruned(model, scores, read(structure), Removal(0.75), Rule("erk", 0.5), (16,))
    if structure == "block":
        counts = mask.counts()
        per_claim = {name: counts[name] / sum(model.get_parameter(name).shape) for name in counts}
        assert max(per_claim.values()) <= 1.3 * min(per_claim.values())
    else:
        rows = [int(mask[name].any(1).sum()) for name in ("0.weight", "2.weight")]
        # 24 of 96 rows: (32 + 16) / 16 and (64 + 32) / 32 are to each other as 3 to 3.
        assert rows == [12, 12]


@pytest.mark.parametrize("path", ["exponential", "linear"])
@pytest.mark.parametrize("name", ["filter", "block", "nm"])
def test_rounds_end_where_one_round_would_where_scores_stay(name: str, path: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 4))
    scores = {name: torch.rand_like(model.get_parameter(name)) for name in kinds(model)}
    for target in (Density(0.5), Removal(0.5)):
        whole, rounds = (
            pruned(model, scores, read(name), target, Rule("layerwise", 0.5), (8,), on_the_way=OnTheWay(count, path))
            for count in (1, 5)
        )
        assert whole == rounds


@pytest.mark.parametrize("regrow", [False, True])
@pytest.mark.parametrize(
    "structure", [read("filter"), read("channel"), read("block", tile=2)], ids=lambda own: own.name
)
def test_there_may_be_more_rounds_than_groups(structure: Structure, regrow: bool) -> None:
    """SynFlow's 100 rounds: most ask for less than a group, and some find that groups were taken further than they ask for."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 2))
    scores = {name: torch.rand_like(model.get_parameter(name)) for name in kinds(model)}
    for density in (0.75, 0.5):
        once, often = (
            pruned(
                model,
                scores,
                structure,
                Density(density),
                Rule("global", 0.5),
                (4,),
                on_the_way=OnTheWay(count, regrow=regrow),
            )
            for count in (1, 100)
        )
        if structure.name == "channel":  # whose scores are of what is left of a row, and change on the way
            assert abs(often.remaining - density * 48) <= 4
        else:
            assert often == once


def test_what_no_group_can_meet_is_told_by_the_density_that_was_asked_for() -> None:
    model, scores = two_layers()
    with pytest.raises(
        BadRequest, match=r"^Density 0\.1 cannot be met: the groups that have to stay hold more weights\.$"
    ):
        pruned(model, scores, read("channel"), Density(0.1), Rule("global", 0.5), on_the_way=OnTheWay(100))
    with pytest.raises(BadRequest, match=r"^Density 0\.97 cannot be met: no group is as small as what is to go\.$"):
        pruned(model, scores, read("channel"), Density(0.97), Rule("global", 0.5), on_the_way=OnTheWay(100))


@pytest.mark.parametrize(("name", "density", "seen"), [("block", 0.25, [16, 11, 8, 6]), ("nm", 0.25, [16, 12, 8, 4])])
def test_rounds_score_what_the_round_before_has_left(name: str, density: float, seen: list[int]) -> None:
    """16 weights on the exponential path to 4: 16 / 4 ** (t / 4), in whole blocks of one and in whole N of four."""
    model = nn.Sequential(nn.Linear(4, 4))
    structure, remaining = read(name, **({"tile": 1} if name == "block" else {"n": 1})), []

    def score(number: int, left: Mask) -> dict[str, Tensor]:
        assert number == len(remaining)
        remaining.append(left.remaining)
        return {"0.weight": torch.arange(16.0).view(4, 4)}

    mask = structured_mask(score, ones(model), model, (4,), EVERYWHERE, Density(density), structure, OnTheWay(4))
    assert remaining == seen
    assert mask.remaining == 4


@pytest.mark.parametrize("name", [name for name in STRUCTURES if name not in ("weight", "residual")])
def test_other_groups_as_many_of_each_kind(name: str) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(Attention(), nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 3))
    structure = read(name)
    scores = {name: torch.rand_like(model.get_parameter(name)) for name in kinds(model)}
    mask = pruned(model, scores, structure, Rounds(1), shape=(4,))
    other = regrouped_mask(mask, {own: -score for own, score in scores.items()}, model, (4,), structure)
    assert other.counts() == mask.counts()
    assert other != mask
    if name == "nm":
        return
    for family in families_of(structure, model, (4,)):
        assert int(family.alive(other).sum()) == int(family.alive(mask).sum())
        weights = family.weights(other)
        if name != "channel":  # of which a weight has two, that of its row and that of its column
            assert bool(((weights == 0) | (weights == family.weights(ones(model)))).all())


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("chanel", {}, r"prune.structure=chanel is unknown: choose from weight, .*did you mean channel"),
        ("channel", {"n": 2}, r"prune.n=2 is no setting of prune.structure=channel: it belongs to nm"),
        (
            "weight",
            {"pool": "sum"},
            r"prune.pool=sum is no setting of prune.structure=weight: it belongs to filter, channel",
        ),
        ("block", {"tile": 0}, r"prune.tile=0 is not a whole number of 1 or more"),
        ("block", {"pool": "max"}, r"prune.pool=max is unknown: choose from mean, sum"),
        ("nm", {"n": 4}, r"prune.n=4 of prune.m=4 removes nothing"),
    ],
)
def test_what_a_structure_may_be(name: str, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        Structure.read(name, options)


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_survives_its_fields(name: str) -> None:
    structure = Structure.read(name, {})
    assert Structure.from_fields(structure.as_fields()) == structure
    assert (structure.as_fields() is None) == (name == "weight")


def test_levels_that_cannot_be_reached_are_found_without_training() -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2)).to("meta")
    with pytest.raises(BadRequest, match=r"schedule.levels=9: level . cannot be reached"):
        check_levels(model, (8,), EVERYWHERE, Geometric(9), True, read("channel"))
    check_levels(model, (8,), EVERYWHERE, Geometric(3), True, read("channel"))
    with pytest.raises(
        BadRequest, match=r"level 1 cannot be reached. Density 0.2 .*one group of each layer, density 0.25"
    ):
        check_levels(model, (8,), EVERYWHERE, Densities([0.2]), True, read("channel"))
    with pytest.raises(BadRequest, match=r"schedule.levels=4: level 3 cannot be reached. prune.structure=nm"):
        check_levels(model, (8,), EVERYWHERE, Geometric(4), True, read("nm"))
    check_levels(model, (8,), EVERYWHERE, Geometric(3), True, read("nm"))
    with pytest.raises(
        BadRequest, match=r"prune.structure=head finds nothing to prune in Sequential: no module of it says"
    ):
        check_levels(model, (8,), EVERYWHERE, Geometric(2), True, read("head"))


def test_n_of_m_of_no_layer_is_found_without_training() -> None:
    model = nn.Sequential(nn.Linear(8, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(BadRequest, match="more inputs than any layer has that is pruned"):
        check_levels(model, (8,), Rule("layerwise", 0.5, ("0.weight",)), Densities((0.5,)), True, read("nm"))
    with pytest.raises(BadRequest, match=r"prune\.exclude=1\.weight matches neither"):
        check_levels(model, (8,), Rule("layerwise", 0.5, ("1.weight",)), Densities((0.5,)), True, read("nm"))


def test_from_python() -> None:
    torch.manual_seed(0)
    model = CifarResNet((3, 8, 8), 10, depth=8, width=8)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mask = lotto.prune(model, "magnitude", 0.4, structure="channel")
    assert mask.density == pytest.approx(0.4, abs=0.02)
    smaller = lotto.slim(model, mask)
    assert sum(p.numel() for p in smaller.parameters()) < 0.45 * sum(p.numel() for p in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    half = lotto.prune(model, "magnitude", 0.25, structure=Structure.read("nm", {"n": 1}))
    assert half["fc.weight"].view(-1, 4).sum(1).tolist() == [1] * 80


@pytest.mark.gpu
def test_the_gpu_takes_two_of_four() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no accelerator")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 64)).half().cuda()
    mask = lotto.prune(model.float(), "magnitude", 0.5, structure="nm")
    mask.apply_(model).half()
    x = torch.randn(64, 128, device="cuda", dtype=torch.float16)
    for layer in (model[0], model[2]):
        sparse = torch.sparse.to_sparse_semi_structured(layer.weight.detach())
        assert torch.equal(sparse.to_dense(), layer.weight)
    dense = nn.functional.linear(x, model[0].weight)
    product = nn.functional.linear(x, torch.sparse.to_sparse_semi_structured(model[0].weight.detach()))
    torch.testing.assert_close(product, dense, rtol=1e-2, atol=1e-2)
