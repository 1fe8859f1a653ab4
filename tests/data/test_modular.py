"""Pairs of residues: all there once, split as said, labelled by the operation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lotto.data.build import build
from lotto.data.facts import facts
from lotto.errors import BadRequest
from tests.data.data_samples import config


def splits(**changed: Any) -> dict[str, tuple[Tensor, Tensor]]:
    """The pairs, int64 ``[n, 2]``, and labels of every split."""
    data = build(config("modular", **changed))
    found = {}
    for split, size in data.sizes.items():
        if size:
            batches = list(data.evaluation_batches(split, 100))
            x, y = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
            assert x.shape[1:] == (1, 2, data.classes)
            assert x.dtype == torch.float32
            assert torch.equal(x.sum(3), torch.ones(size, 1, 2))  # one-hot
            found[split] = x[:, 0].argmax(2), y
    return found


def as_set(pairs: Tensor) -> set[tuple[int, ...]]:
    return {tuple(pair) for pair in pairs.tolist()}


def test_the_papers_set_has_its_sizes() -> None:
    known = facts(config("modular"))
    assert (known.train, known.validation, known.test) == (911, 1367, 1367)
    assert (known.input_shape, known.classes) == ((1, 2, 67), 67)
    half = facts(config("modular", fraction=0.5))
    assert (half.train, half.test) == (1139, 1139)


@pytest.mark.parametrize("symmetric", [True, False])
def test_every_pair_is_there_once(symmetric: bool) -> None:
    found = splits(p=7, symmetric=symmetric)
    train, held = as_set(found["train"][0]), as_set(found["test"][0])
    every = {(a, b) for a in range(7) for b in range(7) if a <= b or not symmetric}
    assert train | held == every
    assert not train & held
    assert len(train) == len(found["train"][0]) == int(0.4 * len(every))


@pytest.mark.parametrize(
    ("operation", "of_3_and_5"),
    [("add", 1), ("subtract", 5), ("multiply", 1), ("squares", 6), ("quadratic", 0)],  # modulo 7
)
def test_labels_by_hand(operation: str, of_3_and_5: int) -> None:
    for split in splits(p=7, operation=operation, symmetric=False).values():
        pairs, labels = split
        assert bool((labels >= 0).all()) and bool((labels < 7).all())
        at = (pairs == torch.tensor([3, 5])).all(1)
        assert labels[at].tolist() in ([], [of_3_and_5])
    whole = splits(p=7, operation=operation, symmetric=False)
    pairs = torch.cat([whole[name][0] for name in ("train", "test")])
    assert (3, 5) in as_set(pairs)


def test_a_random_table_is_one_table() -> None:
    def table(split_seed: int) -> dict[tuple[int, ...], int]:
        found = splits(p=11, operation="random", symmetric=False, split_seed=split_seed)
        pairs, labels = (torch.cat([found[name][place] for name in ("train", "test")]) for place in range(2))
        return dict(zip(map(tuple, pairs.tolist()), labels.tolist(), strict=True))

    assert table(0) == table(0) != table(1)
    assert set(table(0).values()) == set(range(11))


def test_split_seed_draws_the_split() -> None:
    one, again, other = (as_set(splits(p=13, split_seed=seed)["train"][0]) for seed in (0, 0, 1))
    assert one == again != other


def test_held_out_pairs_are_validation_and_test_at_once_and_it_is_said() -> None:
    found = splits(p=7)
    assert torch.equal(found["validation"][0], found["test"][0])
    assert "same held-out pairs" in facts(config("modular", p=7)).remark


@pytest.mark.parametrize(("validation", "count"), [(5, 5), (0.25, 4), (0, 0)])
def test_a_part_of_them_may_be_for_validation_alone(validation: float, count: int) -> None:
    found = splits(p=7, validation=validation)  # 28 pairs: 11 to train on, 17 held out
    chosen = as_set(found["validation"][0]) if count else set()
    test = as_set(found["test"][0])
    assert (len(chosen), len(test)) == (count, 17 - count)
    assert not chosen & test
    assert chosen | test == as_set(splits(p=7)["test"][0])
    assert facts(config("modular", p=7, validation=validation)).remark == ""


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"p": 1}, r"data\.p=1 is not a whole number of 2 or more"),
        ({"p": "many"}, r"data\.p=many"),
        ({"operation": "ad"}, r"data\.operation=ad is unknown: .* did you mean add"),
        ({"symmetric": 1}, r"data\.symmetric=1 is neither true nor false"),
        ({"fraction": 1.0}, r"data\.fraction=1.0 of 2278 pairs leaves none on one side"),
        ({"fraction": 0.0001}, r"data\.fraction=0.0001 of 2278 pairs"),
        ({"fraction": "half"}, r"data\.fraction=half is not a number"),
        ({"validation": 1367}, r"data\.validation=1367"),
        (
            {"declared_by": "lotto.data.nothing.declared"},
            r"data\.declared_by=lotto\.data\.nothing\.declared is no function",
        ),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_one_sentence(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        facts(config("modular", **changed))


def test_the_function_that_declares_a_set_is_not_its_identity() -> None:
    assert "declared_by" not in facts(config("modular")).identity
