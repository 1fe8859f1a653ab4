"""What a logger is to lotto."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from lotto.errors import BadRequest
from lotto.mirrors.line import Line, Row


@dataclass(frozen=True)
class Files:
    """What a report left that a mirror may be asked to show: figures and exported tickets. A run that was ended left none."""

    figures: tuple[Path, ...] = ()
    tickets: tuple[Path, ...] = ()


class Mirror(Protocol):
    """Copies ticket lines out of the store. It may fail at any moment: the run goes on, and ``lotto report`` mirrors anew.

    Lines are independent of each other and may be open at once; a line's rows come in its order.
    """

    def check(self) -> None:
        """Raises BadRequest, before anything is trained, if what it needs is not there."""

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        """Whether an earlier mirror of the line, with these rows and no others, is whole."""

    def begin(self, line: Line) -> None:
        """The line's first row will come. What an earlier mirror holds of the line is replaced."""

    def row(self, line: Line, row: Row) -> None:
        """A ticket of the line is in the store."""

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        """No more of the line will come: all its rows did (0), or not."""

    def close(self, exit_code: int) -> str:
        """No more lines will come. Returns where to find them, in a few words."""


def need(package: str, logger: str, extra: str) -> None:
    """Raises BadRequest if an optional package is not installed."""
    if find_spec(package) is None:
        raise BadRequest(
            f"logger={logger} needs the package {package}, which is not installed: "
            f"uv sync --extra {extra}, or pip install 'lotto[{extra}]'."
        )
