from __future__ import annotations

import math

import pandas as pd
import pytest

from lotto.report.summary import level_densities, summarise
from tests.report.report_examples import simulate, small, without_validation


def test_mean_spread_and_n_by_hand() -> None:
    table = small({"ticket": [[0.90, 0.92, 0.94]]})

    (row,) = summarise(table).to_dict("records")

    assert row["n"] == row["test_accuracy_n"] == 3
    assert row["test_accuracy_mean"] == pytest.approx(0.92)
    assert row["test_accuracy_sd"] == pytest.approx(0.02)
    assert (row["test_accuracy_min"], row["test_accuracy_max"]) == (0.90, 0.94)


def test_draws_of_a_control_are_averaged_before_replicates_are_compared() -> None:
    table = small({"ticket": [[0.9, 0.9]], "reinit": [[0.80, 0.84]]})
    drawn_again = table[table["branch"] == "reinit"].assign(sample=1, test_accuracy=[0.82, 0.86])

    row = summarise(pd.concat([table, drawn_again])).query("branch == 'reinit'").iloc[0]

    assert (row["n"], row["runs"]) == (2, 4)
    assert row["test_accuracy_mean"] == pytest.approx(0.83)
    assert row["test_accuracy_sd"] == pytest.approx(0.04 / math.sqrt(2))


def test_one_replicate_has_no_spread() -> None:
    assert summarise(small({"ticket": [[0.9]]}))["test_accuracy_sd"].isna().all()


def test_densities_that_differ_slightly_are_one_level() -> None:
    table = small({"ticket": [[0.9, 0.9], [0.9, 0.9]]})
    table.loc[table["level"] == 1, "density"] = [0.50, 0.52]

    assert list(summarise(table)["density"]) == pytest.approx([1.0, 0.51])


def test_without_validation_split_early_stop_is_known_for_no_replicate() -> None:
    summary = summarise(without_validation(simulate(replicates=2, levels=2)))

    assert (summary["early_stop_step_n"] == 0).all()
    assert (summary["n"] == 2).all()


def test_the_ticket_comes_first_then_the_controls_in_their_fixed_order() -> None:
    summary = summarise(simulate(replicates=1, levels=3, controls=("another", "noise", "reinit")))

    assert list(summary["branch"].unique()) == ["ticket", "reinit", "noise", "another"]
    assert list(summary["level"]) == [0, 1, 2, 1, 2, 1, 2, 1, 2]


def test_the_density_of_a_level_is_the_tickets_and_not_that_of_a_dense_control() -> None:
    rows = [("ticket", 0, 1.0), ("ticket", 1, 0.4), ("norm_l2", 1, 1.0), ("random", 2, 0.2)]
    table = pd.DataFrame([{"branch": branch, "level": level, "density": density} for branch, level, density in rows])
    assert level_densities(table).to_dict() == {0: 1.0, 1: 0.4, 2: 0.2}
