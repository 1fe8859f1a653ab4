"""``lotto report wandb --workspace``: the panels, as JSON, of columns that there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lotto.mirrors import workspace
from lotto.mirrors.workspace import SECTIONS
from lotto.report.columns import FURTHER, MEANING
from tests.e2e import Shell

pytest.importorskip("wandb_workspaces", reason="wandb-workspaces is not installed: no workspace was built")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def test_every_panel_shows_a_column_of_the_results() -> None:
    assert {column for panels in SECTIONS.values() for column in panels.values()} <= {*MEANING, *FURTHER}


def test_it_is_saved_as_json(shell: Shell) -> None:
    said = shell("report", "wandb", "--workspace", "logger.wandb.project=tickets")
    assert (said.status, said.out, said.err) == (0, f"workspace {workspace.PATH}\n", "")
    view = json.loads((shell.folder / workspace.PATH).read_text())
    text = json.dumps(view)
    assert view["project"] == "tickets" and "barrier" not in text
    assert all(title in text for title in SECTIONS)


def test_barriers_are_shown_where_the_results_have_them(shell: Shell) -> None:
    (shell.folder / "run").mkdir()
    (shell.folder / "run" / "results.csv").write_text("level,barrier_test_error\n")
    said = shell("report", "wandb", "--workspace", "run")
    assert said.status == 0
    assert "barrier_test_error" in (shell.folder / workspace.PATH).read_text()


def test_requests_it_cannot_serve(shell: Shell) -> None:
    for arguments, words in (
        (["csv", "--workspace"], "lotto report csv does not take --workspace"),
        (["wandb", "--workspac"], "lotto report wandb does not take --workspac"),
        (["wandb", "train.lr=1"], "lotto report wandb does not take train.lr=1"),
        (["csv"], "There is no run under outputs/runs"),
        (["csv", "here"], "here is not the folder of a run"),
    ):
        said = shell("report", *arguments)
        assert (said.status, said.out) == (2, "") and words in said.err
