"""Runs, points of sweeps and tickets in one page: how they are read and called, and what is set side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import lotto
from lotto.api import report_again
from lotto.errors import BadRequest
from lotto.report.beside import Beside
from lotto.report.columns import write_csv
from lotto.report.compare import compare, page_folder
from lotto.report.compared import Compared, differing, read_compared, read_tickets
from lotto.store import Store
from tests.e2e import Shell
from tests.report.report_examples import claims, probes, simulate

SMALL = ("model.plan=[20,12]", "train.steps=30it", "train.evaluate_every=15it", "replicates=2")


def data_of(page: str) -> dict[str, Any]:
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Iterative and one-shot pruning, which share the dense network and the first level."""
    root = tmp_path_factory.mktemp("compared")
    made = {}
    for method in ("imp", "one_shot"):
        made[method] = root / method
        where = (f"store={root / 'store'}", f"hydra.run.dir={made[method]}")
        lotto.run([*SMALL, "schedule.levels=3", "controls=[reinit]", f"method={method}", *where])
    return made


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """The table of a sweep as ``lotto sweep`` leaves it, of four points."""
    folder = tmp_path / "sweeps" / "rewinding" / "1a2b3c4d"
    tables = [
        simulate(2, 3, ("reinit",)).assign(**{"axis:method": method, "axis:rewind.at": at}, method=method)
        for method in ("imp", "one_shot")
        for at in ("0", "500it")
    ]
    write_csv(pd.concat(tables, ignore_index=True), folder / "results.csv")
    return folder


def test_runs_are_called_by_what_tells_them_apart(folders: dict[str, Path], tmp_path: Path) -> None:
    runs = read_compared(folders.values(), tmp_path)

    assert [run.label for run in runs] == ["imp", "one_shot"]
    assert differing(runs)["method.name"] == ["imp", "one_shot"]
    assert not {"store", "hydra.run.dir", "name"} & differing(runs).keys()
    assert "method=one_shot" in runs[1].command and runs[0].store.root == folders["imp"].parent / "store"


def test_equal_runs_are_called_differently(folders: dict[str, Path], tmp_path: Path) -> None:
    runs = read_compared([folders["imp"], folders["imp"]], tmp_path)

    assert len({run.label for run in runs}) == 2


def test_the_points_of_a_sweep_are_called_by_their_axes(sweep: Path, tmp_path: Path) -> None:
    points = read_compared([sweep], tmp_path / "store")

    assert [point.settings["rewind.at"] for point in points] == ["0", "500it", "0", "500it"]
    assert points[0].label == "method=imp, rewind.at=0"
    assert {len(point.table) for point in points} == {2 * 3 + 2 * 2}
    assert points[0].command == "lotto sweep rewinding" and points[0].store.root == tmp_path / "store"


def test_every_run_and_branch_has_a_line(folders: dict[str, Path], tmp_path: Path) -> None:
    data = data_of(compare(read_compared(folders.values(), tmp_path)))

    assert [line["id"] for line in data["lines"]] == ["0/ticket", "0/reinit", "1/ticket", "1/reinit"]
    assert [run["name"] for run in data["runs"]] == ["imp", "one_shot"]
    assert len({run["colour"] for run in data["runs"]}) == 2
    (accuracy, *_) = data["accuracy"]
    assert set(accuracy["lines"]) == {"0/ticket", "0/reinit", "1/ticket", "1/reinit"}
    assert set(data["curves"][0]["lines"]) == set(accuracy["lines"])
    assert [set(network["kept"]) for network in data["layers"]] == [{"0/ticket", "0/reinit"}, {"1/ticket", "1/reinit"}]
    assert [mask["run"] for mask in data["masks"]] == ["imp", "one_shot"]
    assert len(data["origins"]) == 2


def test_a_level_has_a_density_only_where_runs_agree(tmp_path: Path) -> None:
    one, other = simulate(2, 3, ()), simulate(2, 3, ())
    other.loc[other["level"] == 2, "density"] *= 0.9

    runs = [Compared(name, tmp_path, table, Store(tmp_path), {}, "lotto") for name, table in (("a", one), ("b", other))]

    assert set(data_of(compare(runs))["levels"]) == {"0", "1"}


def test_what_runs_share_costs_once(folders: dict[str, Path], tmp_path: Path) -> None:
    runs = read_compared(folders.values(), tmp_path)

    page = compare(runs)

    networks = pd.concat([run.table for run in runs])["key"]
    assert networks.nunique() < len(networks)
    assert f"training steps of {networks.nunique()} networks" in page
    assert f"<dd>{30 * networks.nunique():,}</dd>" in page


