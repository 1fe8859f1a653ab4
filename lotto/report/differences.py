"""The section of ``report.md`` that compares branches level by level."""

from __future__ import annotations

from collections.abc import Sequence

from lotto.report.finding import Finding
from lotto.report.level_tests import LevelTest
from lotto.report.measures import MINUS, NO_SPREAD, Measure, p_text, weights_percent
from lotto.report.tables import MARKED, markdown_grid


def differences_section(tests: Sequence[LevelTest], finding: Finding) -> list[str]:
    """Heading, table and how to read it, for the measure of the finding; nothing where nothing can be compared."""
    own = [test for test in tests if test.measure == finding.measure]
    if not own:
        return []
    return [f"## Differences of {finding.measure.phrase}", _table(own, finding), _note(own, finding)]


def _table(tests: Sequence[LevelTest], finding: Finding) -> str:
    comparisons = list(dict.fromkeys((test.first, test.second) for test in tests))
    found = {(test.level, test.first, test.second): test for test in tests}
    shapes = {test.level: weights_percent(test.density) for test in reversed(tests)}
    header = ["level", "density %"]
    for first, second in comparisons:
        header += [f"{first} {MINUS} {second}", "p"]
    rows = []
    for level in sorted(shapes):
        cells = [cell for pair in comparisons for cell in _cells(found.get((level, *pair)), finding.measure)]
        rows.append(([str(level), shapes[level], *cells], level == finding.level))
    return markdown_grid(header, rows)


def _cells(level: LevelTest | None, measure: Measure) -> tuple[str, str]:
    """Difference with interval and n, and the adjusted p-value; empty where the comparison was not made."""
    if level is None:
        return "", ""
    difference = level.test.difference
    mean, low, high = (measure.difference(value) for value in (difference.mean, difference.low, difference.high))
    interval = f" [{low}, {high}]" if difference.n > 1 else ""
    return f"{mean}{interval} ({difference.n})", p_text(level.t_p_holm)


def _note(tests: Sequence[LevelTest], finding: Finding) -> str:
    unit = "percentage points" if finding.measure.is_fraction else "training steps"
    notes = [
        f"In {unit}, paired by replicate: mean [95% t interval] (n replicates), and the p-value of a two-sided paired "
        "t test after Holm's correction over the levels of its comparison. Intervals are of one level each and not "
        "widened for the number of levels."
    ]
    if any(test.test.difference.n == 1 for test in tests):
        notes.append(f"{NO_SPREAD} one replicate has no interval and no test.")
    if any(test.test.difference.n > 1 and p_text(test.t_p_holm) == NO_SPREAD for test in tests):
        notes.append(f"{NO_SPREAD} without a spread of the differences there is no test.")
    if finding.level is not None:
        notes.append(f"Bold: {MARKED}.")
    notes.append("Unadjusted p-values, Wilcoxon's test and bootstrap intervals are in [tests.csv](tables/tests.csv).")
    return " ".join(notes)
