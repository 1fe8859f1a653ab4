"""The images that criteria look at."""

from __future__ import annotations

import pytest
import torch

from lotto.data.facts import Facts
from lotto.errors import BadRequest, StageFailed
from lotto.pruning.batches import draw
from lotto.pruning.scoring import BatchSettings, Scoring
from tests.probes.probe_samples import Given

FACTS = Facts(train=60, validation=0, test=10, input_shape=(1, 2, 2), classes=4, identity={"name": "made up"})


def data(labels: torch.Tensor) -> Given:
    x = torch.arange(float(len(labels))).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Given(4, train=(x, labels))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_as_many_of_every_class_mixed_and_none_twice() -> None:
    labels = torch.arange(60).sort().values % 4
    ((x, y),) = draw(data(labels), {"per_class": 5, "redraw": False}, generator())
    assert torch.bincount(y).tolist() == [5, 5, 5, 5]
    places = x[:, 0, 0, 0].long()
    assert len(set(places.tolist())) == 20
    assert torch.equal(labels[places], y)
    assert y.tolist() != sorted(y.tolist())
    ((again, _),) = draw(data(labels), {"per_class": 5, "redraw": False}, generator())
    ((other, _),) = draw(data(labels), {"per_class": 5, "redraw": False}, generator(1))
    assert torch.equal(x, again)
    assert not torch.equal(x, other)


def test_batches_by_size() -> None:
    labels = torch.arange(60) % 4
    made = draw(data(labels), {"per_class": 5, "size": 8, "redraw": False}, generator())
    assert [len(y) for _, y in made] == [8, 8, 4]
    made = draw(data(labels), {"count": 3, "size": 7, "redraw": False}, generator())
    assert [len(y) for _, y in made] == [7, 7, 7]
    places = torch.cat([x[:, 0, 0, 0] for x, _ in made])
    assert len(set(places.tolist())) == 21


def test_a_class_that_has_too_few_is_named() -> None:
    with pytest.raises(StageFailed, match=r"^prune\.batches\.per_class=5, and class 3 has 2 images to train on"):
        draw(data(torch.tensor([0, 1, 2] * 10 + [3, 3])), {"per_class": 5, "redraw": False}, generator())


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "prune.batches.per_class=None and prune.batches.count=None: give one of the two, the other null."),
        (
            {"per_class": 2, "count": 1, "size": 5},
            "prune.batches.per_class=2 and prune.batches.count=1: give one of the two, the other null.",
        ),
        ({"count": 2}, "prune.batches.count=2 needs the images in a batch: give prune.batches.size=…."),
        ({"count": 0, "size": 3}, "prune.batches.count=0 is not a whole number of 1 or more."),
        ({"per_class": 16}, "prune.batches asks for 64 images, and there are 60 to train on."),
        ({"per_class": 2, "sizes": 3}, "prune.batches.sizes=3 is no setting of prune.batches."),
        (7, "prune.batches=7 is not a section of settings: write prune.batches={per_class: 10}, or null."),
    ],
)
def test_refusals(config: object, sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        BatchSettings.read(config, FACTS)
    assert str(refusal.value) == sentence


def test_data_and_replicate_are_in_the_identity_only_where_they_count() -> None:
    streams = {"seed": 0, "replicate": 1}

    def fields(**prune: object) -> dict[str, object]:
        return Scoring.taken_from(prune, FACTS).as_fields(FACTS.identity, streams)

    neutral = {"rounds": 1, "path": "exponential", "regrow": False}
    assert fields() == neutral
    # The path of a single round, and what may return in it, change nothing.
    assert fields(path="linear", regrow=True) == neutral
    assert fields(rounds=3, path="linear", regrow=True) == {"rounds": 3, "path": "linear", "regrow": True}
    assert fields(draws=True) == neutral | streams
    looked_at = neutral | streams | {"data": FACTS.identity}
    assert fields(batches={"per_class": 2, "redraw": True}) == looked_at | {
        "batches": {"per_class": 2, "redraw": False}
    }
    assert fields(batches={"per_class": 2, "redraw": True}, rounds=2) == looked_at | {
        "rounds": 2,
        "batches": {"per_class": 2, "redraw": True},
    }
