"""What the command line does, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest, StageFailed
from lotto.experiment import Outcome, run_experiment
from lotto.running.devices import follows

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig


def run(overrides: Sequence[str] = (), quiet: bool = True) -> pd.DataFrame:
    """Run what ``overrides`` describe, as ``lotto run`` does, and return the results table.

    Args:
        overrides: Hydra overrides, such as ``["experiment=frankle2019/lenet", "replicates=3"]``.
        quiet: show no progress.

    Returns:
        One row per ticket trained, with the columns of ``results.csv``.

    Raises:
        BadRequest: the request is wrong; nothing was trained.
        StageFailed: a stage failed; the others are stored, and the same call goes on from there.
    """
    config = composed(overrides)
    folder = Path(config.hydra.run.dir)
    outcome = run_composed(config, folder, overrides, None if quiet else _stdout())
    if not follows():
        _note_request(config, folder, overrides)
    if outcome.failed:
        raise StageFailed(outcome.failed[0])
    return outcome.table


def run_composed(config: DictConfig, folder: Path, overrides: Sequence[str], stream: IO[str] | None) -> Outcome:
    """Run a composed configuration; progress, table and finding go to ``stream``."""
    from lotto.running.progress import QuietProgress, make_progress

    spec = read_spec(config)
    stream = None if follows() else stream
    progress = make_progress(stream) if stream else QuietProgress()
    outcome = run_experiment(spec, folder, overrides, progress)
    if stream and outcome.written:
        _show(outcome, stream)
    return outcome


def _note_request(config: DictConfig, folder: Path, overrides: Sequence[str]) -> None:
    """Keep the request where Hydra keeps it for the command line, so that the run's report can be made again."""
    from omegaconf import OmegaConf

    notes = folder / ".hydra"
    notes.mkdir(parents=True, exist_ok=True)
    own = OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"])
    OmegaConf.save(own, notes / "config.yaml", resolve=True)
    OmegaConf.save(OmegaConf.create(list(overrides)), notes / "overrides.yaml")


def report_again(
    folders: Sequence[Path], stream: IO[str], page: Path | None = None, store: Path | None = None
) -> Path | None:
    """Write the reports of finished runs anew from what is stored; without folders, of every run under ``outputs/runs``.

    Several folders, of runs, sweeps or tickets, are compared as well, in one page; so are the points of a single sweep.

    Args:
        folders: those of runs, of sweeps, and ticket files or folders of such.
        page: the folder of the comparison; unless given, a sweep's own, or one under ``outputs/reports`` that follows from ``folders``.
        store: where the keys of sweeps lead, whose folders do not say it; unless given, the default store.

    Returns:
        The page that compares, None for a single run.

    Raises:
        BadRequest: a folder is none of these.
    """
    from lotto.report.compared import is_run

    # A run that ended before its first result left no table to make anew.
    found = list(dict.fromkeys(folders)) or sorted(path.parent for path in Path("outputs/runs").glob("**/results.csv"))
    if not found:
        raise BadRequest("There is no run with results under outputs/runs: give the folder of one.")
    compares = bool(folders) and (len(found) > 1 or not is_run(found[0]))
    if page and not compares:
        raise BadRequest(f"hydra.run.dir={page} says where several folders are compared: give more than one.")
    # What cannot be compared is refused before anything is written.
    whole = _comparison(found, store) if compares else ""
    for folder in found:
        if is_run(folder) or not compares:
            _report_run(folder, stream)
    if not compares:
        return None
    return _write_comparison(whole, page or _page_folder(found), stream)


def compare_runs(folders: Sequence[Path], stream: IO[str]) -> Path | None:
    """The page that compares finished runs, whose own reports are there already; None where fewer than two have results."""
    found = [folder for folder in dict.fromkeys(folders) if (folder / "results.csv").is_file()]
    if len(found) < 2:
        return None
    return _write_comparison(_comparison(found, None), _page_folder(found), stream)


def _report_run(folder: Path, stream: IO[str]) -> None:
    from omegaconf import OmegaConf

    from lotto.experiment import report_experiment

    spec = read_spec(config_of(folder))
    overrides = OmegaConf.load(folder / ".hydra" / "overrides.yaml")
    _show(report_experiment(spec, folder, [str(override) for override in overrides]), stream)


def _comparison(folders: Sequence[Path], store: Path | None) -> str:
    """The page that compares what lies in ``folders``."""
    from lotto.report.compare import compare
    from lotto.report.compared import read_compared, read_tickets

    return compare(read_compared(folders, store or Path(composed([]).store)), read_tickets(folders))


def _page_folder(folders: Sequence[Path]) -> Path:
    """A single sweep's page lies beside its table."""
    from lotto.report.compare import page_folder

    return folders[0] if len(folders) == 1 and (folders[0] / "results.csv").is_file() else page_folder(folders)


def _write_comparison(text: str, folder: Path, stream: IO[str]) -> Path:
    from lotto.report.aside import write_aside

    try:
        path = write_aside(folder / "report.html", text.encode())
    except OSError as reason:
        raise BadRequest(
            f"The comparison cannot be written to {folder} ({reason.strerror}): give hydra.run.dir=DIR."
        ) from None
    print(f"comparison {_from_here(path)}", file=stream, flush=True)
    return path


def mirror_again(logger: str, folders: Sequence[Path], overrides: Sequence[str], stream: IO[str]) -> int:
    """Mirror by ``logger`` what is stored of finished or killed runs; without folders, of every run under ``outputs/runs``.

    Args:
        overrides: settings of the logger, such as ``logger.wandb.mode=online``; the others are those that the run had.

    Returns:
        The exit status: 1 if something could not be mirrored.

    Raises:
        BadRequest: a folder is not a run's, or a setting is not the logger's.
    """
    from lotto.mirrors.again import mirror_run

    found = list(folders) or sorted(path.parent.parent for path in Path("outputs/runs").glob("**/.hydra/config.yaml"))
    if not found:
        raise BadRequest("There is no run under outputs/runs: give the folder of one.")
    return max(mirror_run(logger, folder, config_of(folder), overrides, stream) for folder in found)


def config_of(folder: Path) -> DictConfig:
    """The configuration that the run in ``folder`` was composed of.

    Raises:
        BadRequest: it is not a run's folder.
    """
    from omegaconf import OmegaConf

    path = folder / ".hydra" / "config.yaml"
    if not path.is_file():
        raise BadRequest(f"{folder} is not the folder of a run: it holds no .hydra/config.yaml.")
    return OmegaConf.load(path)  # type: ignore[return-value]


def _show(outcome: Outcome, stream: IO[str]) -> None:
    """The table, the finding, and where everything lies."""
    from lotto.report.approximation.table import approximates, print_errors
    from lotto.report.tables import print_table

    written = outcome.written
    assert written is not None
    if approximates(outcome.table):
        print_errors(outcome.table, stream)
    else:
        print_table(outcome.table, written.finding, stream)
    if written.first_times:
        written.first_times.print(stream)
    places = {
        "results": [written.csv],
        "report": [written.markdown, written.html],
        "figures": [path for path in written.figures if path.suffix == ".png"],
        "tables": sorted({path.parent for path in written.tables}),
        "ticket": outcome.tickets,
    }
    print(file=stream)
    for name, paths in places.items():
        for path in paths:
            print(f"{name:<8} {_from_here(path)}", file=stream)
    print(f"{outcome.steps:,} training steps run in {outcome.seconds:.0f} s", file=stream, flush=True)


def _from_here(path: Path) -> Path:
    """The path as one would type it here."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else path


def _stdout() -> IO[str]:
    import sys

    return sys.stdout
