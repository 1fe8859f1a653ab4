"""Intervals are worked out from a printed table of Student's t: 4.302653 for 2 degrees of freedom, 2.776445 for 4."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from lotto.errors import BadRequest
from lotto.report.finding import find
from tests.report.report_examples import small, without_validation

T2, T4 = 4.302653, 2.776445

# Mean 0.982 and sd 0.002: a level matches from 0.980.
DENSE = [0.980, 0.982, 0.984]
ABOVE = [0.984, 0.986, 0.985]
WITHIN = [0.979, 0.982, 0.982]
BELOW = [0.975, 0.978, 0.978]


def test_the_smallest_matching_level_with_its_differences() -> None:
    finding = find(small({"ticket": [DENSE, ABOVE, WITHIN, BELOW], "reinit": [ABOVE, [0.960, 0.962, 0.964], BELOW]}))

    assert (finding.level, finding.density, finding.misses) == (2, 0.25, ())
    half = T2 * 0.001 / math.sqrt(3)
    assert finding.against_dense is not None
    assert finding.against_dense.mean == pytest.approx(-0.001)
    assert (finding.against_dense.low, finding.against_dense.high) == pytest.approx(
        (-0.001 - half, -0.001 + half), rel=1e-6
    )
    assert finding.sentence == (
        "The smallest ticket that comes within one standard deviation of the dense network keeps "
        "25.0% of the weights (level 2): "
        "test accuracy at the end of training 98.10% against 98.20% (one standard deviation is 0.20 points, n = 3). "
        "The 95% bootstrap interval of that density is 25.0% to 50.0% (n = 3). "
        "Against the dense network it does not differ reliably (−0.10 points, 95% interval −0.35 to 0.15, n = 3). "  # noqa: RUF001
        "Against the ticket at that level, reinit loses 1.90 points (95% interval 1.65 to 2.15, n = 3). "
        "Every control loses reliably, as it must beside a winning ticket."
    )


def test_a_wide_interval_is_told_in_tenths_of_a_point() -> None:
    scatter = 0.00644  # the sd of the differences below, and 2.776445 sd / sqrt(5) is 0.0080
    differences = [-0.019 + scatter * sign for sign in (1, -1, 1, -1, 0)]
    ticket = [0.98] * 5

    finding = find(small({"ticket": [ticket, ticket], "reinit": [[0.98 + difference for difference in differences]]}))

    assert finding.controls["reinit"].high == pytest.approx(-0.019 + T4 * scatter / math.sqrt(5), rel=1e-6)
    assert "reinit loses 1.9 points (95% interval 1.1 to 2.7, n = 5)" in finding.sentence


def test_a_control_that_does_as_well_speaks_against_a_winning_ticket() -> None:
    finding = find(
        small({"ticket": [DENSE, WITHIN], "reinit": [[0.980, 0.981, 0.982]], "shuffle": [[0.96, 0.963, 0.963]]})
    )

    assert "reinit does not differ reliably (0.00 points, 95% interval −0.25 to 0.25, n = 3)" in finding.sentence  # noqa: RUF001
    assert finding.sentence.endswith("A winning ticket must beat its controls: reinit is not shown to lose.")


def test_a_control_that_gains_is_said_to_gain() -> None:
    finding = find(small({"ticket": [DENSE, WITHIN], "reinit": [[0.989, 0.992, 0.992]]}))

    assert "reinit gains 1.00 points (95% interval 1.00 to 1.00, n = 3)" in finding.sentence


def test_differences_without_variance_have_a_point_for_an_interval() -> None:
    finding = find(small({"ticket": [DENSE, DENSE], "reinit": [[value - 0.01 for value in DENSE]]}))

    assert "it does not differ reliably (0.00 points, 95% interval 0.00 to 0.00, n = 3)" in finding.sentence
    assert "reinit loses 1.00 points (95% interval 1.00 to 1.00, n = 3)" in finding.sentence
    assert "nan" not in finding.sentence


def test_samples_of_a_control_are_averaged_within_their_replicate() -> None:
    table = small({"ticket": [DENSE, WITHIN], "reinit": [[0.960, 0.962, 0.964]]})
    drawn_again = table[table["branch"] == "reinit"].assign(sample=1, test_accuracy=[0.950, 0.958, 0.954])

    control = find(pd.concat([table, drawn_again])).controls["reinit"]

    assert control.n == 3
    assert control.mean == pytest.approx((0.955 + 0.960 + 0.959) / 3 - 0.981)


def test_one_replicate_is_compared_as_it_is_and_says_so() -> None:
    finding = find(small({"ticket": [[0.98], [0.98], [0.97]], "reinit": [[0.96]]}))

    assert finding.level == 1
    assert finding.sentence == (
        "The smallest ticket that is at least as accurate as the dense network keeps 50.0% of the weights (level 1): "
        "test accuracy at the end of training 98.00% against 98.00% "
        "(with one replicate there is no spread and no interval, and single accuracies are compared). "
        "Against the dense network it is equal (n = 1, no interval). "
        "Against the ticket at that level, reinit loses 2.00 points (n = 1, no interval). "
        "A winning ticket must beat its controls: reinit is not shown to lose."
    )


def test_without_a_control_nothing_is_claimed() -> None:
    finding = find(small({"ticket": [DENSE, WITHIN]}))

    assert finding.sentence.endswith("Without a control the accuracy alone shows no winning ticket.")


def test_a_control_not_trained_at_the_level_is_said_so() -> None:
    finding = find(small({"ticket": [DENSE, BELOW, WITHIN], "reinit": [BELOW]}))

    assert finding.controls["reinit"].n == 0
    assert "reinit was not trained." in finding.sentence


def test_nothing_matches() -> None:
    finding = find(small({"ticket": [DENSE, [0.95, 0.953, 0.953], BELOW], "reinit": [BELOW, BELOW]}))

    assert (finding.level, finding.density) == (None, None)
    assert finding.sentence == (
        "No sparse ticket comes within one standard deviation of the dense network: the most accurate, "
        "25.0% of the weights (level 2), has test accuracy at the end of training 97.70% against 98.20% "
        "(one standard deviation is 0.20 points, n = 3). "
        "One does in 0% of the bootstrap resamples (n = 3). "
        "Against the dense network it loses 0.50 points (95% interval 0.25 to 0.75, n = 3)."
    )


def test_where_none_matches_the_share_of_resamples_with_a_match_is_said() -> None:
    # Only the draw of the second replicate alone, 1 of 27, has a ticket as good as dense.
    finding = find(small({"ticket": [DENSE, [0.970, 0.982, 0.970]]}))

    assert finding.level is None
    assert "One does in 4% of the bootstrap resamples (n = 3)." in finding.sentence


def test_where_resamples_go_without_a_match_the_interval_says_how_many() -> None:
    # It fails in the draws of the first replicate with none of the third: (0, 0, 0), (0, 0, 1) and (0, 1, 1).
    finding = find(small({"ticket": [DENSE, [0.976, 0.982, 0.986]]}))

    assert finding.level == 1
    assert (
        "The 95% bootstrap interval of that density is 50.0% to 100% "
        "(n = 3; none matches in 26% of the resamples; no sparser one was trained)." in finding.sentence
    )


def test_larger_densities_that_fail_are_named() -> None:
    finding = find(small({"ticket": [DENSE, BELOW, ABOVE, BELOW, WITHIN]}))

    assert finding.level == 4
    assert [miss.level for miss in finding.misses] == [1, 3]
    assert (
        "But not every larger ticket matches: "
        "50.0% of the weights (level 1) and 12.5% of the weights (level 3) fall short." in finding.sentence
    )


def test_a_level_exactly_one_standard_deviation_below_matches() -> None:
    assert find(small({"ticket": [DENSE, [0.980] * 3]})).level == 1
    assert find(small({"ticket": [DENSE, [0.9799] * 3]})).level is None


def test_the_other_accuracy_can_be_asked_for() -> None:
    table = small({"ticket": [DENSE, BELOW]})
    table["test_accuracy_early_stop"] = 0.97

    finding = find(table, measure="test_accuracy_early_stop")

    assert finding.level == 1
    assert "test accuracy at early stop 97.00% against 97.00%" in finding.sentence
    with pytest.raises(BadRequest, match="measure=val_loss_min is not an accuracy"):
        find(table, measure="val_loss_min")


def test_nothing_to_compare_is_said() -> None:
    table = small({"ticket": [DENSE, WITHIN]})

    assert find(table[table["level"] == 0]).sentence == (
        "Only the dense network was trained: test accuracy at the end of training 98.20% (n = 3)."
    )
    assert "dense network is not known" in find(table[table["level"] == 1]).sentence
    assert "dense network is not known" in find(without_validation(table), "test_accuracy_early_stop").sentence
