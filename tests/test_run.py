"""What a run trains, and what it reads from the store instead."""

from __future__ import annotations

from pathlib import Path

import pytest

import lotto
from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.experiment import run_experiment, summary_line
from lotto.plan import Plan
from lotto.running.progress import QuietProgress
from lotto.store import Store
from tests.e2e import CONTRACT, TINY, artifacts, steps_planned
from tests.training.lab import untimed


class Bench:
    """One store that run after run is asked of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def overrides(self, *changes: str) -> list[str]:
        return [*TINY, f"store={self.folder / 'store'}", f"hydra.run.dir={self.folder / 'run'}", *changes]

    def steps_to_run(self, *changes: str) -> int:
        spec = read_spec(composed(self.overrides(*changes)))
        return steps_planned(summary_line(Plan.of(spec), Store(spec.store)))

    def run(self, *changes: str):
        overrides = self.overrides(*changes)
        return run_experiment(read_spec(composed(overrides)), self.folder / "run", overrides, QuietProgress())


pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A store that holds TINY."""
    bench = Bench(tmp_path_factory.mktemp("bench"))
    planned = bench.steps_to_run()
    # Two replicates: the dense network, and two levels of ticket and control.
    assert planned == 2 * 60 * (1 + 2 * 2)
    assert bench.run().steps == planned
    return bench


def test_run_returns_the_table_and_writes_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    table = lotto.run(bench.overrides())
    assert list(table.columns[: len(CONTRACT)]) == CONTRACT
    assert len(table) == 2 * (1 + 2 * 2)
    assert set(table["branch"]) == {"ticket", "reinit"} and set(table["level"]) == {0, 1, 2}
    assert table["cached"].all() and (table["density"] == table["weights_remaining"] / table["weights_total"]).all()
    for name in ("results.csv", "report.md", "report.html", "figures/accuracy.png"):
        assert (bench.folder / "run" / name).stat().st_size > 0


def test_a_second_run_trains_nothing_and_says_the_same(bench: Bench) -> None:
    first, second = bench.run(), bench.run()
    assert (first.steps, second.steps, bench.steps_to_run()) == (0, 0, 0)
    assert first.table.equals(second.table)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        (["replicates=4"], 2 * 60 * 5),
        (["schedule.levels=4"], 2 * 60 * 2),
        (["controls=[reinit,random]"], 2 * 60 * 2),
        (["controls=[]"], 0),
        # The dense network's first 30 steps again, for the point; then the remaining half of every ticket and control.
        (["rewind.at=30it"], 2 * (30 + 2 * 2 * 30)),
        (["method=one_shot", "schedule.levels=2"], 0),
        (["name=other", "hardware.checkpoint_every=7"], 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_only_what_is_new_is_trained(bench: Bench, changes: list[str], steps: int) -> None:
    before = artifacts(bench.folder / "store")
    assert bench.steps_to_run(*changes) == steps
    outcome = bench.run(*changes)
    assert outcome.steps == steps and not outcome.failed
    assert before <= artifacts(bench.folder / "store")
    assert bench.steps_to_run(*changes) == 0
    new = outcome.table[~outcome.table["cached"]]
    assert bool(len(new)) == bool(steps) and not set(new["key"]) & before


def test_another_replicate_changes_no_number_of_the_others(bench: Bench) -> None:
    two, three = bench.run("controls=[]"), bench.run("controls=[]", "replicates=3")
    shared = three.table[three.table["replicate"] < 2].reset_index(drop=True)
    assert untimed(shared).drop(columns="cached").equals(untimed(two.table).drop(columns="cached"))


def test_a_wrong_request_is_refused_in_python_too(bench: Bench) -> None:
    with pytest.raises(BadRequest, match=r"train\.lr=0"):
        lotto.run(bench.overrides("train.lr=0"))
