"""Following a run: what it publishes is mirrored line by line, and no failure of a mirror is one of the run's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from operator import methodcaller
from typing import Any

from lotto.errors import LottoError
from lotto.mirrors.line import Line, Row, lines_of
from lotto.mirrors.mirror import Files, Mirror
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.store import Store


class Mirrors:
    """The mirrors of one experiment.

    Args:
        mirrors: by their names in ``logger=``; one that fails is let go of, with a sentence to ``note``.
    """

    def __init__(
        self, mirrors: Mapping[str, Mirror], spec: Spec, plan: Plan, store: Store, note: Callable[[str], None]
    ) -> None:
        self._live = dict(mirrors)
        self.failed: list[str] = []
        self._spec, self._store, self._note = spec, store, note
        self._lines = lines_of(spec, plan) if mirrors else []
        self._done: dict[str, int] = {line.name: 0 for line in self._lines}
        self._open: dict[str, list[str]] = {}

    def published(self, keys: Collection[str]) -> None:
        """Mirror what these keys, and others stored meanwhile, add to their lines."""
        for line in self._lines:
            if any(entry.trained.key in keys for entry in line.entries):
                for row in self._next_rows(line):
                    self._add(line, [row])

    def finish(self, files: Files, exit_code: int = 0) -> None:
        """Mirror what is left, whoever stored it and when, and end every line."""
        for line in self._lines:
            self._catch_up(line)
            whole = self._done[line.name] == len(line.entries)
            self._end(line, exit_code or int(not whole), files)
        status = exit_code or int(any(self._done[line.name] < len(line.entries) for line in self._lines))
        for name in list(self._live):
            if where := self._tell(name, lambda mirror: mirror.close(status)):
                self._note(f"logger={name}: {where}")
        self._live = {}

    @contextmanager
    def following(self) -> Iterator[None]:
        """If the run is interrupted or fails, its lines end as they are, with its exit status."""
        try:
            yield
        except BaseException as reason:
            status = _exit_status(reason)
            for line in self._lines:
                self._end(line, status, Files())
            for name in list(self._live):
                self._tell(name, lambda mirror: mirror.close(status))
            self._live = {}
            raise

    def _next_rows(self, line: Line) -> Iterator[Row]:
        """The rows that follow on those mirrored, up to the first that is not stored."""
        for entry in line.entries[self._done[line.name] :]:
            if not self._store.has(entry.trained.key):
                return
            yield from line.rows(self._store, self._spec, [entry])

    def _catch_up(self, line: Line) -> None:
        """All rows that are stored; one that is not, because its training failed, keeps back none of those behind it."""
        stored = [entry for entry in line.entries[self._done[line.name] :] if self._store.has(entry.trained.key)]
        self._add(line, list(line.rows(self._store, self._spec, stored)), look=True)

    def _add(self, line: Line, rows: Sequence[Row], look: bool = False) -> None:
        if rows and line.name not in self._open:
            held = [
                name for name in list(self._live) if look and self._tell(name, lambda mirror: mirror.holds(line, rows))
            ]
            self._open[line.name] = [name for name in self._live if name not in held]
            for name in self._open[line.name]:
                self._tell(name, lambda mirror: mirror.begin(line))
        for row in rows:
            for name in self._open[line.name]:
                self._tell(name, methodcaller("row", line, row))
        self._done[line.name] += len(rows)

    def _end(self, line: Line, exit_code: int, files: Files) -> None:
        for name in self._open.pop(line.name, ()):
            self._tell(name, lambda mirror: mirror.end(line, exit_code, files))

    def _tell(self, name: str, what: Callable[[Mirror], Any]) -> Any:
        """What the mirror answers; one that cannot is not asked again."""
        if name not in self._live:
            return None
        try:
            return what(self._live[name])
        except Exception as reason:
            self._let_go(name)
            self.failed.append(name)
            words = str(reason) if isinstance(reason, LottoError) else f"{type(reason).__name__}: {reason}"
            self._note(
                f"logger={name} failed and is left out from here on ({' '.join(words.split())}); "
                f"the results are in the store: lotto report {name} mirrors them later."
            )
            return None

    def _let_go(self, name: str) -> None:
        """End what the mirror has begun, as far as it can: an open run would stand in the way of the next mirror of its line."""
        mirror = self._live.pop(name)
        for line in self._lines:
            if name in self._open.get(line.name, ()):
                with suppress(Exception):
                    mirror.end(line, 1, Files())
        with suppress(Exception):
            mirror.close(1)


def _exit_status(reason: BaseException) -> int:
    if isinstance(reason, KeyboardInterrupt):
        return 130
    code = getattr(reason, "code", getattr(reason, "exit_status", 1))
    return code if isinstance(code, int) and code else 1
