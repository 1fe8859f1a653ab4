"""The page of a run of the paper's size: LeNet-300-100, 28 levels, five replicates, two controls, 501 evaluations of each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import lotto.store
from lotto.report.finding import find
from lotto.report.html import html_report
from lotto.report.meta import ReportMeta
from lotto.report.page.profile import MOST_POINTS
from lotto.store import Store
from tests.report.report_examples import simulate

LEVELS, REPLICATES = 28, 5
SHAPES = {"fc_layers.0.weight": (300, 784), "fc_layers.1.weight": (100, 300), "fc.weight": (10, 100)}
TOTALS = {name: rows * columns for name, (rows, columns) in SHAPES.items()}
MOST_BYTES = 5_000_000
NETWORK = {
    "model": {"_target_": "lotto.models.lenet.LeNet", "plan": [300, 100]},
    "input_shape": [1, 28, 28],
    "classes": 10,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Nothing of it need survive a power failure: without syncing it is written in seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lotto.store, "_sync", lambda path: None)
        made = Store(tmp_path_factory.mktemp("large") / "store")
        fill(made, simulate(REPLICATES, LEVELS))
    return made


def fill(store: Store, table: pd.DataFrame) -> None:
    """What a run would have stored of these rows: curves and masks with made-up numbers."""
    random = np.random.default_rng(0)
    versions = {"lotto": "0.1.0", "torch": "2.15.0"}
    steps = np.arange(0, 50_001, 100)
    of_ticket: dict[tuple[int, int], dict[str, torch.Tensor]] = {}
    for row in table.to_dict("records"):
        start = f"{row['key'][:39]}5"
        masks = {
            f"mask/{name}": torch.from_numpy((random.random(shape) < row["density"]).astype(np.uint8))
            for name, shape in SHAPES.items()
            if row["level"]
        }
        if row["branch"] == "reinit":
            masks = of_ticket[row["level"], row["replicate"]]
        of_ticket.setdefault((row["level"], row["replicate"]), masks)
        layers = {path.removeprefix("mask/"): [int(mask.sum()), mask.numel()] for path, mask in masks.items()}
        kind = "init" if not row["level"] else "rewind" if row["branch"] == "ticket" else "control"
        result: dict[str, Any] = {"layers": layers} if layers else {}
        store.publish(start, {"kind": kind, "result": result, "versions": versions}, masks)
        record = {
            "kind": "train",
            "fields": {
                **NETWORK,
                "data": {"name": "mnist"},
                "seed": 0,
                "replicate": row["replicate"],
                "start": 0,
                "stop": 50_000,
            },
            "parents": {"start": start},
            "versions": versions,
            "engine": "stacked",
            "device": "cpu",
            "stack": [row["key"]],
        }
        losses = 2.3 * np.exp(-steps / 3000) + 0.07 + random.normal(0, 0.002, len(steps))
        store.publish(
            row["key"], record, {}, [evaluation(step, loss) for step, loss in zip(steps, losses, strict=True)]
        )


def evaluation(step: int, loss: float) -> Mapping[str, Any]:
    return {
        "step": int(step),
        "val_loss": loss,
        "val_accuracy": 1 - loss / 4,
        "train_loss": 0.9 * loss,
        "train_accuracy": 1 - loss / 5,
    }


def test_a_run_of_the_papers_size_makes_a_page_below_five_megabytes(
    store: Store, meta: ReportMeta, tmp_path: Path
) -> None:
    table = simulate(REPLICATES, LEVELS)
    page = tmp_path / "report.html"
    page.write_text(html_report(table, replace(meta, store=store.root), find(table)), encoding="utf-8")

    assert 500_000 < page.stat().st_size < MOST_BYTES
    text = page.read_text(encoding="utf-8")
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert len(data["origins"][0]["rows"]) == len(table)
    assert {line["id"] for line in data["lines"]} == {"ticket", "reinit", "shuffle"}
    curve = data["curves"][0]["lines"]["shuffle"]["27"]
    assert (
        curve["n"] == REPLICATES and curve["x"][0] == 0 and curve["x"][-1] == 50_000 and len(curve["x"]) <= MOST_POINTS
    )
    (network,) = data["layers"]
    assert network["names"] == list(SHAPES) and network["totals"] == list(TOTALS.values())
    assert network["kept"]["ticket"]["0"] == list(TOTALS.values())
    (mask,) = data["masks"]
    assert set(mask["frames"]) == {"ticket", "shuffle"}
    assert set(mask["frames"]["ticket"]) == {str(replicate) for replicate in range(REPLICATES)}
    assert set(mask["frames"]["ticket"]["0"]) == {str(level) for level in range(LEVELS)}
