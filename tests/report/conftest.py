"""One table and what stands beside it in a report."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

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
