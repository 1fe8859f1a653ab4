"""Streams are named, not counted: what is drawn depends on the name alone."""

from __future__ import annotations

import hashlib

import torch
from hypothesis import given
from hypothesis import strategies as st

from lotto.seeds import Streams

NUMBERS = st.integers(-(10**6), 10**6)


def test_number_is_the_head_of_sha256_of_the_name() -> None:
    head = hashlib.sha256(b"3/2/augment/17").hexdigest()[:16]
    assert Streams(3, 2).number("augment", 17) == int(head, 16) // 2


def test_numbers_are_pinned() -> None:
    # Stored results were drawn from these: a change would silently make them irreproducible.
    assert Streams(0, 0).number("init") == 6_840_261_872_783_522_198
    assert Streams(1, 4).number("order", 9) == 7_380_203_993_375_185_400


@given(NUMBERS, st.integers(0, 1000), st.text(max_size=8), st.lists(NUMBERS, max_size=3))
def test_every_number_seeds_a_generator(seed: int, replicate: int, purpose: str, indices: list[int]) -> None:
    number = Streams(seed, replicate).number(purpose, *indices)
    assert 0 <= number < 2**63
    assert torch.Generator().manual_seed(number).initial_seed() == number


def test_every_part_of_the_name_makes_another_stream() -> None:
    names = [(0, 0, "init"), (1, 0, "init"), (0, 1, "init"), (0, 0, "order"), (0, 0, "init", 0), (0, 0, "init", 1)]
    numbers = {Streams(seed, replicate).number(*rest) for seed, replicate, *rest in names}
    assert len(numbers) == len(names)


def test_draws_depend_on_nothing_drawn_before_and_disturb_nothing() -> None:
    torch.manual_seed(1)
    expected, undisturbed = Streams(0, 3).permutation(20, epoch=2), torch.rand(4)
    torch.manual_seed(1)
    Streams(0, 2).permutation(20, epoch=2)
    Streams(0, 3).generator("init")
    again = Streams(0, 3).permutation(20, epoch=2)
    assert torch.equal(again, expected)
    assert torch.equal(torch.rand(4), undisturbed)


def test_permutation_holds_every_example_once_in_another_order_every_epoch() -> None:
    first, second = (Streams(0, 0).permutation(50, epoch) for epoch in (0, 1))
    assert first.dtype == torch.int64
    assert sorted(first.tolist()) == list(range(50)) == sorted(second.tolist())
    assert first.tolist() != list(range(50))
    assert not torch.equal(first, second)
    assert not torch.equal(first, Streams(0, 1).permutation(50, 0))


def test_noise_changes_every_stream_of_a_training_and_keeps_the_old_ones() -> None:
    plain, copy, other = Streams(3, 1), Streams(3, 1, 1), Streams(3, 1, 2)
    assert Streams(3, 1, 0) == plain
    for purpose in ("order", "augment", "layers"):
        numbers = {streams.number(purpose, epoch) for streams in (plain, copy, other) for epoch in (0, 1)}
        assert len(numbers) == 6
    assert not torch.equal(plain.permutation(100, 0), copy.permutation(100, 0))
    # a copy of one replicate is no other replicate
    assert Streams(3, 1, 1).number("order", 0) != Streams(3, 11).number("order", 0)
