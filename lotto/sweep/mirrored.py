"""The loggers of a sweep: every point is mirrored as the experiment that it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lotto.mirrors.follow import Mirrors
from lotto.mirrors.mirror import Files
from lotto.mirrors.opening import open_mirrors
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep


class SweepMirrors:
    """The mirrors of all points.

    Attributes:
        figures: of the sweep's report, for those that are asked to show them.
    """

    def __init__(self, mirrors: Sequence[Mirrors]) -> None:
        self._mirrors = mirrors
        self.figures: tuple[Path, ...] = ()

    def published(self, keys: Collection[str]) -> None:
        """Mirror what these keys add."""
        for mirror in self._mirrors:
            mirror.published(keys)

    def finish(self) -> None:
        """Mirror what is left, and end every line."""
        for mirror in self._mirrors:
            mirror.finish(Files(self.figures))


@contextmanager
def mirrored(planned: PlannedSweep, store: Store, note: Callable[[str], None]) -> Iterator[SweepMirrors]:
    """Inside, the mirrors follow what is published; in the end, what is left is mirrored.

    Raises:
        BadRequest: a logger lacks what it needs.
    """
    mirrors = [
        open_mirrors(point.spec.loggers, point.spec, point.plan, store, planned.folder / "points" / point.name, note)
        for point in planned.points
    ]
    with ExitStack() as following:
        for mirror in mirrors:
            following.enter_context(mirror.following())
        together = SweepMirrors(mirrors)
        yield together
        together.finish()
