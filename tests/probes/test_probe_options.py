"""Options of probes are refused in one sentence before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import pytest

from lotto.checks import check_spec
from lotto.compose import composed, read_spec
from lotto.data.facts import SPLITS
from lotto.errors import BadRequest
from lotto.probes.options import AtLeast, Count, Split, check_options

if TYPE_CHECKING:
    from nowhere import Unknown


def a_probe(
    subject: object,
    numbers: object,
    share: Annotated[float, AtLeast(0)],
    kind: Literal["one", "other"] = "one",
    whole: bool = True,
    counts: Sequence[Count] = (1,),
    examples: Count | None = None,
    split: Split = "test",
) -> None: ...


def somebodys_own(subject: Unknown, numbers: object, anything: int = 0) -> None: ...


SIZES = {"train": 10, "validation": 0, "test": 5}


@pytest.mark.parametrize(
    "options",
    [
        {"share": 0},
        {"share": 0.5, "kind": "other", "whole": False, "counts": [3, 1], "examples": None},
        {"share": 1e9, "examples": 7, "split": "train"},
    ],
    ids=str,
)
def test_what_annotations_allow(options: dict[str, object]) -> None:
    check_options("probes.a", "tests.a_probe", a_probe, options, SIZES)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "probes.a cannot be set up: tests.a_probe has missing a required argument: 'share'."),
        ({"shar": 1}, "probes.a cannot be set up: tests.a_probe has missing a required argument: 'share'."),
        ({"share": 1, "points": 3}, "probes.a cannot be set up: tests.a_probe has got an unexpected keyword argument 'points'."),
        ({"share": -0.1}, "probes.a.share=-0.1 is too small: 0 or more."),
        ({"share": "much"}, "probes.a.share=much is not a number."),
        ({"share": None}, "probes.a.share=None is not a number."),
        ({"share": True}, "probes.a.share=True is not a number."),
        ({"share": 1, "kind": "othr"}, "probes.a.kind=othr is unknown: choose from one, other; did you mean other?"),
        ({"share": 1, "whole": "yes"}, "probes.a.whole=yes is neither true nor false."),
        ({"share": 1, "counts": 3}, "probes.a.counts=3 is not a list: write probes.a.counts=[…]."),
        ({"share": 1, "counts": []}, "probes.a.counts=[] chooses nothing: give one or more."),
        ({"share": 1, "counts": [2, 0]}, "probes.a.counts=0 is too small: 1 or more."),
        ({"share": 1, "examples": 0}, "probes.a.examples=0 is too small: 1 or more."),
        ({"share": 1, "examples": 1.5}, "probes.a.examples=1.5 is not a whole number."),
        ({"share": 1, "split": "tests"}, "probes.a.split=tests is unknown: choose from train, validation, test; did you mean test?"),
        ({"share": 1, "split": "validation"}, "probes.a.split=validation is empty: set data.validation above 0 to have one."),
    ],
    ids=str,
)  # fmt: skip
def test_what_annotations_exclude(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        check_options("probes.a", "tests.a_probe", a_probe, options, SIZES)
    assert str(refusal.value) == sentence


def test_annotations_that_cannot_be_resolved_leave_the_values_to_the_probe() -> None:
    check_options("probes.own", "tests.somebodys_own", somebodys_own, {"anything": "else"}, SIZES)
    with pytest.raises(BadRequest, match="unexpected keyword argument 'other'"):
        check_options("probes.own", "tests.somebodys_own", somebodys_own, {"other": 1}, SIZES)


def test_splits_are_the_datas() -> None:
    assert get_args(Split) == SPLITS


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("probes.interpolation.points=2", "probes.interpolation.points=2 is too small: 3 or more."),
        (
            "probes.interpolation.batch_norm=keep",
            "probes.interpolation.batch_norm=keep is unknown: choose from interpolate, recalibrate.",
        ),
        ("+probes.interpolation.point=4", "lotto.probes.interpolation.probe has got an unexpected keyword argument"),
        ("probes.interpolation._target_=lotto.none", "probes.interpolation._target_=lotto.none is no function"),
        ("probes.evaluate.splits=[]", "probes.evaluate.splits=[] chooses nothing"),
    ],
)
def test_a_request_is_refused_before_it_is_trained(override: str, sentence: str) -> None:
    probes = "probes=[interpolation,evaluate]"
    check_spec(read_spec(composed([probes])))
    with pytest.raises(BadRequest) as refusal:
        check_spec(read_spec(composed([probes, override])))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_empty_split_is_refused_before_it_is_trained() -> None:
    with pytest.raises(BadRequest, match="splits=validation is empty"):
        check_spec(
            read_spec(composed(["probes=[evaluate]", "probes.evaluate.splits=[validation]", "data.validation=0"]))
        )
