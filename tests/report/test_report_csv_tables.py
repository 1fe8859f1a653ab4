from __future__ import annotations

import csv
from pathlib import Path

import pytest

from lotto.report.csv_tables import write_csv_tables
from lotto.report.finding import find
from lotto.report.level_tests import every_test
from tests.report.report_examples import simulate, small, without_validation


def written(table, folder: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of each table as texts."""
    rows = {}
    for path in write_csv_tables(table, every_test(table), find(table), folder):
        with path.open(newline="") as file:
            rows[path.stem] = list(csv.DictReader(file))
    return rows


def test_levels_hold_mean_spread_intervals_and_n(tmp_path: Path) -> None:
    rows = written(small({"ticket": [[0.90, 0.92, 0.94], [0.8, 0.8, 0.8]], "reinit": [[0.7]]}), tmp_path)["levels"]

    assert [(row["branch"], row["level"], row["n"]) for row in rows] == [
        ("ticket", "0", "3"),
        ("ticket", "1", "3"),
        ("reinit", "1", "1"),
    ]
    half = 4.302653 * 0.02 / 3**0.5
    numbers = {name: float(rows[0][f"test_accuracy_{name}"]) for name in ("mean", "sd", "min", "max", "low", "high")}
    assert numbers == pytest.approx(
        {"mean": 0.92, "sd": 0.02, "min": 0.90, "max": 0.94, "low": 0.92 - half, "high": 0.92 + half}
    )
    assert 0.90 <= float(rows[0]["test_accuracy_bootstrap_low"]) < 0.92 < float(rows[0]["test_accuracy_bootstrap_high"])
    assert [rows[2][f"test_accuracy_{name}"] for name in ("sd", "low", "high", "bootstrap_low")] == [""] * 4
    assert (
        rows[1]["test_accuracy_bootstrap_low"]
        == rows[1]["test_accuracy_low"]
        == repr(float(rows[1]["test_accuracy_mean"]))
    )


def test_floats_keep_their_bits(tmp_path: Path) -> None:
    table = simulate(replicates=4, levels=3)

    rows = written(table, tmp_path)["tests"]

    for row, test in zip(rows, every_test(table), strict=True):
        assert (row["measure"], row["first"], row["second"]) == (test.measure.column, test.first, test.second)
        assert (float(row["difference"]), float(row["high"])) == (test.test.difference.mean, test.test.difference.high)
        assert (float(row["t_p"]), float(row["t_p_holm"])) == (test.test.t_p, test.t_p_holm)
        assert float(row["bootstrap_low"]) == test.bootstrap[0]


def test_what_one_replicate_cannot_say_is_empty_and_told_why(tmp_path: Path) -> None:
    rows = written(small({"ticket": [[0.98], [0.98], [0.97]], "reinit": [[0.96]]}), tmp_path)

    assert [row["n"] for row in rows["tests"][:3]] == ["1", "1", "1"]
    assert all(row["t_p"] == row["low"] == row["wilcoxon_p"] == "" for row in rows["tests"])
    assert {row["note"] for row in rows["tests"]} == {"one replicate: no interval and no test"}
    (finding,) = rows["finding"]
    assert (finding["matches"], finding["level"], finding["density"]) == ("true", "1", "0.5")
    assert finding["density_low"] == finding["share_without_match"] == finding["dense_sd"] == ""


def test_the_finding_stands_in_one_row(tmp_path: Path) -> None:
    table = simulate()
    finding = find(table)

    (row,) = written(table, tmp_path)["finding"]

    assert finding.interval is not None and finding.against_dense is not None
    assert (int(row["level"]), float(row["density"]), int(row["n"])) == (finding.level, finding.density, 5)
    assert float(row["density_low"]) == finding.interval.low
    assert float(row["density_high"]) == finding.interval.high
    assert (row["interval_is_exact"], float(row["share_without_match"])) == ("true", 0.0)
    assert float(row["difference"]) == finding.against_dense.mean
    assert row["sentence"] == finding.sentence


def test_nothing_but_the_dense_network_leaves_headers(tmp_path: Path) -> None:
    table = simulate(replicates=2, levels=1, controls=())

    rows = written(without_validation(table), tmp_path)

    assert rows["tests"] == []
    assert (tmp_path / "tests.csv").read_text().startswith("measure,first,second,level,")
    assert (rows["finding"][0]["matches"], rows["finding"][0]["level"]) == ("false", "")
    assert rows["levels"][0]["early_stop_step_mean"] == rows["levels"][0]["early_stop_step_bootstrap_low"] == ""
