"""Tables for a paper: booktabs for the rules, siunitx version 3 for the numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from lotto.report.aside import write_aside
from lotto.report.branches import in_order
from lotto.report.finding import Finding
from lotto.report.level_tests import LevelTest
from lotto.report.measures import EARLY_STOP_STEP, LEAST_P, Measure, weights_percent
from lotto.report.summary import summarise
from lotto.report.tables import MARKED

T = TypeVar("T")

NOTHING = "--"

# What fits in footnotesize: branches in a column of a two-column paper and across both, comparisons across both.
COLUMN_HOLDS, PAGE_HOLDS, PAGE_HOLDS_COMPARISONS = 3, 5, 3

HEAD = r"""% Needs \usepackage{booktabs} and \usepackage{siunitx}, version 3 or newer.
% Every number is a \num{...}: \sisetup in the preamble, or below, decides how it is set."""

# The weight of the font around a number is kept, so that \bfseries reaches it.
SETUP = "uncertainty-mode = separate, propagate-math-font = true, reset-math-version = false"

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def write_latex(
    table: pd.DataFrame, tests: Sequence[LevelTest], finding: Finding, name: str, folder: Path
) -> tuple[Path, ...]:
    """Write ``levels.tex``, and where there is something of the kind ``tests.tex`` and ``early_stop.tex``; their paths."""
    own = [test for test in tests if test.measure == finding.measure]
    texts = {"levels.tex": levels_latex(table, finding.measure, finding, name)}
    if own:
        texts["tests.tex"] = differences_latex(own, finding, name)
    if table[EARLY_STOP_STEP.column].notna().any():
        texts["early_stop.tex"] = levels_latex(table, EARLY_STOP_STEP, finding, name)
    return tuple(write_aside(folder / file, text.encode()) for file, text in texts.items())


def levels_latex(table: pd.DataFrame, measure: Measure, finding: Finding, name: str) -> str:
    """Mean and standard deviation of ``measure``, a row a level and a column a branch; the finding's level is bold.

    ``name`` is the experiment's. Branches that do not fit beside one another stand in further tables.
    """
    summary = summarise(table)
    counts = summary[f"{measure.column}_n"]
    common = _common(int(n) for n in counts if n > 0)
    draws = " A control's draws are averaged within each replicate." if (summary["runs"] > summary["n"]).any() else ""
    alone = " One replicate has no spread." if (counts == 1).any() else ""
    unit = " in percent" if measure.is_fraction else ""
    caption = (
        f"{escape(name)}: {measure.phrase}{unit}, mean \\(\\pm\\) standard deviation {_replicates(common)}, "
        f"by level and percent of weights remaining.{draws}{alone}{_bold(finding)}"
    )
    lines = {(line["level"], line["branch"]): line for _, line in summary.iterrows()}
    shapes = summary.drop_duplicates("level").set_index("level")["density"].sort_index()

    def one(branches: Sequence[str], label: str) -> str:
        rows = []
        for level, density in shapes.items():
            cells = (_mean(lines.get((level, branch)), measure, common) for branch in branches)
            rows.append(_row([*_shape(level, density), *cells], level == finding.level))
        head = [_row(["level", r"\%", *map(escape, branches)])]
        return _table("rr" + "r" * len(branches), head, rows, caption, label, len(branches) > COLUMN_HOLDS)

    groups = _groups(in_order(summary["branch"]), PAGE_HOLDS)
    return _file(one(branches, _label(name, measure.column, place)) for place, branches in enumerate(groups))


def differences_latex(tests: Sequence[LevelTest], finding: Finding, name: str) -> str:
    """Differences with interval and adjusted p-value, a row a level and two columns a comparison, of one measure.

    ``tests`` are those of ``finding.measure``. Comparisons that do not fit beside one another stand in further tables.
    """
    measure = finding.measure
    common = _common(test.test.difference.n for test in tests)
    alone = " One replicate has no interval." if any(test.test.difference.n == 1 for test in tests) else ""
    unit = "percentage points" if measure.is_fraction else "training steps"
    caption = (
        f"{escape(name)}: differences of {measure.phrase} in {unit}, paired by replicate {_replicates(common)}, by level "
        r"and percent of weights remaining: mean, 95\% \(t\) interval, and \(p\) of a two-sided paired \(t\) test, "
        "adjusted by Holm's method over the levels of each comparison. "
        f"{NOTHING}: no test, for lack of replicates or of spread.{alone}{_bold(finding)}"
    )
    found = {(test.level, test.first, test.second): test for test in tests}
    shapes = {level: next(test.density for test in tests if test.level == level) for level, *_ in sorted(found)}

    def one(comparisons: Sequence[tuple[str, str]], label: str) -> str:
        titles = [rf"\multicolumn{{2}}{{c}}{{{escape(first)} \(-\) {escape(second)}}}" for first, second in comparisons]
        rules = [rf"\cmidrule(lr){{{3 + 2 * place}-{4 + 2 * place}}}" for place in range(len(comparisons))]
        columns = [r"mean [interval]", r"\(p\)"] * len(comparisons)
        rows = []
        for level, density in shapes.items():
            cells = [cell for pair in comparisons for cell in _difference(found.get((level, *pair)), measure, common)]
            rows.append(_row([*_shape(level, density), *cells], level == finding.level))
        head = [_row(["", "", *titles]), " ".join(rules), _row(["level", r"\%", *columns])]
        return _table("rr" + "rr" * len(comparisons), head, rows, caption, label, len(comparisons) > 1)

    groups = _groups(list(dict.fromkeys((test.first, test.second) for test in tests)), PAGE_HOLDS_COMPARISONS)
    return _file(one(comparisons, _label(name, "tests", place)) for place, comparisons in enumerate(groups))


def escape(text: str) -> str:
    """``text`` such that LaTeX sets it as it is, on one line."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def _file(tables: Iterable[str]) -> str:
    return "\n\n".join([HEAD, *tables]) + "\n"


def _groups(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _label(name: str, kind: str, place: int) -> str:
    words = [name, kind, *([str(place + 1)] if place else [])]
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", word).strip("-") for word in words)


def _bold(finding: Finding) -> str:
    return f" Bold: {MARKED}." if finding.level is not None else ""


def _table(columns: str, head: Iterable[str], rows: Iterable[str], caption: str, label: str, is_wide: bool) -> str:
    """A float with everything in it; ``is_wide`` ones span both columns of a paper that has two."""
    environment = "table*" if is_wide else "table"
    body = [r"\toprule", *head, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join(
        [
            rf"\begin{{{environment}}}",
            r"  \centering",
            r"  \footnotesize",
            r"  \setlength{\tabcolsep}{3pt}",
            r"  \setlength{\belowcaptionskip}{4pt}",
            rf"  \sisetup{{{SETUP}}}",
            rf"  \caption{{{caption}}}",
            rf"  \label{{tab:{label}}}",
            rf"  \begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            *(f"    {line}" for line in body),
            r"  \end{tabular}",
            rf"\end{{{environment}}}",
        ]
    )


def _row(cells: Iterable[str], is_bold: bool = False) -> str:
    texts = [rf"\bfseries\boldmath {cell}" if is_bold and cell else cell for cell in cells]
    return rf"{' & '.join(texts)} \\"


def _shape(level: object, density: float) -> list[str]:
    return [_number(str(level)), _number(weights_percent(density))]


def _number(text: str) -> str:
    return rf"\num{{{text}}}"


def _mean(line: pd.Series | None, measure: Measure, common: int | None) -> str:
    """The cell of one branch at one level, empty where it was not trained."""
    if line is None:
        return ""
    mean, sd, n = (float(line[f"{measure.column}_{suffix}"]) for suffix in ("mean", "sd", "n"))
    if math.isnan(mean):
        return NOTHING
    spread = "" if math.isnan(sd) else f" +- {measure.number(sd)}"
    return _number(f"{measure.number(mean)}{spread}") + _count(int(n), common)


def _difference(level: LevelTest | None, measure: Measure, common: int | None) -> tuple[str, str]:
    """The cells of one comparison at one level, empty where it was not made."""
    if level is None:
        return "", ""
    difference, p = level.test.difference, level.t_p_holm
    if not difference.n:
        return NOTHING, NOTHING
    mean = _number(measure.number(difference.mean))
    if difference.n > 1:
        mean += f" [{_number(measure.number(difference.low))}, {_number(measure.number(difference.high))}]"
    text = NOTHING if math.isnan(p) else _number(f"< {LEAST_P}" if p < LEAST_P else f"{p:.3f}")
    return mean + _count(difference.n, common), text


def _common(counts: Iterable[int]) -> int | None:
    """The one number of replicates behind every cell, None where cells differ."""
    different = set(counts)
    return different.pop() if len(different) == 1 else None


def _replicates(common: int | None) -> str:
    return r"(\(n\) replicates)" if common is None else rf"(\(n = {common}\))"


def _count(n: int, common: int | None) -> str:
    """The number of replicates of one cell, where the caption cannot say it for all."""
    return "" if common is not None else rf" ({n})"
