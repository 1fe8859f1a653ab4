"""The number of a claim, worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy import stats

from lotto.reproduce.quantity import measured
from tests.reproduce.made_up import NO_PROBES, Tables, claim, results, tables

THREE = {
    "ticket": [[0.90, 0.92, 0.94], [0.93, 0.93, 0.96], [0.80, 0.90, 0.91]],
    "reinit": [[0.90, 0.91, 0.92], [0.70, 0.75, 0.80]],
}


def test_a_value_is_the_mean_over_replicates_with_its_interval() -> None:
    found = measured(claim(of={"density": 0.5}), tables(THREE))
    low, high = stats.t.interval(0.95, 2, 0.94, stats.sem([0.93, 0.93, 0.96]))
    assert (found.value, found.n) == (pytest.approx(0.94), 3)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))
    assert (found.least, found.most) == (0.93, 0.96)


def test_a_difference_is_paired_by_replicate() -> None:
    found = measured(claim(**{"as": "difference"}, of={"density": 0.5}, against={"density": 1}), tables(THREE))
    # 0.03, 0.01, 0.02
    assert (found.value, found.sd) == (pytest.approx(0.02), pytest.approx(0.01))


def test_a_replicate_that_one_side_lacks_does_not_count() -> None:
    lacking = {**THREE, "reinit": [[0.90, 0.91], [0.70, 0.75]]}
    found = measured(
        claim(**{"as": "difference"}, of={"density": 0.5}, against={"branch": "reinit", "density": 0.5}),
        tables(lacking),
    )
    assert (found.value, found.n) == (pytest.approx(0.025), 2)


def test_draws_of_a_control_are_averaged_within_their_replicate() -> None:
    table = results({"ticket": [[0.9, 0.9]], "reinit": [[0.7, 0.8]]})
    again = table[table["branch"] == "reinit"].assign(sample=1, test_accuracy=[0.9, 1.0], key=["a", "b"])
    made = Tables(pd.concat([table, again], ignore_index=True), NO_PROBES, lambda key: [])
    found = measured(claim(of={"branch": "reinit", "density": 0.5}), made)
    assert (found.value, found.n, found.least, found.most) == (
        pytest.approx(0.85),
        2,
        pytest.approx(0.8),
        pytest.approx(0.9),
    )


def test_a_ratio() -> None:
    found = measured(claim(**{"as": "ratio"}, of={"density": 0.25}, against={"density": 1}), tables(THREE))
    assert found.value == pytest.approx((0.80 / 0.90 + 0.90 / 0.92 + 0.91 / 0.94) / 3)


@pytest.mark.parametrize(("over", "value", "where"), [("best", 0.02, "50.0%"), ("worst", -0.05, "25.0%")])
def test_the_level_is_chosen_by_the_mean_over_replicates(over: str, value: float, where: str) -> None:
    found = measured(
        claim(**{"as": "difference"}, of={"density": [0.2, 0.9]}, against={"density": 1}, over=over), tables(THREE)
    )
    assert found.value == pytest.approx(value)
    assert where in found.where


def test_a_range_against_a_range_compares_level_by_level() -> None:
    asked = claim(
        **{"as": "difference"},
        of={"density": [0.2, 0.6]},
        against={"branch": "reinit", "density": [0.2, 0.6]},
        over="best",
    )
    found = measured(asked, tables(THREE))
    assert found.value == pytest.approx((0.10 + 0.15 + 0.11) / 3)


def test_levels_that_differ_are_compared_on_the_line_between_them() -> None:
    """Tickets at 50 and 25%, the other side at 60 and 30%: over the logarithm, and nothing below 30%."""
    table = results({"ticket": [[0.9, 0.9], [0.9, 0.8], [0.7, 0.7]], "reinit": [[0.8, 0.7], [0.6, 0.6]]})
    other = table["branch"] == "reinit"
    table.loc[other, "density"] = table.loc[other, "density"] * 1.2
    asked = claim(
        **{"as": "difference"},
        of={"density": [0.2, 0.9]},
        against={"branch": "reinit", "density": [0.2, 0.9]},
        over="mean",
    )
    found = measured(asked, Tables(table, NO_PROBES, lambda key: []))
    part = math.log(0.5 / 0.3) / math.log(0.6 / 0.3)
    assert (found.least, found.most) == (pytest.approx(0.2 - 0.1 * part), pytest.approx(0.3 - 0.2 * part))
    assert (found.n, found.where) == (2, "at 50.0% of the weights")


def test_one_level_in_common_by_chance_is_not_all_that_is_compared() -> None:
    """Tickets at 50 and 25%, the other side at 60 and 25%."""
    table = results({"ticket": [[0.9, 0.9], [0.9, 0.8], [0.7, 0.7]], "reinit": [[0.8, 0.7], [0.6, 0.6]]})
    table.loc[(table["branch"] == "reinit") & (table["density"] == 0.5), "density"] = 0.6
    sides = {"of": {"density": [0.2, 0.9]}, "against": {"branch": "reinit", "density": [0.2, 0.9]}}
    found = measured(claim(**{"as": "difference"}, **sides, over="mean"), Tables(table, NO_PROBES, lambda key: []))
    part = math.log(0.5 / 0.25) / math.log(0.6 / 0.25)
    first, second = (0.3 - 0.2 * part, 0.1), (0.2 - 0.1 * part, 0.1)
    assert found.value == pytest.approx((sum(first) + sum(second)) / 4)


def test_the_density_that_was_chosen_is_a_number_itself() -> None:
    found = measured(claim(**{"as": "density"}, of={"density": [0.2, 0.9]}, over="best"), tables(THREE))
    assert found.value == 0.5


@pytest.mark.parametrize(("margin", "value"), [(0.0, 0.5), (0.06, 0.25)])
def test_down_to_is_the_last_level_before_the_first_that_falls_short(margin: float, value: float) -> None:
    asked = claim(**{"as": "down_to"}, of={"density": [0.1, 0.9]}, against={"density": 1}, margin=margin)
    found = measured(asked, tables(THREE))
    assert found.value == value
    assert ("sparsest" in found.where) == (value == 0.25)
    # of the replicates alone: 0.93 < 0.94 nowhere; the third falls from 0.94 to 0.91 at a quarter
    assert (found.least, found.most) == ((0.5, 0.5) if margin == 0 else (0.25, 0.5))


def test_down_to_where_no_level_reaches_it() -> None:
    asked = claim(**{"as": "down_to"}, of={"branch": "reinit", "density": [0.1, 0.9]}, against={"density": 1})
    found = measured(asked, tables(THREE))
    assert (found.value, found.where) == (1.0, "no level reaches it")


def test_a_curve_is_read_after_a_fraction_of_training() -> None:
    for fraction, value in [(0.5, 0.6), (0.99, 0.6), (1, 0.9)]:
        assert measured(claim(measure=f"test_accuracy@{fraction}"), tables(THREE)).value == pytest.approx(value)


def test_a_probe_is_read_by_its_name() -> None:
    row = {
        "branch": "ticket",
        "level": 1,
        "density": 0.5,
        "replicate": 0,
        "probe": "interpolation",
        "layer": "",
        "x": None,
    }
    probes = pd.DataFrame(
        [
            {**row, "measure": "barrier_test", "pair": "1-2", "value": 0.1, "key": "a"},
            {**row, "measure": "barrier_test", "pair": "1-3", "value": 0.3, "key": "a"},
            {**row, "measure": "other", "pair": "1-3", "value": 0.9, "key": "a"},
        ]
    )
    made = tables(THREE, probes)
    assert measured(claim(measure="interpolation.barrier_test"), made).value == pytest.approx(0.2)
    assert measured(claim(measure="interpolation.barrier_test", of={"pair": "1-3"}), made).value == pytest.approx(0.3)
    assert "hessian" in measured(claim(measure="hessian.trace"), made).reason


def test_an_axis_chooses_points_and_seeds_count_as_replicates() -> None:
    table = pd.concat(
        [
            results({"ticket": [[0.5], [value]]}, method=method, seed=seed)
            for method, seed, value in [("imp", "0", 0.8), ("imp", "1", 0.9), ("one_shot", "0", 0.1)]
        ],
        ignore_index=True,
    )
    made = Tables(table, NO_PROBES, lambda key: [])
    found = measured(claim(["method"], of={"density": 0.5, "method": "imp"}), made)
    assert (found.value, found.n) == (pytest.approx(0.85), 2)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"of": {"density": 0.01}}, "1.0%"),
        ({"of": {"branch": "shuffle", "density": 0.5}}, "shuffle"),
        ({"measure": "val_accuracy"}, "val_accuracy"),
        ({"of": {"level": 9}}, "9"),
    ],
)
def test_what_is_not_there_is_said(fields: dict[str, object], word: str) -> None:
    found = measured(claim(**fields), tables(THREE))
    assert found.value is None and math.isnan(found.low)
    assert word in found.reason


@pytest.mark.parametrize(("wanted", "level"), [(0.5, 1), (0.51, 1), (0.49, 1), (0.45, None), (0.27, None), (0.255, 2)])
def test_a_density_is_its_level_within_half_a_round(wanted: float, level: int | None) -> None:
    found = measured(claim(of={"density": wanted}), tables(THREE))
    expected = {1: 0.94, 2: 0.87, None: None}[level]
    assert found.value == (None if expected is None else pytest.approx(expected))


def test_a_control_that_ends_before_its_tickets_is_said_to() -> None:
    made = tables({"ticket": [[0.9], [0.8], [0.7]], "reinit": [[0.6]]})
    found = measured(claim(of={"branch": "reinit", "density": 0.25}), made)
    assert found.reason == "no level lies at 25.0% of the weights (the levels end at 50.0%)"
