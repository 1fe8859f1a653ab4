"""How claims are written, and what their rules come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.reproduce.claim import Bounds, read_claims
from lotto.reproduce.report import show
from lotto.reproduce.verdict import DIRECTION, FAILS, HOLDS, UNTESTABLE, judge
from tests.reproduce.made_up import claim, tables

BASE = {
    "name": "one",
    "says": "It does.",
    "measure": "test_accuracy",
    "of": {"density": 0.5},
    "published": 0.9,
    "mark": "read",
    "holds": {"near": 0.01},
    "tolerance": "made up",
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"mark": "guessed"},
            "claim one: mark=guessed is unknown: choose from read, computed, from memory, plotted, from summaries, measured.",
        ),
        ({"mark": None}, "mark=None is unknown"),
        ({"tolerance": ""}, "tolerance= is no text."),
        ({"holds": None}, "holds=None is missing: a claim needs its rule."),
        ({"holds": {"about": 1}}, "is no rule: give at_least, at_most, above, below, between, near, within."),
        ({"published": "lower", "holds": {"near": 0.1}}, "needs a published number"),
        ({"published": None}, "published=None is neither a number nor words."),
        ({"of": {"rewind.at": 0}}, "of.rewind.at=0 is unknown"),
        ({"of": {"level": [1, 2]}}, "only density may be a range"),
        ({"as": "difference"}, "as=difference needs of and against."),
        ({"against": {"density": 1}}, "as=value has nothing to do with against."),
        ({"unit": "furlongs"}, "unit=furlongs is unknown"),
        ({"when": 3}, "when=3 is no part of a claim."),
    ],
)
def test_what_is_no_claim_is_refused_in_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest, match=r"figure\.yaml") as refused:
        read_claims(Path("figure.yaml"), [{**BASE, **change}], ())
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_claims_of_one_name_are_refused() -> None:
    with pytest.raises(BadRequest, match="two claims are called one"):
        read_claims(Path("figure.yaml"), [BASE, BASE], ())


def test_for_writes_a_claim_for_every_case() -> None:
    given_claim = {
        **BASE,
        "name": "accuracy at {density}",
        "of": {"density": "{density}", "rewind": "{rewind}"},
        "for": [
            {"density": 0.8, "rewind": "weights", "published": 0.92},
            {"density": 0.5, "rewind": "finetune", "published": 0.90},
        ],
    }
    one, other = read_claims(Path("figure.yaml"), [given_claim], ("rewind",))
    assert (one.name, other.name) == ("accuracy at 0.8", "accuracy at 0.5")
    assert (one.of, other.of) == ({"density": 0.8, "rewind": "weights"}, {"density": 0.5, "rewind": "finetune"})
    assert one.holds == Bounds(at_least=pytest.approx(0.91), at_most=pytest.approx(0.93))
    assert other.holds == Bounds(at_least=pytest.approx(0.89), at_most=pytest.approx(0.91))


MADE = tables({"ticket": [[0.90, 0.92], [0.93, 0.95]]})  # at half the weights 0.94, interval about 0.81 to 1.07
ALONE = tables({"ticket": [[0.90], [0.94]]})


@pytest.mark.parametrize(
    ("holds", "direction", "verdict"),
    [
        ({"at_least": 0.94}, None, HOLDS),
        ({"above": 0.94}, None, FAILS),
        ({"at_most": 0.93}, {"at_most": 0.95}, DIRECTION),
        ({"at_most": 0.93}, {"below": 0.94}, FAILS),
        ({"between": [0.9, 0.95]}, None, HOLDS),
        ({"near": 0.041}, None, HOLDS),
        ({"near": 0.039}, None, FAILS),
    ],
)
def test_the_verdict_is_the_rule_applied_to_the_mean(
    holds: dict[str, Any], direction: dict[str, Any] | None, verdict: str
) -> None:
    asked = claim(holds=holds, **({"direction": direction} if direction else {}))
    assert judge(asked, ALONE).verdict == verdict


def test_a_verdict_says_how_sure_it_is() -> None:
    assert judge(claim(holds={"at_least": 0.93}), MADE).reason == "the interval reaches across the bound"
    assert judge(claim(holds={"at_least": 0.5}), MADE).reason == ""
    assert judge(claim(holds={"at_most": 0.5}), MADE).reason == ""
    assert judge(claim(holds={"at_least": 0.93}), ALONE).reason == "one replicate: no interval"


def test_what_was_not_run_is_not_testable_and_says_why() -> None:
    judged = judge(claim(of={"density": 0.01}), MADE)
    assert (judged.verdict, judged.difference) == (UNTESTABLE, None)
    assert "no level lies at 1.0% of the weights" in judged.reason


def test_the_difference_is_measured_less_published() -> None:
    assert judge(claim(published=0.9), ALONE).difference == pytest.approx(0.04)
    assert judge(claim(published="higher"), ALONE).difference is None


@given(*(st.floats(low, high, allow_subnormal=False) for low, high in [(-2, 2), (-1, 1), (0, 1)]))
def test_bounds_between_two_numbers_hold_between_them_alone(value: float, low: float, width: float) -> None:
    assert Bounds(at_least=low, at_most=low + width).hold(value) == (low <= value <= low + width)


@pytest.mark.parametrize(
    ("unit", "value", "signed", "text"),
    [
        ("%", 0.98123, False, "98.12%"),
        ("points", -0.003, True, "\N{MINUS SIGN}0.30 points"),
        ("points", 0.003, True, "+0.30 points"),
        ("x", 2.514, False, "2.51x"),
        ("steps", 12345.6, False, "12,346"),
        ("degrees", 53.14, False, "53.1°"),
        ("", 0.012345, False, "0.0123"),
        ("%", float("nan"), False, "\N{EN DASH}"),
    ],
)
def test_a_number_is_shown_in_the_claims_unit(unit: str, value: float, signed: bool, text: str) -> None:
    assert show(claim(unit=unit), value, signed) == text


def test_what_several_claims_say_is_printed_once() -> None:
    import io

    from lotto.reproduce.figure import Figure
    from lotto.reproduce.report import Compared, print_compared

    claims = [claim(name=name, says=says) for name, says in [("a", "Same."), ("b", "Same."), ("c", "Other.")]]
    verdicts = tuple(judge(one, ALONE) for one in claims)
    stream = io.StringIO()
    print_compared(Compared(Figure.read("frankle2019/fig4"), "smoke", (), verdicts, "lotto"), stream)
    assert stream.getvalue().count("Same.") == 1
    assert "a … b: Same." in stream.getvalue() and "c: Other." in stream.getvalue()
