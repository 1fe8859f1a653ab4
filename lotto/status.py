"""``lotto status``: what runs at a store, where, since when and how far; what is done of each run, and what failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from lotto.estimate import duration
from lotto.locks import EXPIRY_SECONDS, owners
from lotto.references import references
from lotto.store import Store


def print_status(store: Store, stream: IO[str]) -> None:
    """Everything that is known, in three tables; of each the heading alone where there is nothing."""
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 160)
    running = owners(store.root)
    console.print(f"{store.root}: {_count(running, 'process')} at work", markup=False)
    if running:
        table = _table("where", "process", "works on", "since", "done", "steps/s", "time left", "last heard of")
        for owner in running:
            table.add_row(*_row(owner))
        console.print(table)
    runs = references(store)
    if runs:
        table = _table("run", "tickets", "command")
        for run in runs:
            done = sum(map(store.has, run.tickets))
            table.add_row(_from_here(run.folder), f"{done} of {len(run.tickets)}", run.command)
        console.print(table)
    failed = list(failures(store))
    if failed:
        table = _table("failed", "why", "traceback and configuration in")
        for path, note in failed:
            table.add_row(f"{note['stage']['kind']} {path.stem[:8]}", note["reason"], _from_here(path))
        console.print(table)


def failures(store: Store) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The notes of stages that failed and have not succeeded since."""
    for path in sorted((store.root / "failed").glob("*.json")):
        with suppress(OSError, ValueError, KeyError):
            note = json.loads(path.read_text())
            if not store.has(path.stem):
                yield path, {"stage": note["stage"], "reason": note["reason"]}


def _row(owner: Mapping[str, Any]) -> tuple[str, ...]:
    where = (str(owner.get("host")), str(owner["pid"]))
    heard = f"{owner['age']:.0f} s ago"
    if owner["age"] > EXPIRY_SECONDS:
        heard += ", or its clock differs"
    doing = owner.get("doing")
    if not doing:
        return (*where, "waits or prepares", "", "", "", "", heard)
    many = f"{doing['replicates']} replicate{'s' if doing['replicates'] > 1 else ''}"
    # Both by the owner's own clock.
    seconds = owner["clock"] - owner["began"]
    speed = owner["done"] / seconds if seconds > 0 else 0.0
    left = duration((owner["steps"] - owner["done"]) / speed) if speed else ""
    done = f"{owner['done']:,} of {owner['steps']:,} steps"
    return (
        *where,
        f"level {doing['level']} {doing['branch']}, {many}",
        duration(seconds),
        done,
        f"{speed:,.0f}",
        left,
        heard,
    )


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _count(things: list[Any], name: str) -> str:
    return f"{len(things)} {name}{'es' if len(things) != 1 else ''}"


def _from_here(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
