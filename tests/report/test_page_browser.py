"""``report.html`` of a small run in a real browser: what it shows, what its controls change, and that it asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lotto.report.beside import Beside
from lotto.report.compare import compare
from lotto.report.compared import Compared, read_tickets
from lotto.report.finding import find
from lotto.report.html import html_report
from lotto.report.level_tests import every_test
from lotto.report.meta import ReportMeta
from lotto.store import Store
from tests.report.browser import DESKTOP, PHONE, Browser, Opened, colours, running_browser
from tests.report.report_examples import claims, probes

HOSTILE = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)> & \"'"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def full(small_run: Path, small_table: pd.DataFrame, small_meta: ReportMeta) -> Path:
    """The page of the small run with probes, claims and hostile names."""
    table = small_table.assign(experiment=HOSTILE)
    meta = replace(small_meta, experiment=HOSTILE, command=f"lotto {HOSTILE}", overrides=(HOSTILE,))
    text = html_report(
        table, meta, find(table), Beside(probes(table, HOSTILE), claims(HOSTILE), [HOSTILE]), every_test(table)
    )
    path = small_run / "full.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, full: Path) -> Iterator[Opened]:
    with browser.open(full) as opened:
        yield opened
        assert opened.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_page_opens_without_error_or_request_and_shows_something(
    browser: Browser, full: Path, small_run: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    for path in (small_run / "report.html", full):
        with browser.open(path, width, color_scheme=scheme) as opened:
            picture = tmp_path / "page.png"
            opened.page.screenshot(path=str(picture), full_page=True)
            assert opened.said == []
            assert opened.asked == [path.resolve().as_uri()]
            assert opened.overflow <= 0
            assert colours(picture) > 100
            brightness = opened.page.evaluate(
                "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
            )
            assert (sum(brightness) < 3 * 128) == (scheme == "dark")


def test_everything_that_a_reader_wants_is_there(page: Opened) -> None:
    sections = [section.get_attribute("id") for section in page.page.locator("main > section").all()]
    assert sections == [
        *("claims", "accuracy", "early-stop", "curves", "layers", "mask", "barriers", "probes", "cost", "tables"),
        "provenance",
    ]
    addresses = [link.get_attribute("href") for link in page.page.locator("nav a").all()]
    assert addresses == [f"#{name}" for name in sections]
    finding = page.page.locator(".finding").bounding_box()
    assert finding and finding["y"] < 300
    assert page.page.locator("[data-figure] > *").count() == page.page.locator("[data-figure]").count()


def test_sections_appear_only_where_there_is_something_to_show(browser: Browser, small_run: Path) -> None:
    with browser.open(small_run / "report.html") as opened:
        sections = {section.get_attribute("id") for section in opened.page.locator("main > section").all()}
    assert "mask" in sections and not sections & {"claims", "barriers", "probes"}


def test_the_slider_changes_the_mask_and_all_that_shows_a_level(page: Opened) -> None:
    slider = page.page.locator("#mask input[type=range]")
    seen = {}
    for level in ("0", "1", "2"):
        slider.fill(level)
        seen[level] = (page.picture("#mask canvas.picture"), page.text("#mask .caption"))
        assert page.text("#provenance .levels output").startswith(f"level {level},")
        assert page.text("#layers .levels output").startswith(f"level {level},")
    assert len({picture for picture, _ in seen.values()}) == 3
    # The first layer of the small run is 64 x 20.
    assert "1,280 of 1,280 weights kept (100%)" in seen["0"][1]
    assert "1,024 of 1,280 weights kept (80.0%)" in seen["1"][1]
    assert page.page.locator("#mask canvas.picture").get_attribute("aria-label").startswith("fc_layers.0.weight")


def test_a_control_with_masks_of_its_own_can_be_looked_at(page: Opened) -> None:
    page.page.locator("#mask input[type=range]").fill("1")
    ticket = page.picture("#mask canvas.picture")
    select = page.page.locator("#mask select").first
    assert [option.inner_text() for option in select.locator("option").all()] == ["ticket", "shuffle"]
    select.select_option("shuffle")
    assert page.picture("#mask canvas.picture") != ticket
    assert "1,024 of 1,280" in page.text("#mask .caption")


def test_selects_change_what_charts_show(page: Opened) -> None:
    for section, other in (("accuracy", "val_accuracy"), ("early-stop", "val_loss_min"), ("curves", "train_loss")):
        place = page.page.locator(f"#{section} .plot-place").first
        before, title = place.inner_html(), page.text(f"#{section} .y-title")
        page.page.locator(f"#{section} select").first.select_option(other)
        assert place.inner_html() != before
        assert page.text(f"#{section} .y-title") != title


def test_the_legend_hides_a_line_in_every_chart(page: Opened) -> None:
    assert page.lines("accuracy") == ["shuffle", "reinit", "ticket"]
    button = page.page.locator("#accuracy .legend button[data-name=reinit]")
    button.focus()
    page.page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert page.lines("accuracy") == page.lines("curves") == ["shuffle", "ticket"]
    assert page.page.locator("#early-stop .legend button[data-name=reinit]").get_attribute("aria-pressed") == "false"
    button.click()
    assert page.lines("accuracy") == ["shuffle", "reinit", "ticket"]


def test_paired_differences_come_with_interval_and_p_value(page: Opened, small_table: pd.DataFrame) -> None:
    page.page.locator("#accuracy select").first.select_option("difference/test_accuracy")
    page.page.locator("#accuracy .plot").focus()
    for key in ("ArrowRight", "ArrowDown"):
        page.page.keyboard.press(key)
    accuracy = small_table.pivot_table(index="replicate", columns=["branch", "level"], values="test_accuracy")
    mean = 100 * (accuracy["reinit", 1] - accuracy["ticket", 1]).mean()
    said = page.text("#said").replace("\N{MINUS SIGN}", "-")
    assert said.startswith("reinit, level 1, 80.") and f": {mean:.2f} points (95% interval " in said and ", p " in said
    assert page.page.locator("#accuracy .rule-name").text_content() == "no difference"
    assert not page.page.get_by_label("Band").first.is_visible()


def test_layers_can_be_followed_over_the_levels(page: Opened) -> None:
    assert page.page.locator("#layers tbody tr").count() == 4
    page.page.locator("#layers select").nth(1).select_option("lines")
    assert [name.inner_text() for name in page.page.locator("#layers .names li").all()] == [
        "fc_layers.0.weight",
        "fc_layers.1.weight",
        "fc.weight",
    ]
    assert len(page.lines("layers")) == 3 and not page.page.locator("#layers .bars").is_visible()


def test_the_axis_is_logarithmic_until_it_is_made_linear(page: Opened) -> None:
    def ticks() -> list[float]:
        marks = page.page.locator("#accuracy .axes .tick").all()
        return sorted({float(mark.get_attribute("x1") or 0) for mark in marks})[-3:]

    def share() -> float:
        left, middle, right = ticks()
        return (middle - left) / (right - left)

    assert share() == pytest.approx(0.5, abs=0.01)  # every level keeps the same share of the one before
    page.page.get_by_label("Logarithmic axis").first.uncheck()
    assert share() > 0.54


def test_levels_of_one_branch_can_be_compared(page: Opened) -> None:
    page.page.locator("#curves select").nth(1).select_option("ticket")
    assert set(page.lines("curves")) == {"0", "1", "2"}
    page.page.locator("#curves .legend button[data-level='1']").click()
    assert set(page.lines("curves")) == {"0", "2"}
    assert not page.page.locator("#curves input[type=range]").is_visible()


def test_arrow_keys_read_the_points_of_a_chart_aloud(page: Opened, small_table: pd.DataFrame) -> None:
    page.page.locator("#accuracy .plot").focus()
    page.page.keyboard.press("ArrowRight")
    dense = small_table[small_table["level"] == 0]["test_accuracy"].mean()
    assert page.text("#said").startswith(f"ticket, level 0, 100% of weights: {100 * dense:.2f}%")
    page.page.keyboard.press("ArrowRight")
    assert page.text("#said").startswith("ticket, level 1, 80.")
    page.page.keyboard.press("ArrowDown")
    reinit = small_table[(small_table["level"] == 1) & (small_table["branch"] == "reinit")]["test_accuracy"]
    assert page.text("#said").startswith("reinit, level 1, 80.")
    assert f"{100 * reinit.mean():.2f}%" in page.text("#said") and "n = 2" in page.text("#said")
    page.page.keyboard.press("End")
    assert page.text("#said").startswith("reinit, level 2, ")
    assert page.page.locator("#accuracy .reading").is_visible()
    page.page.keyboard.press("Enter")
    assert page.text("#mask .levels output").startswith("level 2,")
    page.page.keyboard.press("Escape")
    assert not page.page.locator("#accuracy .reading").is_visible()


def test_the_pointer_reads_the_level_below_it(page: Opened) -> None:
    plot = page.page.locator("#accuracy .plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    page.page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
    said = page.text("#accuracy .reading")
    assert said.startswith("level 2, ") and all(name in said for name in ("ticket", "reinit", "shuffle"))


def test_arrow_keys_read_the_pixels_of_a_mask(page: Opened) -> None:
    page.page.locator("#mask input[type=range]").fill("0")
    page.page.locator("#mask canvas.picture").focus()
    page.page.keyboard.press("ArrowRight")
    page.page.keyboard.press("ArrowDown")
    assert page.text("#said") == page.text("#mask .pixel") == "row 2, column 2: 20 of 20 connections"


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(page: Opened) -> None:
    page.page.keyboard.press("Tab")
    assert page.page.evaluate("document.activeElement.className") == "skip"
    assert page.page.locator(".skip").bounding_box()["y"] >= 0
    page.page.keyboard.press("Enter")
    assert page.page.evaluate("location.hash") == "#content"
    reached = set()
    for _ in range(60):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.tagName + '.' + document.activeElement.className"))
        outlined = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outlined != "none"
    assert {"SELECT.", "DIV.plot", "INPUT.", "SUMMARY.", "CANVAS.picture"} <= reached


def test_the_theme_can_be_changed_by_keyboard(page: Opened) -> None:
    def ground() -> str:
        return str(page.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light, mask = ground(), page.picture("#mask canvas.picture")
    page.page.locator("#theme").focus()
    page.page.keyboard.press("Enter")
    assert ground() != light and page.text("#theme") == "Light theme"
    assert page.picture("#mask canvas.picture") != mask
    page.page.keyboard.press("Enter")
    assert ground() == light


def test_the_data_of_a_chart_open_as_a_table_that_follows_it(page: Opened, small_table: pd.DataFrame) -> None:
    page.page.locator("#accuracy details.values summary").click()
    rows = page.page.locator("#accuracy details.values tbody tr")
    assert rows.count() == 3
    best = small_table[(small_table["level"] == 2) & (small_table["branch"] == "ticket")]["test_accuracy"]
    assert f"{100 * best.max():.2f}" in rows.nth(2).inner_text()
    page.page.locator("#accuracy .legend button[data-name=shuffle]").click()
    assert "shuffle" not in page.text("#accuracy details.values thead")


def test_the_origin_of_every_number_can_be_read(page: Opened, small_table: pd.DataFrame) -> None:
    page.page.locator("#provenance input[type=range]").fill("1")
    page.page.locator("#provenance select").first.select_option("shuffle")
    page.page.locator("#provenance select").nth(1).select_option("1")
    wanted = small_table.query("branch == 'shuffle' and level == 1 and replicate == 1").iloc[0]
    card = page.text("#provenance .origin")
    assert wanted["key"] in card and f"{100 * wanted['test_accuracy']:.2f}%" in card
    assert "0 and 1" in card and "torch " in card and "digits " in card


def test_hostile_names_stay_text(page: Opened) -> None:
    assert page.page.title() == HOSTILE
    assert page.text("h1") == HOSTILE
    assert page.page.locator("img").count() == 0 and page.page.locator("script").count() == 2
    assert HOSTILE in page.text("#claims") and HOSTILE in page.text(".command code")
    page.page.locator("#probes select").first.select_option("stability/l2")
    page.page.locator("#probes").get_by_label("Layer").select_option(label=HOSTILE)
    assert page.text("#probes .y-title") == f"Stability: l2, {HOSTILE}"


def test_claims_show_how_this_differs_from_the_paper_before_any_verdict(page: Opened) -> None:
    shown = page.text("#claims")
    assert shown.index("How this differs") < shown.index("does not hold")
    assert "read in the paper" in shown and "95% interval" in shown


def test_without_a_script_finding_figures_and_provenance_are_there(browser: Browser, small_run: Path) -> None:
    with browser.open(small_run / "report.html", java_script_enabled=False) as opened:
        figures = opened.page.locator("[data-figure] > svg")
        assert figures.count() == 2 and all(figure.is_visible() for figure in figures.all())
        assert "weights" in opened.text(".finding") and "Versions" in opened.text("#provenance")
        assert opened.page.locator("#tables tbody tr").count() > 3
        assert not opened.page.locator("#theme").is_visible()


def test_what_moves_does_so_for_those_who_like_it_alone(browser: Browser, small_run: Path) -> None:
    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        with browser.open(small_run / "report.html", reduced_motion=motion) as opened:
            assert opened.page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour


@pytest.fixture(scope="module")
def comparison(small_run: Path, small_table: pd.DataFrame) -> Path:
    """The small run beside itself with better tickets, under a hostile name."""
    better = small_table.assign(test_accuracy=small_table["test_accuracy"] / 2 + 0.5)
    runs = [
        Compared(name, small_run, table, Store(small_run / "store"), {"method": name}, f"lotto {name}")
        for name, table in (("imp", small_table), (HOSTILE, better))
    ]
    path = small_run / "comparison.html"
    path.write_text(compare(runs, read_tickets([small_run / "tickets"])), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_comparison_opens_and_switches_runs_and_branches(
    browser: Browser, comparison: Path, tmp_path: Path, width: int
) -> None:
    with browser.open(comparison, width) as opened:
        picture = tmp_path / "page.png"
        opened.page.screenshot(path=str(picture), full_page=True)
        assert colours(picture) > 100 and opened.overflow <= 0
        assert len(opened.lines("accuracy")) == 6
        runs = opened.page.locator("#accuracy .legend button[data-key=run]")
        assert runs.nth(1).inner_text() == HOSTILE
        runs.nth(0).click()
        assert opened.lines("accuracy") == ["1/shuffle", "1/reinit", "1/ticket"] == opened.lines("curves")
        opened.page.locator("#accuracy .legend button[data-name=reinit]").click()
        assert opened.lines("accuracy") == ["1/shuffle", "1/ticket"]
        assert opened.page.title() == "2 runs and 1 ticket compared"
        assert opened.said == [] and opened.asked == [comparison.resolve().as_uri()]


def test_colours_of_a_comparison_tell_runs_or_branches_apart(browser: Browser, comparison: Path) -> None:
    def looks(opened: Opened) -> list[tuple[str | None, str | None]]:
        lines = opened.page.locator("#accuracy .stroke").all()
        return [
            (line.get_attribute("style"), line.locator(".line").get_attribute("stroke-dasharray")) for line in lines
        ]

    with browser.open(comparison) as opened:
        by_run = looks(opened)
        assert len({colour for colour, _ in by_run}) == 2
        opened.page.get_by_label("Colours tell apart").select_option("branch")
        by_branch = looks(opened)
        assert len({colour for colour, _ in by_branch}) == 3 and len({dash for _, dash in by_branch}) == 2
        assert "#0072b2" in str(by_branch[-1][0])  # the ticket's own
        opened.page.locator("#mask select").first.select_option(
            label=opened.page.locator("#mask option").nth(2).inner_text()
        )
        assert opened.page.locator("#mask input[type=range]").get_attribute("max") == "0"
        assert opened.said == []
