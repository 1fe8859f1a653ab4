"""One table and what stands beside it in a report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import lotto
from lotto.report.columns import read_csv
from lotto.report.meta import ReportMeta
from tests.report.report_examples import simulate


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    return simulate()


@pytest.fixture
def meta(tmp_path: Path) -> ReportMeta:
    return ReportMeta(
        experiment="frankle2019/lenet",
        command="lotto run experiment=frankle2019/lenet replicates=5",
        overrides=("experiment=frankle2019/lenet", "replicates=5"),
        data="MNIST: 55,000 training, 5,000 validation, 10,000 test images",
        versions={"lotto": "0.1.0", "torch": "2.11.0"},
        hardware="2 CPU cores",
        seed=0,
        replicates=5,
        store=tmp_path / "store",
        run_folder=tmp_path / "run",
        tickets=(tmp_path / "run" / "tickets" / "level15-replicate0.safetensors",),
        steps_run=3_000_000,
        steps_total=11_500_000,
        wall_seconds=5123.4,
    )


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of seconds with two controls, beside its store."""
    folder = tmp_path_factory.mktemp("small")
    lotto.run(
        [
            *("model.plan=[20,12]", "train.steps=60it", "train.evaluate_every=15it", "replicates=2"),
            *("schedule.levels=3", "controls=[reinit,shuffle]", f"store={folder / 'store'}", f"hydra.run.dir={folder}"),
        ]
    )
    return folder


@pytest.fixture(scope="session")
def small_table(small_run: Path) -> pd.DataFrame:
    return read_csv(small_run / "results.csv")


@pytest.fixture(scope="session")
def small_meta(small_run: Path) -> ReportMeta:
    return ReportMeta(
        experiment="digits",
        command="lotto replicates=2",
        overrides=("replicates=2",),
        data="digits: 1,197 train, 150 validation, 450 test",
        versions={"lotto": "0.1.0"},
        hardware="2 CPU cores",
        seed=0,
        replicates=2,
        store=small_run / "store",
        run_folder=small_run,
        tickets=(),
        steps_run=840,
        steps_total=840,
        wall_seconds=3.0,
    )
