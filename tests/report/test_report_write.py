from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from lotto.report.columns import read_csv
from lotto.report.meta import ReportMeta
from lotto.report.write import Written, write_report
from tests.report.report_examples import simulate, without_validation

HOSTILE = "<script>alert(1)</script>\"'&`|*"


class Page(HTMLParser):
    """Tags with their attributes, and the identifiers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("report")
    meta = ReportMeta(
        experiment=HOSTILE,
        command=f"lotto run experiment='{HOSTILE}'",
        overrides=(HOSTILE,),
        data=HOSTILE,
        versions={"torch": "2.11.0"},
        hardware="2 CPU cores",
        seed=7,
        replicates=2,
        store=Path("/store"),
        run_folder=folder,
        tickets=(folder / "tickets" / f"{HOSTILE.replace('/', '')}.safetensors",),
        steps_run=1000,
        steps_total=4000,
        wall_seconds=12.3,
    )
    table = simulate(replicates=2, levels=3).assign(experiment=HOSTILE)
    return write_report(table.replace({"branch": {"shuffle": HOSTILE}}), meta, folder)


def test_the_folder_holds_the_report_and_nothing_half_written(written: Written) -> None:
    folder = written.csv.parent

    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    figures = {f"figures/{stem}.{suffix}" for stem in ("accuracy", "early_stop") for suffix in ("png", "svg", "pdf")}
    tables = {f"tables/{name}" for name in ("levels.csv", "tests.csv", "finding.csv")}
    latex = {f"tables/{name}.tex" for name in ("levels", "tests", "early_stop")}
    assert names == {"results.csv", "report.md", "report.html", *figures, *tables, *latex}
    assert len(read_csv(written.csv)) == 2 * 3 + 2 * 2 * 2


def test_the_page_fetches_nothing_and_runs_its_own_script_alone(written: Written) -> None:
    text = written.html.read_text()
    page = Page(text)

    for tag, attributes in page.tags:
        assert tag not in {"link", "img", "iframe", "object", "base", "form"}
        assert not any(name.startswith("on") or name == "src" for name in attributes)
        reference = attributes.get("href") or attributes.get("xlink:href") or "#"
        assert reference.startswith("#")
    (policy,) = (attributes["content"] for _, attributes in page.tags if attributes.get("http-equiv"))
    data, script = re.findall(r"<script[^>]*>(.*?)</script>", text, flags=re.DOTALL)
    assert json.loads(data)["lines"][0]["branch"] == "ticket"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}';" in str(policy)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\((?!#)", text)


def test_hostile_text_is_shown_and_not_obeyed(written: Written) -> None:
    page = written.html.read_text()

    assert page.count("<script") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert r"\<script\>alert(1)" in written.markdown.read_text()


def test_figures_are_inline_with_a_text_alternative_and_the_colour_of_the_page(written: Written) -> None:
    text = written.html.read_text()
    figures = [attributes for tag, attributes in Page(text).tags if tag == "svg"]

    assert [figure["role"] for figure in figures] == ["img", "img"]
    assert "Mean test accuracy at the end of training" in (figures[0]["aria-label"] or "")
    assert "currentColor" in text
    assert "#222222" not in text


def test_identifiers_of_the_page_are_unique_and_references_resolve(written: Written) -> None:
    text = written.html.read_text()
    tags = Page(text).tags

    names = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(names) == len(set(names))
    wanted = {attributes["xlink:href"] for _, attributes in tags if "xlink:href" in attributes}
    assert {str(reference).removeprefix("#") for reference in wanted} <= set(names)
    drawn_before_any_script = text[: text.index("<script")]
    assert set(re.findall(r"url\(#([^)]+)\)", drawn_before_any_script)) <= set(names)


def test_the_finding_comes_first_and_every_row_has_its_key(written: Written) -> None:
    page, markdown = written.html.read_text(), written.markdown.read_text()

    assert page.index('class="finding"') < page.index("<svg") < page.index("<table")
    assert written.finding.sentence[:60] in markdown.split("\n\n")[1]
    assert all(key in page for key in read_csv(written.csv)["key"])


def test_data_without_validation_split_have_one_figure(tmp_path: Path, meta: ReportMeta) -> None:
    written = write_report(without_validation(simulate(replicates=1, levels=2)), meta, tmp_path)

    assert {path.stem for path in written.figures} == {"accuracy"}
    assert "arly-stop iteration" not in written.markdown.read_text()
    assert "## Run again\n\n```\nlotto run experiment=frankle2019/lenet" in written.markdown.read_text()


def test_a_table_of_two_searches_is_refused(tmp_path: Path, table: pd.DataFrame, meta: ReportMeta) -> None:
    two = pd.concat([table, table.assign(method="one_shot")])

    with pytest.raises(ValueError, match="one report is about one method, and this table holds imp, one_shot"):
        write_report(two, meta, tmp_path)
    with pytest.raises(ValueError, match="no row"):
        write_report(table[:0], replace(meta, replicates=0), tmp_path)
    assert not list(tmp_path.iterdir())
