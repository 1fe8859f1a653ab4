from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from lotto.report.finding import find
from lotto.report.latex import differences_latex, escape, levels_latex, write_latex
from lotto.report.level_tests import every_test, level_tests
from lotto.report.measures import ACCURACY, EARLY_STOP_STEP
from tests.report.report_examples import simulate, small

HOSTILE = r"50% of_a {b} & #1 $x^2$ ~\end{table}"


def levels_of(table: pd.DataFrame) -> str:
    return levels_latex(table, ACCURACY, find(table), "digits")


def of_tests(table: pd.DataFrame) -> str:
    return differences_latex(level_tests(table, ACCURACY), find(table), "digits")


def body(text: str) -> list[list[str]]:
    """The cells of each row between the rules."""
    rows = re.findall(r"\\midrule\n(.*?)\\bottomrule", text, flags=re.DOTALL)
    return [line.strip().removesuffix(r" \\").split(" & ") for part in rows for line in part.strip().splitlines()]


def test_means_with_spread_as_siunitx_reads_them_and_the_finding_in_bold() -> None:
    table = small({"ticket": [[0.98, 0.982], [0.98, 0.982], [0.9, 0.91]], "reinit": [[0.95, 0.96]]})

    text = levels_of(table)

    bold = r"\bfseries\boldmath "
    assert body(text) == [
        [r"\num{0}", r"\num{100}", r"\num{98.10 +- 0.14}", ""],
        [f"{bold}\\num{{1}}", f"{bold}\\num{{50.0}}", f"{bold}\\num{{98.10 +- 0.14}}", f"{bold}\\num{{95.50 +- 0.71}}"],
        [r"\num{2}", r"\num{25.0}", r"\num{90.50 +- 0.71}", ""],
    ]
    assert r"(\(n = 2\))" in text and "Bold: smallest density that matches the dense network." in text
    assert r"level & \% & ticket & reinit \\" in text


def test_a_control_without_the_level_of_the_finding_has_an_empty_cell() -> None:
    text = levels_of(small({"ticket": [[0.98, 0.982], [0.9, 0.91], [0.98, 0.982]], "reinit": [[0.9, 0.9]]}))

    assert body(text)[2][-1] == ""


def test_n_stands_in_every_cell_where_cells_differ() -> None:
    text = levels_of(small({"ticket": [[0.98, 0.982], [0.97, 0.96]], "reinit": [[0.95]]}))

    assert body(text)[1][2:] == [r"\num{96.50 +- 0.71} (2)", r"\num{95.00} (1)"]
    assert r"(\(n\) replicates)" in text and "One replicate has no spread." in text


def test_differences_with_interval_and_adjusted_p() -> None:
    table = small({"ticket": [[0.98, 0.98], [0.99, 0.97], [0.98, 0.98]], "reinit": [[0.96, 0.92], [0.96, 0.94]]})

    text = of_tests(table)

    # Differences -3 and -5: mean -4, half width 12.706 * 1; t = 4, two-sided p = 0.156, times two.
    assert body(text)[0][4:] == [r"\num{-4.00} [\num{-16.71}, \num{8.71}]", r"\num{0.312}"]
    # Dense and ticket of level 2 are the same: no test.
    assert body(text)[1][2:4] == [r"\bfseries\boldmath \num{0.00} [\num{0.00}, \num{0.00}]", r"\bfseries\boldmath --"]
    assert r"\multicolumn{2}{c}{ticket \(-\) dense} & \multicolumn{2}{c}{reinit \(-\) ticket} \\" in text
    assert r"\cmidrule(lr){3-4} \cmidrule(lr){5-6}" in text
    assert "Holm" in text and r"(\(n = 2\))" in text


def test_a_tiny_p_is_told_as_a_bound_and_one_replicate_says_so() -> None:
    assert r"\num{< 0.001}" in of_tests(simulate())

    alone = of_tests(small({"ticket": [[0.98], [0.97]]}))

    assert body(alone) == [[r"\num{1}", r"\num{50.0}", r"\num{-1.00}", "--"]]
    assert "One replicate has no interval." in alone


def test_branches_that_do_not_fit_stand_in_further_tables() -> None:
    table = simulate(replicates=2, levels=3, controls=("reinit", "shuffle", "random", "noise", "other"))

    levels, tests = levels_of(table), of_tests(table)

    for text, tables in ((levels, 2), (tests, 2)):
        assert text.count(r"\begin{table*}") + text.count(r"\begin{table}") == tables
        assert len(set(re.findall(r"\\label{(.*?)}", text))) == tables
        assert all(name in text for name in ("reinit", "shuffle", "random", "noise", "other"))


def test_names_are_set_as_they_are() -> None:
    assert escape(HOSTILE) == (
        r"50\% of\_a \{b\} \& \#1 \$x\textasciicircum{}2\$ \textasciitilde{}\textbackslash{}end\{table\}"
    )


def test_nothing_to_compare_leaves_no_table_of_tests(tmp_path: Path) -> None:
    table = simulate(replicates=2, levels=1, controls=())

    paths = write_latex(table, every_test(table), find(table), "digits", tmp_path)

    assert [path.name for path in paths] == ["levels.tex", "early_stop.tex"]


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed: the LaTeX tables are not compiled")
def test_it_compiles(tmp_path: Path) -> None:
    """In a two-column paper, with nothing wider than its place; as a draft, which needs no font to be drawn."""
    if not subprocess.run(["kpsewhich", "siunitx.sty", "booktabs.sty"], capture_output=True, check=False).stdout:
        pytest.skip("siunitx is not installed: the LaTeX tables are not compiled")
    several = simulate(replicates=5, levels=6, controls=("reinit", "shuffle", "random", "noise"), samples=2)
    table = pd.concat([simulate(replicates=5, levels=16), several[several["branch"].isin(["random", "noise"])]])
    table = table.replace({"branch": {"noise": HOSTILE[:9]}})
    finding = find(table)
    parts = [
        levels_latex(table, ACCURACY, finding, HOSTILE),
        levels_latex(table[table["branch"] != "random"], EARLY_STOP_STEP, finding, HOSTILE),
        differences_latex(level_tests(table, ACCURACY), finding, HOSTILE),
    ]
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\n\\usepackage{booktabs}\n\\usepackage{siunitx}\n\\begin{document}\n"
        + "\n".join(parts)
        + "\\end{document}\n"
    )
    done = subprocess.run(
        ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout
