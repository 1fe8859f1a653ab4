"""Lengths as they are written, in optimizer steps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.lengths import Length, moment


@pytest.mark.parametrize(
    ("written", "steps"),
    [
        ("500it", 500),
        ("3ep", 21),
        ("2ep100it", 114),
        (500, 500),
        ("500", 500),
        (" 3ep ", 21),
        ("0it", 0),
        (0, 0),
        ("0ep5it", 5),
    ],
)
def test_length_in_steps_of_seven_an_epoch(written: object, steps: int) -> None:
    assert Length.parse(written, "train.steps").steps(7) == steps


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**4))
def test_epochs_and_iterations_add_up(epochs: int, iterations: int, per_epoch: int) -> None:
    assert Length.parse(f"{epochs}ep{iterations}it", "x").steps(per_epoch) == epochs * per_epoch + iterations


@pytest.mark.parametrize(
    "written", ["", "ep", "it", "-5", "-1it", "1.5", "1.5ep", "3 ep", "100it2ep", "5e", "²", None, True, [3]]
)
def test_anything_else_is_refused_in_one_sentence(written: object) -> None:
    with pytest.raises(BadRequest) as refusal:
        Length.parse(written, "train.steps")
    assert str(refusal.value) == (
        f"train.steps={written} is not a length: write iterations (500it), epochs (3ep) or both (2ep100it)."
    )


@pytest.mark.parametrize(
    ("written", "step"),
    [
        ("75%", 65_918),
        (0.75, 65_918),
        ("100%", 87_891),
        ("0%", 0),
        ("37.5%", 32_959),
        ("700it", 700),
        ("2ep", 706),
        (5, 5),
    ],
)
def test_a_moment_of_training(written: object, step: int) -> None:
    assert moment(written, "method.end", 87_891, 353) == step


@pytest.mark.parametrize("written", ["101%", 1.5, -0.1, "87892it", "-5%", "%", float("nan"), None])
def test_a_moment_beyond_training_is_refused(written: object) -> None:
    with pytest.raises(BadRequest, match=r"^method\.end="):
        moment(written, "method.end", 87_891, 353)
