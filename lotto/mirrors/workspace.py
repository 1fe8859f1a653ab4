"""The W&B workspace of lotto's runs, as code: what the field plots, from the columns that the mirrored runs have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from omegaconf import OmegaConf

from lotto.errors import LottoError
from lotto.mirrors.again import logger_settings
from lotto.mirrors.mirror import need
from lotto.mirrors.wandb_session import check_online
from lotto.report.aside import write_aside

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

PATH = Path("outputs/reports/wandb-workspace.json")

# Section -> title and column of its panels, all against density.
SECTIONS = {
    "Accuracy against density": {
        "Test accuracy at the end of training": "test_accuracy",
        "Test accuracy at the early-stopping step": "test_accuracy_early_stop",
        "Validation accuracy at the end of training": "val_accuracy",
    },
    "Early stop": {
        "Step of the least validation loss": "early_stop_step",
        "Least validation loss": "val_loss_min",
    },
    "Cost": {"Training steps": "train_steps", "Wall time of the fit (s)": "wall_seconds"},
}


def report_workspace(folders: Sequence[Path], overrides: Sequence[str], stream: IO[str]) -> int:
    """Build the workspace and say where it is; ``folders`` of runs say which columns there are.

    Raises:
        BadRequest: wandb-workspaces is not installed.
    """
    need("wandb_workspaces", "wandb", "workspaces")
    settings = logger_settings("wandb", OmegaConf.create(), overrides)
    online = settings["mode"] == "online"
    if online:
        check_online()
    found = [folder / "results.csv" for folder in folders] or Path("outputs/runs").glob("**/results.csv")
    columns = {name for path in found if path.is_file() for name in path.open().readline().strip().split(",")}
    workspace = build(settings["entity"] or "", settings["project"], columns)
    print(f"workspace {save(workspace, PATH, online)}", file=stream)
    return 0


def build(entity: str, project: str, columns: Collection[str] = ()) -> Workspace:
    """The workspace of a project. ``columns`` of the results that are barriers get a section of their own."""
    import wandb_workspaces.workspaces as ws

    barriers = {name.replace("_", " "): name for name in columns if "barrier" in name}
    sections = {**SECTIONS, **({"Barriers": barriers} if barriers else {})}
    return ws.Workspace(
        entity=entity,
        project=project,
        name="lotto",
        sections=[
            ws.Section(name=name, is_open=True, panels=[_panel(title, column) for title, column in panels.items()])
            for name, panels in sections.items()
        ],
        settings=ws.WorkspaceSettings(max_runs=1000),
        runset_settings=ws.RunsetSettings(pinned_columns=["config:series", "config:replicate", "summary:density"]),
    )


def save(workspace: Workspace, path: Path, online: bool) -> str:
    """Write the workspace as JSON to ``path``, and to W&B if ``online``; returns where it is.

    Raises:
        LottoError: W&B did not take it.
    """
    model = workspace._to_model().model_dump_json(by_alias=True, exclude_none=True, indent=1)
    write_aside(path, model.encode())
    if not online:
        return str(path)
    try:
        workspace.save()
    except Exception as reason:
        raise LottoError(f"W&B did not take the workspace ({reason}); it is saved as {path}.") from None
    return workspace.url


def _panel(title: str, column: str) -> Any:
    """Mean over the replicates of each series, with a band from the least to the greatest, as in lotto's own figures."""
    import wandb_workspaces.reports.v2 as wr

    return wr.LinePlot(
        title=title,
        x="density",
        y=[column],
        log_x=True,
        title_x="weights remaining",
        groupby=wr.Config("series"),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        aggregate=True,
        max_runs_to_show=1000,
    )
