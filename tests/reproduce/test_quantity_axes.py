"""Claims along an axis, claims that choose a value of one, medians, and what a probe read: on numbers made up to be worked out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lotto.errors import BadRequest
from lotto.reproduce.claim import read_claims
from lotto.reproduce.differs import differences
from lotto.reproduce.quantity import Tables, measured
from lotto.reproduce.report import show
from lotto.reproduce.verdict import FAILS, UNTESTABLE, judge
from lotto.sweep.definition import Sweep
from lotto.sweep.planned import PlannedSweep
from tests.e2e import TINY
from tests.reproduce.made_up import NO_PROBES, claim, results

AXES = ("percent", "seconds")


def along(of: dict[str, list[float]], **further: Any) -> Tables:
    """Accuracies at half the weights of two replicates, by the value on the axis; the dense networks have 0.9 and 0.92."""
    parts = [results({"ticket": [[0.90, 0.92], values]}, percent=place) for place, values in of.items()]
    table = pd.concat(parts, ignore_index=True)
    return Tables(table.assign(**further), NO_PROBES, lambda key: [])


FROM = {"as": "from", "along": "percent", "of": {"density": 0.5}, "published": 2, "holds": {"between": [1, 4]}}


@pytest.mark.parametrize(
    ("accuracies", "margin", "value"),
    [
        ({"0": [0.5, 0.6], "2": [0.9, 0.92], "10": [0.91, 0.93]}, 0.0, 2),  # numbers, not words: 2 is less than 10
        ({"0": [0.95, 0.95], "2": [0.8, 0.8], "10": [0.95, 0.95]}, 0.0, 10),  # a value above that fails ends the search
        ({"0": [0.9, 0.92], "2": [0.9, 0.92], "10": [0.9, 0.92]}, 0.0, 0),
        ({"0": [0.5, 0.5], "2": [0.6, 0.6], "10": [0.89, 0.91]}, 0.0, math.inf),
        ({"0": [0.5, 0.5], "2": [0.6, 0.6], "10": [0.89, 0.91]}, 0.01, 10),
    ],
)
def test_from_is_the_smallest_value_from_which_on_the_other_side_is_reached(
    accuracies: dict[str, list[float]], margin: float, value: float
) -> None:
    found = measured(claim(AXES, **FROM, against={"density": 1}, margin=margin), along(accuracies))
    assert found.value == value
    assert found.n == 2
    wheres = {0: "the smallest value tried", 2: "not yet at 0", 10: "not yet at 2", math.inf: "no value reaches it"}
    assert found.where == wheres[value]


def test_without_another_side_the_measure_is_to_fall_to_the_margin() -> None:
    made = along({"0": [0.5, 0.6], "2": [0.03, 0.01], "10": [0.01, 0.0]})
    found = measured(claim(AXES, **FROM, margin=0.02), made)
    assert found.value == 2
    # The first replicate alone gets there later.
    assert (found.least, found.most) == (2, 10)


def test_what_is_never_reached_does_not_hold_and_says_so() -> None:
    made = claim(AXES, **FROM, margin=0.0)
    verdict = judge(made, along({"0": [0.5, 0.6], "2": [0.1, 0.1]}))
    assert verdict.verdict == FAILS and verdict.reason == "no value reaches it"
    assert verdict.difference is None
    assert show(made, verdict.found.value) == "never"
    never = claim(AXES, **{**FROM, "published": "at no point", "holds": {"above": 100}}, margin=0.0)
    assert judge(never, along({"0": [0.5, 0.6]})).verdict == "holds"


def test_along_an_axis_one_level_is_looked_at() -> None:
    made = claim(AXES, **{**FROM, "of": {"density": [0.4, 1]}}, margin=0.0)
    assert judge(made, along({"0": [0.5, 0.6]})).verdict == UNTESTABLE


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"as": "from"}, "along=None and as: from need each other."),
        ({"along": "percent"}, "along=percent and as: from need each other."),
        ({"as": "from", "along": "width"}, "along=width is no axis: choose from percent, seconds."),
        ({"pick": {"axis": "width", "by": "val_accuracy"}}, "of an axis: choose from percent, seconds."),
        ({"pick": "percent"}, "pick=percent is not {axis: …, by: …}"),
        ({"average": "mode"}, "average=mode is unknown: choose from mean, median."),
        ({"published": "lower", "holds": {"within": 0.1}}, "holds.within=0.1 needs a published number."),
    ],
)
def test_what_cannot_be_asked_along_an_axis_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        claim(AXES, **change)
    assert sentence in str(refused.value)


def test_pick_takes_at_every_density_the_value_that_validation_prefers() -> None:
    one = results({"ticket": [[0.90, 0.92], [0.80, 0.82], [0.7, 0.7]]}, seconds="182")
    other = results({"ticket": [[0.90, 0.92], [0.85, 0.87], [0.5, 0.5]]}, seconds="130")
    # Validation prefers 182 at half of the weights although the test split does not, and 130 at a quarter.
    one["val_accuracy"] = [0.9, 0.9, 0.8, 0.9, 0.4, 0.4]
    other["val_accuracy"] = [0.9, 0.9, 0.7, 0.9, 0.5, 0.5]
    made = Tables(pd.concat([one, other], ignore_index=True), NO_PROBES, lambda key: [])
    pick = {"axis": "seconds", "by": "val_accuracy"}
    assert measured(claim(AXES, pick=pick), made).value == pytest.approx(0.81)
    assert measured(claim(AXES, pick=pick, of={"density": 0.25}), made).value == pytest.approx(0.5)
    gain = claim(AXES, pick=pick, of={"density": [0.2, 0.6]}, over="worst")
    assert measured(gain, made).value == pytest.approx(0.5)
    unknown = claim(AXES, pick={"axis": "seconds", "by": "patience"})
    assert measured(unknown, made).reason == "there is no patience to choose by"


def test_a_median_has_no_interval_of_the_mean() -> None:
    made = Tables(results({"ticket": [[0.9] * 3, [0.1, 0.8, 0.9]]}), NO_PROBES, lambda key: [])
    found = measured(claim(average="median"), made)
    assert found.value == pytest.approx(0.8)
    assert math.isnan(found.low) and math.isnan(found.high)
    assert (found.least, found.most, found.where) == (pytest.approx(0.1), pytest.approx(0.9), "median")


def test_one_level_may_be_held_against_several() -> None:
    made = Tables(results({"ticket": [[100, 200], [50, 50], [80, 100]]}), NO_PROBES, lambda key: [])
    speed = claim(of={"density": 1}, against={"density": [0.2, 0.6]}, **{"as": "ratio"}, over="best")
    found = measured(speed, made)
    assert found.value == pytest.approx((100 / 50 + 200 / 50) / 2)
    assert found.where == "at 50.0% of the weights"
    assert measured(
        claim(of={"density": 1}, against={"density": [0.2, 0.6]}, **{"as": "ratio"}, over="worst"), made
    ).value == (pytest.approx((100 / 80 + 200 / 100) / 2))


@pytest.mark.parametrize(("stops", "value"), [([[100, 100], [100, 100]], None), ([[100, 100], [50, 100]], 0.75)])
def test_an_early_stop_that_no_training_reached_is_not_measured(stops: list[list[float]], value: float | None) -> None:
    made = results({"ticket": stops}).rename(columns={"test_accuracy": "early_stop_step"})
    tables = Tables(made, NO_PROBES, lambda key: [{"step": 0}, {"step": 100}])
    speed = claim(measure="early_stop_step", against={"density": 1}, **{"as": "ratio"})
    found = measured(speed, tables)
    assert found.value == value
    assert found.reason == ("the validation loss still falls at the last step" if value is None else "")


def test_of_levels_that_are_alike_none_is_the_best() -> None:
    made = Tables(results({"ticket": [[0.9, 0.9], [0.8, 0.9], [0.9, 0.8]]}), NO_PROBES, lambda key: [])
    best = claim(of={"density": [0.2, 0.6]}, over="best", **{"as": "density"})
    assert measured(best, made).reason == "all levels are alike"


def probes(rows: list[dict[str, Any]]) -> pd.DataFrame:
    common = {
        "branch": "ticket",
        "level": 1,
        "density": 0.5,
        "replicate": 0,
        "probe": "line",
        "layer": "",
        "pair": "1-2",
    }
    return pd.DataFrame([{**common, "measure": "error", "x": None, "key": "k", **row} for row in rows])


def test_a_probe_is_read_of_the_whole_network_and_at_the_nearest_place() -> None:
    read = probes(
        [
            {"value": 0.1, "x": 0.0},
            {"value": 0.7, "x": 0.48},
            {"value": 0.9, "x": 0.52},
            {"value": 0.2, "x": 1.0},
            {"value": 5.0, "x": 0.48, "layer": "fc.weight"},
        ]
    )
    made = Tables(results({"ticket": [[0.9], [0.9]]}), read, lambda key: [])
    half_way = claim(measure="line.error", of={"density": 0.5, "x": 0.5})
    assert measured(half_way, made).value == pytest.approx(0.8)  # two places are equally near
    assert measured(claim(measure="line.error", of={"density": 0.5, "x": 0.9}), made).value == pytest.approx(0.2)
    of_layer = claim(measure="line.error", of={"density": 0.5, "layer": "fc.weight", "x": 0.5})
    assert measured(of_layer, made).value == pytest.approx(5.0)


def test_a_value_of_an_axis_is_chosen_whether_it_is_written_as_a_number_or_a_word() -> None:
    made = along({"0": [0.5, 0.6], "2": [0.7, 0.8]})
    for written in (2, "2"):
        assert measured(claim(AXES, of={"density": 0.5, "percent": written}), made).value == pytest.approx(0.75)


def test_within_is_a_fraction_of_the_published_number() -> None:
    (made,) = read_claims(
        Path("figure.yaml"),
        [
            {
                "name": "one",
                "says": "It does.",
                "measure": "test_accuracy",
                "of": {"density": 1},
                "published": -40,
                "mark": "from summaries",
                "holds": {"within": 0.25},
                "tolerance": "made up",
            }
        ],
        (),
    )
    assert (made.holds.at_least, made.holds.at_most) == (-50, -30)


SWEEP = """\
# Two settings by rewinding point
overrides: [train.steps=60it]
axes:
  setting: [{name: high, train.lr: 0.1}, {name: low, train.lr: 0.01}]
  percent: %s
"""


def test_points_are_compared_with_those_of_the_paper_that_they_stand_for(tmp_path: Path) -> None:
    def planned(name: str, percents: str) -> PlannedSweep:
        path = tmp_path / f"{name}.yaml"
        path.write_text(SWEEP % percents)
        return PlannedSweep.of(Sweep.read(str(path)), TINY)

    paper = planned("paper", "[{name: 0, rewind.at: 0}, {name: 5, rewind.at: 3it}, {name: 10, rewind.at: 6it}]")
    here = planned("here", "[{name: 0, rewind.at: 0}, {name: 10, rewind.at: 5it}]")
    # By place the second setting's first point would be held against the first setting's third.
    assert differences(here, paper) == [
        "rewind.at: 5it here, 6it in the paper",
        "percent: 0, 10 here, 0, 5, 10 in the paper",
    ]
    other = planned("other", "[{name: 50, rewind.at: 30it}]")
    assert differences(other, paper) == ["percent: 50 here, 0, 5, 10 in the paper"]
