from __future__ import annotations

import io

import pandas as pd

from lotto.report.differences import differences_section
from lotto.report.finding import find
from lotto.report.level_tests import every_test
from lotto.report.measures import ACCURACY
from lotto.report.tables import level_rows, markdown_table, print_table
from tests.report.report_examples import simulate, small

CONTROLS = ("reinit", "shuffle", "random", "reinit_from_ticket", "prune_at_init", "noise")


def printed(table: pd.DataFrame, measure: str | None = None) -> str:
    stream = io.StringIO()
    print_table(table, find(table), stream, measure)
    return stream.getvalue()


def test_plain_text_of_at_most_100_columns_with_every_branch() -> None:
    table = simulate(replicates=3, levels=5, controls=CONTROLS)
    table["weights_remaining"] *= 100

    text = printed(table)

    assert "\x1b" not in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert all(branch in text for branch in CONTROLS)


def test_the_level_of_the_finding_is_marked() -> None:
    table = small({"ticket": [[0.98, 0.982], [0.98, 0.982], [0.9, 0.9]]})

    lines = printed(table).splitlines()

    assert [line.split()[:3] for line in lines if line.lstrip().startswith("* 1")] == [["*", "1", "50.0"]]
    assert "* smallest density that matches the dense network" in lines


def test_a_single_replicate_shows_no_spread_and_says_so() -> None:
    text = printed(small({"ticket": [[0.98], [0.97]]}))

    assert "98.00 ± \N{EN DASH} (1)" in text
    assert "one replicate has no spread" in " ".join(text.split())


def test_early_stop_iterations_have_a_table_too() -> None:
    assert "Early-stop iteration: mean" in printed(simulate(replicates=2, levels=2), "early_stop_step")


def test_markdown_is_a_table_with_the_finding_in_bold() -> None:
    table = small({"ticket": [[0.98, 0.982], [0.98, 0.982]], "a|b": [[0.9, 0.9]]})

    lines = markdown_table(table, ACCURACY, find(table)).splitlines()

    assert lines[0] == r"| level | density % | weights | ticket | a\|b |"
    assert lines[2] == "| 0 | 100 | 266,200 | 98.10 ± 0.14 (2) |  |"
    assert lines[3] == "| **1** | **50.0** | **133,100** | **98.10 ± 0.14 (2)** | **90.00 ± 0.00 (2)** |"


def test_a_control_without_the_level_has_an_empty_cell() -> None:
    table = small({"ticket": [[0.98], [0.97], [0.96]], "reinit": [[0.9]]})

    assert [row.cells.get("reinit", "") for row in level_rows(table, ACCURACY, find(table))][::2] == ["", ""]


def test_a_line_never_ends_within_a_number_of_replicates() -> None:
    for levels in range(2, 12):
        lines = printed(simulate(replicates=5, levels=levels)).splitlines()
        assert not any(line.rstrip().endswith((" n", " n =", "(n", "(n =")) for line in lines)


def test_the_differences_of_the_markdown_report_by_hand() -> None:
    table = small({"ticket": [[0.98, 0.98], [0.99, 0.97], [0.98, 0.98]], "reinit": [[0.96, 0.92], [0.96, 0.94]]})

    heading, grid, how = differences_section(every_test(table), find(table))

    assert heading == "## Differences of test accuracy at the end of training"
    lines = grid.splitlines()
    assert lines[0] == "| level | density % | ticket − dense | p | reinit − ticket | p |"  # noqa: RUF001
    # Ticket against dense: mean 0, half width 12.706; t = 0. Control: differences -3 and -5, then -2 and -4, so that
    # |t| is 4 and 3 and p is 0.156 and 0.205; twice the smaller is 0.312, and the other not below it.
    assert lines[2] == "| 1 | 50.0 | 0.00 [−12.71, 12.71] (2) | 1.000 | −4.00 [−16.71, 8.71] (2) | 0.312 |"  # noqa: RUF001
    bold = "**0.00 [0.00, 0.00] (2)** | **–** | **−3.00 [−15.71, 9.71] (2)** | **0.312** |"  # noqa: RUF001
    assert lines[3] == f"| **2** | **25.0** | {bold}"
    assert "Holm's correction over the levels" in how and "without a spread of the differences there is no test" in how


def test_the_differences_of_one_replicate_have_no_interval() -> None:
    table = small({"ticket": [[0.98], [0.97]]})

    _, grid, how = differences_section(every_test(table), find(table))

    assert grid.splitlines()[-1] == "| 1 | 50.0 | −1.00 (1) | – |"  # noqa: RUF001
    assert "one replicate has no interval and no test" in how
    assert differences_section([], find(table)) == []
