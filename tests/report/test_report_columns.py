from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lotto.report.columns import COLUMNS, meaning, read_csv, write_csv
from tests.report.report_examples import simulate, without_validation


def bits(table: pd.DataFrame) -> dict[str, list[bytes]]:
    numbers = table.select_dtypes("number").astype(float)
    return {str(name): [np.float64(value).tobytes() for value in numbers[name]] for name in numbers}


def test_floats_read_back_bit_for_bit(tmp_path: Path) -> None:
    torch.set_flush_denormal(False)  # a training in this process sets it
    table = simulate(replicates=2, levels=3)
    awkward = [0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, np.nextafter(1, 0)]
    table.loc[: len(awkward) - 1, "test_accuracy"] = awkward
    table.loc[0, "val_loss_min"] = np.nan

    back = read_csv(write_csv(table, tmp_path / "results.csv"))

    assert bits(back) == bits(table)
    pd.testing.assert_frame_equal(back, table, check_dtype=False)


def test_text_stays_text(tmp_path: Path) -> None:
    table = simulate(replicates=3, levels=1)
    table["key"] = ["12e4", "0077", "nan"]
    table["criterion"] = ["none", "null", 'a, "quoted"\nname']

    back = read_csv(write_csv(table, tmp_path / "results.csv"))

    assert list(back["key"]) == ["12e4", "0077", "nan"]
    assert list(back["criterion"]) == ["none", "null", 'a, "quoted"\nname']
    assert back["cached"].dtype == bool


def test_the_file_holds_the_contract_first_and_lower_case_booleans(tmp_path: Path) -> None:
    shuffled = simulate(replicates=2, levels=1)[["sample", *reversed(COLUMNS)]]

    header, first, second = write_csv(shuffled, tmp_path / "results.csv").read_text().splitlines()

    assert header.split(",") == [*COLUMNS, "sample"]
    assert [row.split(",")[COLUMNS.index("cached")] for row in (first, second)] == ["false", "true"]
    assert list(tmp_path.iterdir()) == [tmp_path / "results.csv"]


def test_missing_numbers_are_empty(tmp_path: Path) -> None:
    table = without_validation(simulate(replicates=1, levels=1))

    path = write_csv(table, tmp_path / "results.csv")

    assert ",,,," in path.read_text()
    assert read_csv(path)["early_stop_step"].isna().all()


def test_a_lacking_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="lacks the columns density, key"):
        write_csv(simulate(levels=1).drop(columns=["density", "key"]), tmp_path / "results.csv")
    assert not list(tmp_path.iterdir())


def test_every_column_is_explained() -> None:
    assert all(meaning(name) for name in COLUMNS)
    assert meaning("something else") == ""
