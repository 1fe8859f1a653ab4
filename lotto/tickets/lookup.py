"""From what a user names, a key or a run's row, to an artifact. Imports no torch."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from lotto.errors import BadRequest

_PREFIX = re.compile(r"[0-9a-f]{6,}")
_TEXT = ("experiment", "method", "criterion", "branch")
_NUMBERS = ("replicate", "level", "sample")


def find_key(store: Path, written: str) -> str:
    """The key of the one artifact in the store's folder whose key begins with ``written``.

    Raises:
        BadRequest: it is no key or prefix of six digits or more, or there is not exactly one such artifact.
    """
    prefix = written.lower()
    if not _PREFIX.fullmatch(prefix):
        raise BadRequest(f"{written} is neither a run's folder nor a key of six hexadecimal digits or more.")
    found = sorted(
        folder.name for folder in (store / prefix[:2]).glob(f"{prefix}*") if (folder / "stage.json").exists()
    )
    if len(found) != 1:
        many = f"{len(found)} artifacts: give more digits" if found else "no artifact: give another key, or its --store"
        raise BadRequest(f"The key {written} matches in {store} {many}.")
    return found[0]


def find_row(run: Path, branch: str, replicate: int, sample: int, level: int | None) -> dict[str, str]:
    """The one row of a run's ``results.csv`` for that ticket; the highest level unless one is given.

    Raises:
        BadRequest: there is no table, or not exactly one such row in it.
    """
    try:
        with (run / "results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as reason:
        raise BadRequest(
            f"The folder {run} has no results.csv to read ({reason.strerror}): name a run's folder."
        ) from None
    if rows and not {"branch", "replicate", "level", "key"} <= rows[0].keys():
        raise BadRequest(f"The table {run / 'results.csv'} is not a run's: it lacks branch, replicate, level or key.")
    wanted = (branch, str(replicate), str(sample))
    found = [row for row in rows if (row["branch"], row["replicate"], row.get("sample") or "0") == wanted]
    chosen = max((int(row["level"]) for row in found), default=0) if level is None else level
    found = [row for row in found if int(row["level"]) == chosen]
    if len(found) != 1:
        asked = f"--branch {branch} --replicate {replicate} --sample {sample} --level {chosen}"
        raise BadRequest(
            f"{run / 'results.csv'} has {len(found)} rows for {asked}: choose one of its rows, or give its key."
        )
    return found[0]


def method_of(row: dict[str, str]) -> dict[str, Any]:
    """How the ticket of a row was found, as a ticket's metadata say it."""
    return {name: row[name] for name in _TEXT if name in row} | {
        name: int(row[name]) for name in _NUMBERS if row.get(name)
    }
