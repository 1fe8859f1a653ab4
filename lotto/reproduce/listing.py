"""Every table and figure that lotto knows: what it shows, what is behind it, its scales, what they cost here, what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lotto.compose import CONF
from lotto.errors import LottoError
from lotto.estimate import Notes, duration
from lotto.reproduce.apart import Timer
from lotto.reproduce.figure import Figure, figures
from lotto.reproduce.request import Request
from lotto.store import Store
from lotto.sweep.definition import called
from lotto.versions import versions


@dataclass(frozen=True)
class Cost:
    """What a scale of a figure takes.

    Args:
        steps: training steps of all its stages.
        tickets: keys of what its tables are read from.
        seconds: about; None where that is not known, for the reason ``why``.
    """

    steps: int
    tickets: tuple[str, ...]
    seconds: float | None
    why: str = ""


def print_listing(request: Request, estimates: bool, config_dir: str | None, stream: IO[str]) -> None:
    """Print it figure by figure: composing and timing take a while the first time, and are kept in the store."""
    print(
        "Times are rough, as if every network were dense; lotto reproduce NAME --scale=… --plan looks closer.\n"
        "The first listing at a store composes every point of every figure, which takes minutes; then it is there at once.\n",
        file=stream,
    )
    timer = Timer() if estimates else None
    for name in figures():
        figure = Figure.read(name)
        print(f"{name}: {figure.title}", file=stream)
        print(f"  {figure.paper}", file=stream)
        print(f"  {behind(figure)}; {len(figure.claims)} claims", file=stream)
        for scale in figure.scales:
            print(f"  {scale:<6} {_line(figure, request, scale, timer, config_dir)}", file=stream, flush=True)
        print(file=stream)
    if timer:
        timer.close()


def behind(figure: Figure) -> str:
    """The experiment and the axes of the sweep."""
    own = [word.partition("=")[2] for word in figure.sweep.overrides if word.startswith("experiment=")]
    own += [called(value) for value in figure.sweep.axes.get("experiment", ())]
    axes = ", ".join(f"{axis}: {len(values)}" for axis, values in figure.sweep.axes.items())
    return f"experiment {', '.join(own) or 'digits'}; axes {axes}"


def _line(figure: Figure, request: Request, scale: str, timer: Timer | None, config_dir: str | None) -> str:
    try:
        cost, store = _cost(figure, Request(scale, request.overrides, request.flags), timer, config_dir)
    except LottoError as reason:
        return f"not planned: {reason}"
    stored = sum(map(store.has, cost.tickets))
    time = f", about {duration(cost.seconds)} here" if cost.seconds is not None else f", {cost.why}" if cost.why else ""
    return f"{cost.steps:>14,} steps{time}; {stored:,} of {len(cost.tickets):,} results stored"


def _cost(figure: Figure, request: Request, timer: Timer | None, config_dir: str | None) -> tuple[Cost, Store]:
    from lotto.compose import composed

    store = Store(str(composed([word for word in request.overrides if word.startswith("store=")], config_dir).store))
    name = {"figure": figure.name, "request": [request.scale, *request.overrides], "files": _digest(figure, config_dir)}
    notes = Notes(store)
    found = notes.find(name)
    if found and (found["cost"]["seconds"] is not None or found["cost"]["why"] or timer is None):
        return Cost(**{**found["cost"], "tickets": tuple(found["cost"]["tickets"])}), store
    planned = request.planned(figure, config_dir)
    seconds, why = (
        timer.about(str(figure.sweep.path), request.scale, request.overrides, config_dir) if timer else (None, "")
    )
    tickets = tuple(dict.fromkeys(stage.key for stage in planned.plan.ends))
    cost = Cost(planned.steps_together, tickets, seconds, why)
    notes.keep(name, {"cost": vars(cost)})
    return cost, store


def _digest(figure: Figure, config_dir: str | None) -> dict[str, Any]:
    """All files that decide a plan."""
    roots = [CONF, *([Path(config_dir)] if config_dir else [])]
    digest = hashlib.sha256()
    for path in _files([*roots, figure.sweep.path]):
        digest.update(path.read_bytes())
    return {"files": digest.hexdigest(), "versions": versions()}


def _files(roots: Sequence[Path]) -> Iterator[Path]:
    for root in roots:
        yield from sorted(root.rglob("*.yaml")) if root.is_dir() else [root]
