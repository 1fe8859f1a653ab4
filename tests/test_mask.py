"""The algebra of masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from lotto.errors import LottoError
from lotto.mask import Mask

SHAPES = {"a.weight": (3, 4), "b.weight": (2, 1, 3), "c.weight": (5,)}
SIZES = {"a.weight": 12, "b.weight": 6, "c.weight": 5}


def _masks() -> st.SearchStrategy[Mask]:
    tensors = {name: st.lists(st.booleans(), min_size=size, max_size=size) for name, size in SIZES.items()}
    return st.fixed_dictionaries(tensors).map(
        lambda bits: Mask({name: torch.tensor(bits[name]).view(SHAPES[name]) for name in SHAPES})
    )


MASKS = _masks()


def bits(mask: Mask) -> list[bool]:
    return [bit for name in SHAPES for bit in mask[name].flatten().tolist()]


def mask_of(*tensors: Tensor | list[int]) -> Mask:
    return Mask({f"{name}.weight": torch.as_tensor(tensor) for name, tensor in zip("abc", tensors, strict=False)})


def test_counts_density_and_names_are_exact() -> None:
    mask = mask_of([[1, 0, 1], [0, 0, 0]], [1, 1, 0, 0])
    assert mask["a.weight"].tolist() == [[True, False, True], [False, False, False]]
    assert mask["a.weight"].dtype == torch.bool
    assert (mask.remaining, mask.total, mask.density) == (4, 10, 0.4)
    assert mask.counts() == {"a.weight": 2, "b.weight": 2}
    assert list(mask) == ["a.weight", "b.weight"]
    assert "4 of 10" in repr(mask)
    with pytest.raises(KeyError):
        mask["a"]


def test_ones_is_the_dense_network() -> None:
    mask = Mask.ones({"a.weight": torch.zeros(2, 3), "b.weight": torch.zeros(4)})
    assert (mask.remaining, mask.density) == (10, 1.0)


def test_apply_multiplies_what_is_masked_and_passes_on_the_rest() -> None:
    weights = {"a.weight": torch.tensor([1.5, -2.0, 3.0]), "a.bias": torch.tensor([7.0])}
    applied = mask_of([1, 0, 1]).apply(weights)
    assert applied["a.weight"].tolist() == [1.5, 0.0, 3.0]
    assert applied["a.bias"] is weights["a.bias"]
    assert weights["a.weight"].tolist() == [1.5, -2.0, 3.0]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 3)
        self.b = nn.Linear(3, 2)


def test_apply_reaches_the_weights_of_a_fresh_module() -> None:
    torch.manual_seed(0)
    model, untouched = Small(), Small()
    untouched.load_state_dict(model.state_dict())
    kept = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert mask_of(kept).apply_(model) is model
    assert torch.equal(model.a.weight, untouched.a.weight * kept)
    assert model.a.weight.count_nonzero() == 6
    for name in ("a.bias", "b.weight", "b.bias"):
        assert torch.equal(model.get_parameter(name), untouched.get_parameter(name))


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (Mask({"c.weight": torch.ones(2)}), "The mask's c.weight has shape [2], the model has nothing of that name."),
        (Mask({"a.weight": torch.ones(4, 3)}), "The mask's a.weight has shape [4, 3], the model has [3, 4]."),
    ],
)
def test_apply_refuses_another_network(mask: Mask, sentence: str) -> None:
    with pytest.raises(LottoError) as refusal:
        mask.apply_(Small())
    assert str(refusal.value) == sentence


@given(MASKS, st.integers(0, 2**32))
def test_shuffle_keeps_every_tensors_count_and_repeats_for_its_generator(mask: Mask, seed: int) -> None:
    before = bits(mask)
    shuffled = mask.shuffle(torch.Generator().manual_seed(seed))
    assert shuffled.counts() == mask.counts()
    assert {name: tensor.shape for name, tensor in shuffled.items()} == {n: t.shape for n, t in mask.items()}
    assert shuffled == mask.shuffle(torch.Generator().manual_seed(seed))
    assert bits(mask) == before


def test_shuffle_moves_the_weights_of_every_tensor_anywhere() -> None:
    mask = mask_of([[1] * 20] + [[0] * 20] * 4, [1] * 10 + [0] * 40)
    drawn = [mask.shuffle(torch.Generator().manual_seed(seed)) for seed in range(300)]
    for name in mask:
        assert all(not torch.equal(one[name], mask[name]) for one in drawn)
        # Every place is as likely as every other: 60 of 300 draws, and five standard deviations are 35.
        often = torch.stack([one[name].flatten().int() for one in drawn]).sum(0)
        assert 25 <= int(often.min()) <= int(often.max()) <= 95


@given(MASKS, MASKS)
def test_hamming_and_iou_count_places(one: Mask, other: Mask) -> None:
    pairs = list(zip(bits(one), bits(other), strict=True))
    differ, both, either = (sum(map(f, pairs)) for f in (lambda p: p[0] != p[1], all, any))
    assert one.hamming(other) == other.hamming(one) == differ
    assert one.hamming(one) == 0
    assert one.iou(other) == (both / either if either else 1.0)
    assert either == one.remaining + other.remaining - both
    assert differ == either - both


@given(MASKS, MASKS)
def test_boolean_algebra(one: Mask, other: Mask) -> None:
    assert ~~one == one
    assert ~(one & other) == ~one | ~other
    assert (one & other) <= one <= (one | other)
    assert (one <= other) == all(b or not a for a, b in zip(bits(one), bits(other), strict=True))
    assert (one == other) == (bits(one) == bits(other))


@given(MASKS)
def test_pack_is_one_bit_a_weight_and_undone_by_unpack(mask: Mask) -> None:
    packed = mask.pack()
    assert {name: (tensor.dtype, len(tensor)) for name, tensor in packed.items()} == {
        "a.weight": (torch.uint8, 2),
        "b.weight": (torch.uint8, 1),
        "c.weight": (torch.uint8, 1),
    }
    assert Mask.unpack(packed, SHAPES) == mask


def test_pack_puts_the_first_weight_into_the_highest_bit() -> None:
    assert mask_of([1, 0, 0, 0, 0, 0, 0, 1, 1, 1]).pack()["a.weight"].tolist() == [129, 192]


def test_masks_of_different_networks_are_not_combined_nor_equal() -> None:
    one, other = mask_of([1, 0]), mask_of([1, 0], [1])
    assert one != other
    assert one != mask_of([[1, 0]])
    for combine in (Mask.__and__, Mask.__or__, Mask.hamming, Mask.iou, Mask.__le__):
        with pytest.raises(LottoError, match="cannot be combined"):
            combine(one, other)
