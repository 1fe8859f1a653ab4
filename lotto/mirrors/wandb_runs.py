"""``logger=wandb``: one W&B run for each ticket line, in a group for each experiment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest
from lotto.fields import flag, near
from lotto.mirrors import wandb_folders
from lotto.mirrors.line import TRAINING, Line, Row
from lotto.mirrors.mirror import Files, need
from lotto.mirrors.wandb_session import MODES, along_levels, begin_run, check_online
from lotto.stage import canonical

if TYPE_CHECKING:
    from wandb import Run


@dataclass
class _Open:
    """A run that is being written."""

    run: Run
    rows: list[Row] = field(default_factory=list)


class WandbRuns:
    """Writes ``wandb/`` in the run's folder, and sends it if asked to.

    Args:
        mode: ``offline`` needs no account and no network, now or later; ``online`` sends; ``disabled`` does nothing.
        masks: log for every layer a histogram of the fraction of weights that its units keep.
        figure: log the figures of the report with the tickets.
        artifact: attach the exported ticket file to the line that it is of.
    """

    def __init__(
        self,
        folder: Path,
        mode: str = "offline",
        project: str = "lotto",
        entity: str | None = None,
        masks: bool = False,
        figure: bool = False,
        artifact: bool = False,
    ) -> None:
        if mode not in MODES:
            raise BadRequest(
                f"logger.wandb.mode={mode} is unknown: choose from {', '.join(MODES)}{near(str(mode), MODES) or '.'}"
            )
        self._folder, self.mode, self.project, self.entity = folder, mode, project, entity
        self._masks = flag("logger.wandb.masks", masks)
        self._figure = flag("logger.wandb.figure", figure)
        self._artifact = flag("logger.wandb.artifact", artifact)
        self._open: dict[str, _Open] = {}

    def check(self) -> None:
        need("wandb", "wandb", "wandb")
        if self.mode == "online":
            check_online()

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        return wandb_folders.holds(self._folder / "wandb", line.id, self._fingerprint(line, rows))

    def begin(self, line: Line) -> None:
        run = begin_run(
            self._folder,
            self.mode,
            line.id,
            project=self.project,
            entity=self.entity,
            group=line.experiment,
            job_type=line.branch,
            name=line.name,
            tags=_tags(line, None),
            config=line.settings,
        )
        run.define_metric(f"{TRAINING}*", step_metric=f"{TRAINING}line_step")
        run.define_metric("mask/*", step_metric="level")
        self._open[line.name] = _Open(run)

    def row(self, line: Line, row: Row) -> None:
        opened, outcome = self._open[line.name], row.outcome()
        if not opened.rows:
            along_levels(opened.run, outcome)
        for record in row.evaluations():
            opened.run.log(record)
        opened.run.log({**outcome, **(self._histograms(row) if self._masks else {})})
        opened.rows.append(row)

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        opened = self._open.pop(line.name)
        run, rows = opened.run, opened.rows
        if rows:  # none came if the run was interrupted just then
            run.tags = _tags(line, rows[-1])
            run.summary.update({**rows[-1].outcome(), **{row.name: row.outcome() for row in rows}})
        if self._figure and line.branch == "ticket":
            self._log_figures(run, files)
        if self._artifact:
            self._log_tickets(run, rows, files)
        run.finish(exit_code)
        if self.mode != "disabled":
            whole = self._fingerprint(line, rows) if exit_code == 0 else None
            wandb_folders.keep_only(Path(run.sync_dir), line.id, whole)

    def close(self, exit_code: int) -> str:
        folder = self._folder / "wandb"
        return f"wandb sync {folder}/offline-run-*" if self.mode == "offline" else str(folder)

    def _fingerprint(self, line: Line, rows: Sequence[Row]) -> str:
        """Of everything that the run is made from: one that was made from the same need not be made again."""
        options = [self.mode, self.project, self.entity, self._masks, self._figure, self._artifact]
        content = [options, line.settings, [row.outcome() for row in rows]]
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    def _histograms(self, row: Row) -> dict[str, Any]:
        import wandb

        from lotto.mirrors.mask_histogram import kept_per_unit

        made = kept_per_unit(row.start())
        # A dot would be read as nesting.
        return {f"mask/{name.replace('.', '/')}": wandb.Histogram(np_histogram=one) for name, one in made.items()}

    def _log_figures(self, run: Run, files: Files) -> None:
        import wandb

        for path in files.figures:
            if path.suffix == ".png":
                run.log({f"figure/{path.stem}": wandb.Image(str(path))})

    def _log_tickets(self, run: Run, rows: Sequence[Row], files: Files) -> None:
        """The exported tickets that are this line's: a file is named after the key of what was trained from it."""
        import wandb

        for path in files.tickets:
            if any(path.stem.endswith(row.entry.trained.key[:8]) for row in rows):
                artifact = wandb.Artifact(f"ticket-{run.id}", type="ticket", metadata={"file": path.name})
                artifact.add_file(str(path), skip_cache=True, policy="immutable")
                run.log_artifact(artifact)


def _tags(line: Line, last: Row | None) -> tuple[str, ...]:
    """How the line was found and how far it goes; W&B allows 64 characters a tag."""
    reached: Mapping[str, Any] = last.results if last else {}
    named = {"density": f"{reached['density']:.3g}", "level": reached["level"]} if reached else {}
    tags = [line.method, line.criterion, line.branch, *(f"{name}:{value}" for name, value in named.items())]
    return tuple(dict.fromkeys(tag[:64] for tag in tags))
