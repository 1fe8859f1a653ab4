"""How long a sweep will take, by the number of devices that share it."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

from lotto.errors import LottoError
from lotto.estimate import duration
from lotto.plan import Plan
from lotto.stage import Stage, canonical
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep

DEVICES = (1, 2, 4, 8)


def hours_line(planned: PlannedSweep, store: Store) -> str | None:
    """The estimate in words, or why there is none; None if there is nothing to train."""
    missing = planned.plan.missing(store.has, store.record)
    if not planned.plan.steps(missing.values()):
        return None
    try:
        return _sentence(planned, missing.keys(), store)
    except LottoError as reason:
        return f"no estimate: {reason}"
    except Exception as reason:
        # Whatever a network of the user's does when it is tried out: the plan is still good.
        return f"no estimate: {type(reason).__name__}: {next(iter(str(reason).splitlines()), 'no message')}"


def _sentence(planned: PlannedSweep, missing: Collection[str], store: Store) -> str:
    from lotto.ahead import Foreseen, device_words

    fits: list[tuple[Sequence[Stage], float]] = []
    others = 0.0
    by_data: dict[str, list[Plan]] = {}
    for point in planned.points:
        by_data.setdefault(canonical(point.spec.data.identity), []).append(point.plan)
    # What a step costs is measured for one set of images at a time; points that share none share no training either.
    for identity, plans in by_data.items():
        spec = next(point.spec for point in planned.points if canonical(point.spec.data.identity) == identity)
        plan = Plan.union(plans)
        own = {key: stage for key, stage in plan.stages.items() if key in missing}
        foreseen = Foreseen.of(spec, plan, own, store)
        fits += [(fit.stack.stages, span.seconds) for fit, span in foreseen.with_spans()]
        others += foreseen.others
    times = {count: makespan(planned.plan, fits, count) + others / count for count in DEVICES}
    words = ", ".join(f"{duration(seconds)} on {count}" for count, seconds in times.items())
    return f"about {words} devices, each as fast as {device_words(planned.spec.hardware)} here"


def makespan(plan: Plan, fits: Sequence[tuple[Sequence[Stage], float]], devices: int) -> float:
    """Seconds until all fits are done, when every device that is free takes the first fit that can begin.

    Args:
        fits: the stages that each trains and its seconds, in the order of one device.
    """
    owner = {stage.key: place for place, (stages, _) in enumerate(fits) for stage in stages}
    needs = [_fits_before(plan, stages, owner) for stages, _ in fits]
    waiting = list(range(len(fits)))
    running: list[tuple[float, int]] = []
    done: set[int] = set()
    now = 0.0
    while waiting or running:
        for place in [place for place in waiting if needs[place] <= done][: devices - len(running)]:
            waiting.remove(place)
            heapq.heappush(running, (now + fits[place][1], place))
        now, place = heapq.heappop(running)
        done.add(place)
    return now


def _fits_before(plan: Plan, stages: Sequence[Stage], owner: dict[str, int]) -> set[int]:
    """The fits that must be done before one with ``stages`` can begin."""
    own = {stage.key for stage in stages}
    found: set[int] = set()
    pending = [need for stage in stages for need in plan.needs(stage)]
    seen: set[str] = set()
    while pending:
        stage = pending.pop()
        if stage.key in seen:
            continue
        seen.add(stage.key)
        if stage.key in owner and stage.key not in own:
            found.add(owner[stage.key])
        else:
            pending.extend(plan.needs(stage))
    return found
