"""Parts of a data set: which examples they hold, and what is known of them before anything is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lotto.data.base import ResidentData
from lotto.data.build import build
from lotto.data.facts import Facts, facts, steps_per_epoch
from lotto.data.narrow import narrow
from lotto.data.part import Part, part_of
from lotto.errors import BadRequest
from tests.data.data_samples import config, replicates


def digits(part: dict | None = None) -> ResidentData:
    data = build(config("digits", part=part))
    assert isinstance(data, ResidentData)
    data.load()
    return data


def labels(data: ResidentData, split: str) -> torch.Tensor:
    return data._splits[split].labels


def test_classes_are_shifted_and_nothing_else_changes() -> None:
    whole, parts = digits(), [digits({"classes": list(range(first, first + 5))}) for first in (0, 5)]
    for split in ("train", "validation", "test"):
        everything = whole._splits[split]
        for part, first in zip(parts, (0, 5), strict=True):
            own = (everything.labels >= first) & (everything.labels < first + 5)
            assert torch.equal(part._splits[split].images, everything.images[own])
            assert torch.equal(part._splits[split].labels, everything.labels[own] - first)
        # Disjoint, and together the data set: every image is in one of the two, as often as in the whole.
        assert sum(part.sizes[split] for part in parts) == whole.sizes[split]
        assert {part.classes for part in parts} == {5}


def test_new_labels_follow_the_order_that_is_asked_for() -> None:
    kept, new = narrow(Part((7, 2)), torch.tensor([2, 7, 3, 7, 2]), "train")
    assert kept.tolist() == [0, 1, 3, 4] and new.tolist() == [1, 0, 0, 1]


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 5))
def test_shares_deal_out_every_class(written: list[int], of: int) -> None:
    given_labels = torch.tensor(written, dtype=torch.int64)
    shares = [narrow(Part(share=share, of=of), given_labels, "train") for share in range(min(of, len(written)))]
    places = torch.cat([kept for kept, _ in shares]) if shares else torch.tensor([])
    assert sorted(places.tolist()) == list(range(len(written)))
    sizes = [len(kept) for kept, _ in shares]
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    for label in range(5):
        found = [Counter(new.tolist())[label] for _, new in shares] + [0] * (of - len(shares))
        assert max(found) - min(found) <= 1
    for kept, new in shares:
        assert torch.equal(given_labels[kept], new) and kept.tolist() == sorted(kept.tolist())


def test_shares_leave_validation_and_test_whole() -> None:
    whole, share = digits(), digits({"share": 1, "of": 3})
    assert share.sizes == {**whole.sizes, "train": 399}
    assert share.facts.train == 1197 and share.classes == 10
    assert all(torch.equal(labels(share, split), labels(whole, split)) for split in ("validation", "test"))


def test_batches_of_a_part_follow_the_streams_of_every_other_training() -> None:
    part = digits({"classes": [3, 8]})
    (x, y), *_ = part.train_batches(replicates(2), 0, 3, 10, False)
    own = part._splits["train"]
    for replicate, streams in enumerate(replicates(2)):
        order = streams.permutation(part.sizes["train"], 0)[:10]
        assert torch.equal(y[replicate], own.labels[order])
        assert torch.equal(x[replicate], part.normalise(own.images[order]))
    assert set(y.flatten().tolist()) <= {0, 1}


def test_sizes_are_known_before_the_labels_are() -> None:
    whole = Facts(45_000, 5_000, 10_000, (3, 32, 32), 100, {"name": "made"})
    half = Part(tuple(range(50))).facts(whole)
    assert (half.train, half.validation, half.test, half.classes) == (22_500, 2_500, 5_000, 50)
    assert half.identity == {"name": "made", "part": {"classes": list(range(50))}}
    assert [Part(share=share, of=4).facts(whole).train for share in range(4)] == [11_250] * 4
    assert [Part(share=share, of=4).facts(Facts(10, 0, 1, (1, 1, 1), 2, {})).train for share in range(4)] == [
        3,
        3,
        2,
        2,
    ]


def test_an_epoch_counts_as_that_of_an_even_set() -> None:
    """The second half of the digits has 606 images to train on, and the first 591, where half of them are 599."""
    for first, found, taken in ((0, 591, 10), (5, 606, 11)):
        part = {"classes": list(range(first, first + 5))}
        assert digits(part).sizes["train"] == found and steps_per_epoch(found, 60, False) == taken
        assert steps_per_epoch(facts(config("digits", part=part)).train, 60, False) == 10


def test_the_whole_keeps_its_identity() -> None:
    assert facts(config("digits", part=None)) == facts(config("digits"))
    assert "part" not in facts(config("digits")).identity


def test_a_part_of_a_part_is_one_of_the_whole() -> None:
    outer = config("digits", part={"classes": [1, 3, 5, 7]})
    known, made = part_of(facts(outer), outer, Part((2, 3)))
    assert made["part"] == {"classes": [5, 7]} and known == facts(made)
    known, made = part_of(facts(outer), outer, Part(share=1, of=2))
    assert made["part"] == {"classes": [1, 3, 5, 7], "share": 1, "of": 2} and known == facts(made)
    one, two = digits(made["part"]), digits({"classes": [1, 3, 5, 7], "share": 0, "of": 2})
    assert one.sizes["train"] + two.sizes["train"] == digits(outer["part"]).sizes["train"]
    with pytest.raises(BadRequest, match="a share of its data set"):
        part_of(known, made, Part(share=0, of=2))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"classes": [0, 10]}, r"data\.part\.classes names 10: the classes of the data are 0 to 9"),
        ({"classes": [1, 1]}, r"data\.part\.classes=\[1, 1\] must name one class or more, each once"),
        ({"classes": []}, r"must name one class or more"),
        ({"classes": 3}, r"data\.part\.classes=3 is not a list"),
        ({"share": 2, "of": 2}, r"data\.part\.share=2 is none of 2 shares"),
        ({"share": 1999, "of": 2000}, r"data\.part\.of=2000 leaves shares"),
        ({"kinds": [0]}, r"is no part of a data set"),
        ({}, r"is no part of a data set"),
    ],
)
def test_what_is_no_part_is_refused(written: dict, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        facts(config("digits", part=written))


def test_streamed_images_have_parts_too(class_folders: Callable[..., Path]) -> None:
    root = str(class_folders())
    dogs = build(config("image_stream", root=root, size=8, resize=8, workers=0, validation=2, part={"classes": [1]}))
    dogs.load()
    whole = build(config("image_stream", root=root, size=8, resize=8, workers=0, validation=2))
    own = [image for x, y in whole.evaluation_batches("test", 3) for image in x[y == 1]]
    found = [(image, label) for x, y in dogs.evaluation_batches("test", 2) for image, label in zip(x, y, strict=True)]
    assert len(found) == len(own) == dogs.sizes["test"] == 3
    assert all(torch.equal(image, mine) and label == 0 for (image, label), mine in zip(found, own, strict=True))
