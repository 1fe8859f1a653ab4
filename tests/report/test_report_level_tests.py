"""Paired tests, against scipy's own of two columns and against every sign written out."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from lotto.report.holm import holm
from lotto.report.level_tests import LevelTest, every_test, level_tests
from lotto.report.measures import ACCURACY
from lotto.report.paired_test import paired_test
from tests.report.report_examples import simulate, small, without_validation


def every_sign(differences: list[int]) -> float:
    """Wilcoxon's two-sided p by definition: of all signs, the share as far to one side as those seen, twice."""
    moved = [difference for difference in differences if difference]
    ranks = scipy.stats.rankdata(np.abs(moved))
    seen = sum(rank for rank, difference in zip(ranks, moved, strict=True) if difference > 0)
    sums = [
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign)
        for signs in product((0, 1), repeat=len(moved))
    ]
    above, below = (sum(total >= seen for total in sums), sum(total <= seen for total in sums))
    return min(1.0, 2 * min(above, below) / len(sums))


@settings(deadline=None)  # the first call loads scipy.stats
@given(st.lists(st.integers(-6, 6), min_size=2, max_size=7).filter(any))
def test_wilcoxon_is_exact_with_ties_and_without(differences: list[int]) -> None:
    assert paired_test(np.array(differences, dtype=float)).wilcoxon_p == pytest.approx(every_sign(differences))


def test_student_is_scipys_test_of_two_columns(table: pd.DataFrame) -> None:
    accuracy = table.set_index(["branch", "level", "replicate"])["test_accuracy"].sort_index()
    tests = {(test.first, test.second, test.level): test for test in level_tests(table, ACCURACY)}

    assert len(tests) == 3 * 15
    for (first, second, level), test in tests.items():
        other = accuracy["ticket", 0] if second == "dense" else accuracy["ticket", level]
        theirs = scipy.stats.ttest_rel(accuracy[first, level], other)
        assert test.test.t_p == pytest.approx(theirs.pvalue, rel=1e-6)
        interval = theirs.confidence_interval(0.95)
        assert (test.test.difference.low, test.test.difference.high) == pytest.approx((interval.low, interval.high))
        assert test.bootstrap[0] < test.test.difference.mean < test.bootstrap[1]


def test_every_comparison_is_a_family_of_its_own(table: pd.DataFrame) -> None:
    for first in ("ticket", "reinit", "shuffle"):
        family = [test for test in level_tests(table, ACCURACY) if test.first == first]
        assert [test.t_p_holm for test in family] == list(holm([test.test.t_p for test in family]))
        assert [test.wilcoxon_p_holm for test in family] == list(holm([test.test.wilcoxon_p for test in family]))
        assert [test.level for test in family] == list(range(1, 16))


def one(differences: list[float]) -> LevelTest:
    """The test of a ticket that differs from dense by this much in each replicate."""
    dense = [0.95] * len(differences)
    (test,) = level_tests(small({"ticket": [dense, [0.95 + change for change in differences]]}), ACCURACY)
    return test


def test_one_replicate_has_neither_test_nor_interval() -> None:
    test = one([0.01])

    assert test.test.difference.n == 1
    numbers = (test.test.difference.low, *test.bootstrap, test.test.t_p, test.test.wilcoxon_p)
    assert all(math.isnan(number) for number in (*numbers, test.t_p_holm, test.wilcoxon_p_holm))
    assert test.test.note == "one replicate: no interval and no test"


def test_two_replicates_have_a_t_test_and_no_small_wilcoxon() -> None:
    test = one([0.01, 0.03])

    # t = 0.02 / 0.01 = 2 with one degree of freedom, whose tail is 1/2 - atan(t)/pi.
    assert test.test.t_p == pytest.approx(2 * (0.5 - math.atan(2) / math.pi))
    assert test.test.wilcoxon_p == 0.5
    assert test.test.note == "Wilcoxon's p cannot fall below 0.5 with 2 replicates that differ"


def test_differences_that_are_all_the_same_have_no_t_test() -> None:
    equal, shifted = one([0.0] * 4), one([0.01] * 4)

    assert math.isnan(equal.test.t_p) and math.isnan(equal.test.wilcoxon_p)
    assert equal.test.note == "every difference is zero: nothing to test"
    assert math.isnan(shifted.test.t_p) and shifted.test.wilcoxon_p == 2 / 2**4
    assert shifted.test.note.startswith("every difference is the same: without a spread there is no t test; ")
    assert (shifted.test.difference.low, shifted.test.difference.high) == pytest.approx((0.01, 0.01))


def test_six_replicates_may_reach_a_small_wilcoxon_and_nothing_is_said() -> None:
    test = one([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])

    assert test.test.wilcoxon_p == 2 / 2**6
    assert test.test.note == ""


def test_many_tied_replicates_are_approximated_and_it_is_said() -> None:
    test = one([0.01, 0.02] * 7)

    assert test.test.note == "Wilcoxon's p is the normal approximation for n = 14"
    assert 0 < test.test.wilcoxon_p < 0.01


def test_draws_of_a_control_count_once_a_replicate() -> None:
    table = simulate(replicates=3, levels=2, controls=("reinit",), samples=4)

    (against_ticket,) = (test for test in level_tests(table, ACCURACY) if test.first == "reinit")

    means = table[table["level"] == 1].groupby(["branch", "replicate"])["test_accuracy"].mean()
    assert against_ticket.test.difference.n == 3
    assert against_ticket.test.t_p == pytest.approx(scipy.stats.ttest_rel(means["reinit"], means["ticket"]).pvalue)


def test_only_shared_levels_and_replicates_are_compared() -> None:
    table = small({"ticket": [[0.9, 0.92], [0.9, 0.91], [0.8, 0.85]], "reinit": [[0.7, 0.8]]})
    table = table.drop(table.index[(table["branch"] == "reinit") & (table["replicate"] == 0)])
    table.loc[table["branch"] == "reinit", "replicate"] = 5

    tests = [(test.first, test.second, test.level, test.test) for test in level_tests(table, ACCURACY)]

    assert [entry[:3] for entry in tests] == [
        ("ticket", "dense", 1),
        ("ticket", "dense", 2),
        ("reinit", "ticket", 1),
    ]
    assert tests[-1][3].difference.n == 0
    assert tests[-1][3].note == "no replicate has both: nothing to compare"


def test_measures_that_the_table_does_not_know_are_not_tested() -> None:
    known = {test.measure for test in every_test(without_validation(simulate(replicates=2, levels=2)))}

    assert known == {ACCURACY}
