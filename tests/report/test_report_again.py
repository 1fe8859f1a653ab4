"""A report that was written from the same table is left as it is, unless a part of it is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from lotto.report.meta import ReportMeta
from lotto.report.write import Written, write_report
from tests.report.report_examples import simulate

TABLE = simulate(replicates=2, levels=3)


@pytest.fixture
def folder(tmp_path: Path, meta: ReportMeta) -> Path:
    """A folder with a report whose parts have then been emptied."""
    for path in parts(write_report(TABLE, meta, tmp_path)):
        path.write_bytes(path.read_bytes()[:600])
    return tmp_path


def parts(written: Written) -> list[Path]:
    return [written.markdown, *written.figures, *written.tables]


def test_the_same_table_is_not_written_twice(folder: Path, meta: ReportMeta) -> None:
    written = write_report(TABLE, meta, folder, anew=False)

    assert all(path.stat().st_size <= 600 for path in parts(written))
    assert {path.name for path in written.tables} == {
        "levels.csv", "tests.csv", "finding.csv", "levels.tex", "tests.tex", "early_stop.tex"
    }  # fmt: skip


def test_tables_that_are_gone_are_written_again(folder: Path, meta: ReportMeta) -> None:
    for path in (folder / "tables").iterdir():
        path.unlink()

    written = write_report(TABLE, meta, folder, anew=False)

    assert min(path.stat().st_size for path in written.tables) > 600


def test_what_was_trained_since_is_written(folder: Path, meta: ReportMeta) -> None:
    more = simulate(replicates=3, levels=3)

    assert "(3)" in write_report(more, meta, folder, anew=False).markdown.read_text()
