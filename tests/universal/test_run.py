"""``lotto experiment=universal/…`` as a user meets it."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import torch

import lotto
from lotto.models.candidates import CandidateNetwork
from tests.e2e import CONTRACT, Shell, artifacts, results, steps_run

SMALL = (
    "experiment=universal/sine",
    "replicates=2",
    "schedule.levels=3",
    "method.candidates=[6,10]",
    "model.candidates=10",
)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def test_a_run_is_constructed_measured_reported_and_shared(shell: Shell) -> None:
    assert shell("plan", "--no-estimate", *SMALL).last_line.endswith("0 training steps to run")
    said = shell(*SMALL)
    assert said.status == 0, said.err
    assert steps_run(said.out) == 0
    assert "With 10 candidates for each weight of sine the ticket keeps" in " ".join(said.out.split())
    (folder,) = (shell.folder / "outputs/runs/universal/sine").iterdir()
    rows = results(folder)
    assert list(rows[0])[: len(CONTRACT)] == CONTRACT
    assert len(rows) == 2 + 2 * 2 * 3
    for row in rows:
        assert row["test_accuracy"] == row["val_loss_min"] == row["wall_seconds"] == ""
        assert row["train_steps"] == "0" and row["target"] == "sine" and row["cached"] == "false"
        assert float(row["error_exact_sup"]) == pytest.approx(0.01114, abs=5e-6)
        assert int(row["weights_remaining"]) == round(float(row["density"]) * int(row["weights_total"]))
    tickets = [row for row in rows if row["branch"] == "ticket" and row["level"] != "0"]
    controls = [row for row in rows if row["branch"] != "ticket"]
    assert [float(row["candidates"]) for row in tickets] == [6, 6, 10, 10]
    assert {row["candidates"] for row in controls} == {""}
    assert max(float(row["error_sup"]) for row in tickets) < min(float(row["error_sup"]) for row in controls)
    assert all(
        (folder / name).is_file() for name in ("report.md", "report.html", "figures/error.png", "tables/errors.csv")
    )
    medians = pd.read_csv(folder / "tables/errors.csv").set_index(["branch", "level"])
    by_hand = sorted(float(row["error_sup"]) for row in tickets[2:])
    assert medians.loc[("ticket", 2), "median"] == pytest.approx(sum(by_hand) / 2)

    stored = artifacts(shell.folder / "outputs/store")
    again = shell(*SMALL)
    assert again.status == 0 and artifacts(shell.folder / "outputs/store") == stored
    assert {row["cached"] for row in results(folder)} == {"true"}
    # Another number of candidates constructs its own tickets alone: the random networks are those that are there.
    more = shell(*SMALL, "method.candidates=[6,8]", "controls=[]")
    assert more.status == 0
    new = artifacts(shell.folder / "outputs/store") - stored
    assert len(new) == 4


def test_the_ticket_file_computes_the_function_in_any_module(shell: Shell) -> None:
    said = shell(
        "experiment=universal/sine", "replicates=1", "schedule.levels=2", "method.candidates=[16]", "controls=[]"
    )
    assert said.status == 0, said.err
    (path,) = shell.folder.glob("outputs/runs/universal/sine/*/tickets/*.safetensors")
    assert shell("ticket", "verify", str(path)).out.strip().endswith("sound")
    ticket = lotto.load_ticket(path)
    assert ticket.rewind_step == 0 and ticket.density < 0.05
    torch.manual_seed(1)
    model = ticket.apply_to(CandidateNetwork({"name": "sine"}, 16, (1, 1, 1), 1)).double()
    x = torch.linspace(0, 1, 101, dtype=torch.float64)[:, None, None, None]
    assert float((model(x) - torch.sin(2 * math.pi * x).flatten(1)).detach().abs().max()) < 0.1
    (row, *_) = [row for row in results(path.parents[1]) if row["level"] == "1"]
    assert int(row["weights_remaining"]) == ticket.mask.remaining


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("method=universal",), "choose one of experiment=universal"),
        (("experiment=universal/sine", "data=digits"), "choose data=cube"),
        (
            ("experiment=universal/sine", "method.candidates=[8,20]", "schedule.levels=3"),
            "more than model.candidates=16",
        ),
        (("experiment=universal/sine", "method.candidates=[8]"), "method.candidates=[8] lists 1"),
        (("experiment=universal/sine", "method.solver=best"), "choose from exact, greedy"),
        (("experiment=universal/sine", "rewind.at=1it"), "rewind.at=1"),
        (("experiment=universal/sine", "method.foo=1"), "method.foo"),
        (("experiment=universal/sine", "model.target.name=sin"), "did you mean sine"),
        (("experiment=universal/sine", "method=imp", "train.steps=1it"), "nothing can be trained"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(shell: Shell, overrides: tuple[str, ...], words: str) -> None:
    said = shell(*overrides)
    assert said.status == 2
    assert words in said.err
    assert len(said.err.strip().splitlines()) == 1