def test_tickets_are_compared_with_each_other(folders: dict[str, Path]) -> None:
    paths = [folder / "tickets" for folder in folders.values()]
    tickets = read_tickets(paths)
    assert len(tickets) == 2

    page = compare([], tickets)

    first, second = (ticket for _, ticket in tickets)
    assert all(name in page for name, _ in tickets) and "one_shot" in page
    assert f"<td>{first.mask.iou(second.mask):.3f}</td>" in page
    data = data_of(page)
    assert [mask["run"] for mask in data["masks"]] == [name for name, _ in tickets] and data["lines"] == []


def test_what_is_nothing_to_compare_is_refused_before_anything_is_written(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    before = (folders["imp"] / "report.html").stat().st_mtime_ns

    with pytest.raises(BadRequest, match="empty is neither the folder of a run or a sweep"):
        report_again([folders["imp"], tmp_path / "empty"], (tmp_path / "said").open("w"))
    (tmp_path / "empty" / "results.csv").write_text("level\n0\n")
    with pytest.raises(BadRequest, match="is no table of results: it lacks experiment"):
        read_compared([tmp_path / "empty"], tmp_path)

    assert (folders["imp"] / "report.html").stat().st_mtime_ns == before


def test_the_page_of_some_folders_lies_in_one_place(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"

    assert page_folder([one, other]) == page_folder([other, one])
    assert page_folder([one, other]) != page_folder([one])
    assert page_folder([one]).parts[:2] == ("outputs", "reports")


def test_the_command_writes_each_report_and_one_that_compares(
    folders: dict[str, Path],
    sweep: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    shell = Shell(tmp_path, monkeypatch, capfd)
    imp, one_shot = (str(folder) for folder in folders.values())
    for folder in folders.values():
        (folder / "report.html").unlink()

    said = shell("report", imp, one_shot, str(sweep))

    assert (said.status, said.err) == (0, "")
    assert all((folder / "report.html").is_file() for folder in folders.values())
    (page,) = tmp_path.glob("outputs/reports/*/report.html")
    assert said.last_line == f"comparison {page.relative_to(tmp_path)}"
    assert len(data_of(page.read_text())["runs"]) == 6

    said = shell("report", imp, one_shot, "hydra.run.dir=here")
    assert said.last_line == "comparison here/report.html" and (tmp_path / "here" / "report.html").is_file()
    said = shell("report", str(sweep))
    assert (sweep / "report.html").is_file() and said.status == 0
    for arguments, reason in (
        ((imp, "hydra.run.dir=here"), "give more than one"),
        ((imp, "--all"), "lotto report --all: give folders"),
        ((imp, "seed=3"), "lotto report seed=3: give folders"),
    ):
        said = shell("report", *arguments)
        assert said.status == 2 and reason in said.err


def test_probes_and_claims_stand_beside_the_lines_of_their_run(sweep: Path, tmp_path: Path) -> None:
    table = pd.read_csv(sweep / "results.csv", dtype={"axis:method": str, "axis:rewind.at": str})
    rows = [
        probes(point, layer="fc.weight").assign(**{"axis:method": method, "axis:rewind.at": at})
        for (method, at), point in table.groupby(["axis:method", "axis:rewind.at"], sort=False)
    ]
    pd.concat(rows).to_csv(sweep / "probes.csv", index=False)

    points = read_compared([sweep], tmp_path)
    page = compare(points, beside=Beside(claims=claims(), differs=["other data"]))

    assert all(point.probes is not None and len(point.probes) == len(rows[0]) for point in points)
    data = data_of(page)
    (barrier,) = data["barriers"]
    assert set(barrier["lines"]) == {f"{place}/{branch}" for place in range(4) for branch in ("ticket", "reinit")}
    assert barrier["lines"]["3/ticket"][1][2] == pytest.approx(0.0405)  # at level 1: 0.04 and 0.041
    assert page.index("other data") < page.index("does not hold") < page.index('id="findings-title"')


def test_the_probes_of_a_run_are_on_its_page_and_in_comparisons(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    where = (f"store={tmp_path / 'store'}", f"hydra.run.dir={folder}")
    lotto.run([*SMALL, "schedule.levels=2", "controls=[]", "probes=[densities]", *where])

    data = data_of((folder / "report.html").read_text())
    (run,) = read_compared([folder], tmp_path)

    assert data["probes"] and all(found["id"].startswith("densities/") for found in data["probes"])
    assert run.probes is not None and set(run.probes["probe"]) == {"densities"}
    assert len(run.probes) == (folder / "probes.csv").read_text().count("\n") - 1
