"""How far a whole sweep is, read from the store, whoever trains it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

from lotto.locks import owners
from lotto.running.progress import Pace
from lotto.status import failures
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep

TELL_SECONDS = 10.0


@contextmanager
def told(planned: PlannedSweep, store: Store, say: Callable[[str], None]) -> Iterator[None]:
    """Say it every few seconds from a thread."""
    ended = threading.Event()
    far = HowFar(planned, store)

    def tell() -> None:
        while not ended.wait(TELL_SECONDS):
            say(far.sentence())

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


class HowFar:
    """Trainings done, running, failed and stored before, and the pace of all processes together."""

    def __init__(self, planned: PlannedSweep, store: Store) -> None:
        self._plan, self._store = planned.plan, store
        self._trainings = [key for key, stage in self._plan.stages.items() if stage.kind == "train"]
        self._probes = [key for key, stage in self._plan.stages.items() if stage.kind == "probe"]
        self._cached = self._stored(self._trainings)
        self._probed = self._stored(self._probes)
        self._pace = Pace(self._plan.steps(self._plan.missing(store.has, store.record).values()), time.monotonic)

    def sentence(self) -> str:
        at_work = [owner for owner in owners(self._store.root) if self._own(owner["holds"])]
        owed = self._plan.steps(self._plan.missing(self._store.has, self._store.record).values())
        done = self._pace.total - owed + sum(owner.get("done", 0) for owner in at_work)
        self._pace.advance(max(0, done - self._pace.done))
        processes = f" in {len(at_work)} processes" if len(at_work) > 1 else ""
        parts = []
        if owed_trainings := len(self._trainings) - self._cached:
            running = sum(key in self._trainings for owner in at_work for key in owner["holds"])
            trained = self._stored(self._trainings) - self._cached
            parts.append(f"{trained} of {owed_trainings} trainings done, {running} running{processes}")
        if owed_probes := len(self._probes) - self._probed:
            parts.append(f"{self._stored(self._probes) - self._probed} of {owed_probes} probes read")
        parts.append(f"{len(failed_stages(self._plan.stages, self._store))} failed")
        before = f"{self._cached} stored before"
        return f"sweep: {', '.join([*parts, before])}" + (f"; {self._pace}" if owed_trainings else "")

    def _own(self, keys: list[str]) -> int:
        return sum(key in self._plan.stages for key in keys)

    def _stored(self, keys: list[str]) -> int:
        return sum(map(self._store.has, keys))


def failed_stages(keys: Container[str], store: Store) -> tuple[str, ...]:
    """The sentences of the stages among ``keys`` that failed and have not succeeded since."""
    return tuple(f"{note['reason']} ({path})" for path, note in failures(store) if path.stem in keys)
