"""Every comparison of a run, level by level: the ticket with the dense network, and each control with the ticket."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from lotto.report.branches import TICKET, in_order
from lotto.report.holm import holm
from lotto.report.intervals import Floats, bootstrap_intervals
from lotto.report.measures import MEASURES, Measure
from lotto.report.paired import paired
from lotto.report.paired_test import PairedTest, paired_test
from lotto.report.summary import by_replicate

DENSE = "dense"


@dataclass(frozen=True)
class LevelTest:
    """``first - second`` at one level of the ticket, for one measure; ``density`` is the mean of the first's.

    ``bootstrap`` holds the ends of its bootstrap interval beside the t interval of ``test.difference``.
    ``t_p_holm`` and ``wilcoxon_p_holm`` are adjusted over the levels of one comparison and measure: the family is the
    question "at which levels does this branch differ?", asked once per branch.
    """

    measure: Measure
    first: str
    second: str
    level: int
    density: float
    test: PairedTest
    bootstrap: tuple[float, float]
    t_p_holm: float
    wilcoxon_p_holm: float


def level_tests(table: pd.DataFrame, measure: Measure) -> list[LevelTest]:
    """The tests of ``measure``: ticket against dense, then control against ticket by branch; levels in order.

    A level that one of the two was not trained at has no test. A control's draws are averaged within a replicate first.
    """
    values = by_replicate(table, measure.column).dropna()
    densities = table.groupby(["branch", "level"])["density"].mean()
    tests = []
    for first, second in [(TICKET, DENSE), *((name, TICKET) for name in in_order(table["branch"]) if name != TICKET)]:
        differences = _differences(values, first, second)
        family = [paired_test(own) for own in differences.values()]
        columns = zip(
            differences,
            family,
            bootstrap_intervals(list(differences.values())).tolist(),
            holm([test.t_p for test in family]).tolist(),
            holm([test.wilcoxon_p for test in family]).tolist(),
            strict=True,
        )
        tests += [
            LevelTest(measure, first, second, level, float(densities[first, level]), test, (low, high), t_p, wilcoxon_p)
            for level, test, (low, high), t_p, wilcoxon_p in columns
        ]
    return tests


def every_test(table: pd.DataFrame) -> list[LevelTest]:
    """The tests of every measure that the table knows."""
    known = [measure for column, measure in MEASURES.items() if table[column].notna().any()]
    return [test for measure in known for test in level_tests(table, measure)]


def _differences(values: pd.Series, first: str, second: str) -> dict[int, Floats]:
    """By level, the differences of the replicates; empty where no replicate has both."""
    ours, ticket = _of(values, first), _of(values, TICKET)
    other = {level: ticket.get(0 if second == DENSE else level) for level in sorted(ours) if level > 0}
    return {level: paired(ours[level], theirs) for level, theirs in other.items() if theirs is not None}


def _of(values: pd.Series, branch: str) -> dict[int, pd.Series]:
    """The values of a branch by level, each a series over replicates."""
    here = values[values.index.get_level_values("branch") == branch].droplevel("branch")
    return {int(level): here.xs(level, level="level") for level in here.index.unique("level")}
