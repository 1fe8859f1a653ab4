"""The numbers behind a report as CSV: ``levels.csv``, ``tests.csv`` and ``finding.csv``, floats to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lotto.report.columns import write_rows
from lotto.report.finding import Finding
from lotto.report.intervals import Floats, bootstrap_intervals
from lotto.report.level_tests import LevelTest
from lotto.report.measures import MEASURES
from lotto.report.summary import by_replicate, summarise

LEVELS, TESTS, FINDING = "levels.csv", "tests.csv", "finding.csv"


def write_csv_tables(
    table: pd.DataFrame, tests: Sequence[LevelTest], finding: Finding, folder: Path
) -> tuple[Path, ...]:
    """Write the three tables into ``folder`` and return their paths; an unknown number is an empty cell."""
    return (
        write_rows(levels_table(table), folder / LEVELS),
        write_rows(comparisons_table(tests), folder / TESTS),
        write_rows(finding_table(finding), folder / FINDING),
    )


def levels_table(table: pd.DataFrame) -> pd.DataFrame:
    """``summarise``, and for each measure the ends of its mean's bootstrap interval.

    ``<measure>_low`` and ``_high`` are the 95% t interval, ``_bootstrap_low`` and ``_bootstrap_high`` the other.
    """
    levels = summarise(table)
    places = list(zip(levels["branch"], levels["level"], strict=True))
    for column in MEASURES:
        known = by_replicate(table, column).dropna()
        values: dict[object, Floats] = {
            place: own.to_numpy(float) for place, own in known.groupby(level=["branch", "level"])
        }
        ends = bootstrap_intervals([values.get(place, np.empty(0)) for place in places])
        after = list(levels.columns).index(f"{column}_high") + 1
        levels.insert(after, f"{column}_bootstrap_low", ends[:, 0])
        levels.insert(after + 1, f"{column}_bootstrap_high", ends[:, 1])
    return levels


def comparisons_table(tests: Sequence[LevelTest]) -> pd.DataFrame:
    """One row per measure, comparison and level: ``first - second`` over ``n`` replicates.

    ``low`` to ``high`` is its 95% t interval, ``bootstrap_low`` to ``bootstrap_high`` that of the bootstrap; ``t_p``
    and ``wilcoxon_p`` are two-sided, each followed by its Holm adjustment over the levels of the comparison; ``note``
    says why one is missing.
    """
    columns: dict[str, Callable[[LevelTest], object]] = {
        "measure": lambda level: level.measure.column,
        "first": lambda level: level.first,
        "second": lambda level: level.second,
        "level": lambda level: level.level,
        "density": lambda level: level.density,
        "n": lambda level: level.test.difference.n,
        "difference": lambda level: level.test.difference.mean,
        "low": lambda level: level.test.difference.low,
        "high": lambda level: level.test.difference.high,
        "bootstrap_low": lambda level: level.bootstrap[0],
        "bootstrap_high": lambda level: level.bootstrap[1],
        "t_p": lambda level: level.test.t_p,
        "t_p_holm": lambda level: level.t_p_holm,
        "wilcoxon_p": lambda level: level.test.wilcoxon_p,
        "wilcoxon_p_holm": lambda level: level.wilcoxon_p_holm,
        "note": lambda level: level.test.note,
    }
    return pd.DataFrame({name: [value(level) for level in tests] for name, value in columns.items()})


def finding_table(finding: Finding) -> pd.DataFrame:
    """One row: the smallest ticket that matches, or where none does the most accurate one, and what it is held against.

    ``density_low`` to ``density_high`` is the bootstrap interval of the smallest matching density,
    ``share_without_match`` the share of resamples in which no ticket matches, ``interval_is_exact`` whether every
    resample was counted; ``difference`` is ticket - dense with its t interval ``low`` to ``high``.
    """
    subject, dense, interval, against = finding.subject, finding.dense, finding.interval, finding.against_dense
    row = {
        "measure": finding.measure.column,
        "matches": finding.smallest is not None,
        "level": subject and subject.level,
        "density": subject and subject.density,
        "accuracy": subject and subject.accuracy,
        "n": subject and subject.n,
        "dense_accuracy": dense and dense.accuracy,
        "dense_sd": finding.dense_sd,
        "dense_n": dense and dense.n,
        "density_low": interval and interval.low,
        "density_high": interval and interval.high,
        "share_without_match": interval and interval.share_without,
        "interval_is_exact": interval and interval.is_exact,
        "difference": against and against.mean,
        "low": against and against.low,
        "high": against and against.high,
        "difference_n": against and against.n,
        "sentence": finding.sentence,
    }
    return pd.DataFrame([row], dtype=object)
