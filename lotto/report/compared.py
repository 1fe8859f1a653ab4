"""What is compared with each other: runs, the points of sweeps, and ticket files, as a user names them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lotto.errors import BadRequest
from lotto.report.columns import COLUMNS, read_csv
from lotto.store import Store

if TYPE_CHECKING:
    from lotto.tickets.ticket import Ticket

AXIS = "axis:"
"""What the columns of a sweep's table begin with that hold a point's place on an axis."""

# Where a run happens, and what it is called, is no difference between two results.
_NO_SETTINGS = ("hydra", "store", "hardware", "logger", "name", "waypoints", "worker")

# What a reader calls a run by, if it tells runs apart; otherwise the settings that differ, if they are as few as this.
_FIRST = ("experiment", "method.name", "prune.name", "method", "prune")
_NAMED = 2


@dataclass(frozen=True)
class Compared:
    """A run, or a point of a sweep.

    Args:
        label: tells it from the others.
        folder: where its table lies.
        table: its rows.
        store: where their keys lead.
        settings: what it was asked for, by name; of a sweep's point its place on each axis.
        command: makes it again.
        probes: its rows of ``probes.csv``; None where nothing was probed.
    """

    label: str
    folder: Path
    table: pd.DataFrame
    store: Store
    settings: Mapping[str, str]
    command: str
    probes: pd.DataFrame | None = None


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is that of a run: it says what it was composed of."""
    return (folder / ".hydra" / "config.yaml").is_file()


def read_compared(paths: Iterable[Path], store: Path) -> list[Compared]:
    """The runs and the points of sweeps in ``paths``, each with a label of its own; ticket files are passed over.

    Args:
        store: where the keys of sweeps lead, whose folders do not say it.

    Raises:
        BadRequest: a path is nothing that can be compared.
    """
    found: list[Compared] = []
    for path in paths:
        if is_run(path):
            found.append(_run(path))
        elif (path / "results.csv").is_file():
            found += _points(path, store)
        elif not ticket_files(path):
            raise BadRequest(
                f"{path} is neither the folder of a run or a sweep (with results.csv) nor a ticket file or a folder of such."
            )
    return _labelled(found)


def ticket_files(path: Path) -> list[Path]:
    """The ticket file that ``path`` is, or those that it holds."""
    if path.is_file():
        return [path] if path.suffix == ".safetensors" else []
    return sorted(path.glob("*.safetensors"))


def read_tickets(paths: Iterable[Path]) -> list[tuple[str, Ticket]]:
    """The ticket files in ``paths`` that are no folders of runs or sweeps, each with a name of its own.

    Raises:
        BadRequest: one cannot be read.
    """
    from lotto.tickets import load_ticket

    files = [file for path in paths if not (path / "results.csv").is_file() for file in ticket_files(path)]
    names = [file.stem for file in files]
    return [
        (file.stem if names.count(file.stem) == 1 else str(file), load_ticket(file)) for file in dict.fromkeys(files)
    ]


def differing(runs: Sequence[Compared]) -> dict[str, list[str]]:
    """The settings in which runs differ, with the value of each run; empty where a run has no such setting."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    values = {name: [run.settings.get(name, "") for run in runs] for name in names}
    return {name: found for name, found in values.items() if len(set(found)) > 1}


def _run(folder: Path) -> Compared:
    from omegaconf import OmegaConf

    from lotto.api import config_of

    path = folder / "results.csv"
    if not path.is_file():
        raise BadRequest(f"{folder} holds no results.csv: its run ended before its first result.")
    config = OmegaConf.to_container(config_of(folder), resolve=True)
    assert isinstance(config, dict)
    overrides = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "overrides.yaml"))
    assert isinstance(overrides, list)
    own = {str(name): value for name, value in config.items() if name not in _NO_SETTINGS}
    command = " ".join(["lotto", *map(str, overrides)])
    label = f"{config['name']}/{folder.name}"
    settings = {"experiment": str(config["name"]), **dict(_leaves(own))}
    return Compared(label, folder, _table(path), Store(config["store"]), settings, command, _probes(folder))


def _points(folder: Path, store: Path) -> list[Compared]:
    """A sweep has one point for every combination of values in its axes' columns; a table without axes is one point."""
    table = _table(folder / "results.csv")
    axes = [str(name) for name in table if str(name).startswith(AXIS)]
    command = f"lotto sweep {folder.parent.name}"
    if not axes:
        return [Compared(folder.name, folder, table, Store(store), {"folder": str(folder)}, command)]
    made = []
    probes = _probes(folder)
    sweep = f"{folder.parent.name}/{folder.name}"
    for values, rows in table.groupby(axes, sort=False, dropna=False):
        settings = {axis.removeprefix(AXIS): str(value) for axis, value in zip(axes, values, strict=True)}
        about = {"sweep": sweep, "experiment": str(rows["experiment"].iloc[0]), **settings}
        label = ", ".join(f"{axis}={value}" for axis, value in settings.items())
        own = None if probes is None else _at(probes, dict(zip(axes, map(str, values), strict=True)))
        made.append(Compared(label, folder, rows.reset_index(drop=True), Store(store), about, command, own))
    return made


def _table(path: Path) -> pd.DataFrame:
    table = read_csv(path)
    if lacking := [name for name in COLUMNS if name not in table]:
        raise BadRequest(f"{path} is no table of results: it lacks {', '.join(lacking)}.")
    if not len(table):
        raise BadRequest(f"{path} holds no row to compare.")
    return table


def _probes(folder: Path) -> pd.DataFrame | None:
    """``probes.csv`` of a folder: numbers as floats, and every word as text, whatever it looks like."""
    path = folder / "probes.csv"
    if not path.is_file():
        return None
    numbers = {"replicate": int, "level": int, "sample": int, "density": float}
    words = pd.read_csv(path, dtype=str, keep_default_na=False)
    floats = {name: words[name].map(lambda text: float(text or "nan")) for name in ("x", "value")}
    return words.astype(numbers).assign(**floats)


def _at(probes: pd.DataFrame, axes: Mapping[str, str]) -> pd.DataFrame:
    """The rows of one point."""
    return probes[(probes[list(axes)] == pd.Series(axes)).all(axis=1)]


def _labelled(runs: list[Compared]) -> list[Compared]:
    """Each called by the few settings in which it differs, or else by what it is; nothing is called like another."""
    named = {name: values for name, values in differing(runs).items() if not name.endswith("_target_")}
    first = [values for name, values in named.items() if name in _FIRST]
    labels = [", ".join(values[place] for values in first) for place in range(len(runs))]
    if len(set(labels)) < len(runs):
        labels = [run.label for run in runs]
        if 0 < len(named) <= _NAMED:
            labels = [
                ", ".join(f"{name.removesuffix('.name')}={values[place]}" for name, values in named.items())
                for place in range(len(runs))
            ]
    unique = [
        label if labels.count(label) == 1 else f"{label} ({run.folder}, {place + 1})"
        for place, (run, label) in enumerate(zip(runs, labels, strict=True))
    ]
    return [replace(run, label=label) for run, label in zip(runs, unique, strict=True)]


def _leaves(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """Every setting by its dotted name; a list is a value."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
