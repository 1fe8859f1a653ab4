"""Points of a training that other jobs of a multirun will go on from: whoever trains past one stores it, and nobody trains there twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from lotto.plan import Plan
from lotto.report.aside import write_aside
from lotto.spec import Spec
from lotto.stage import canonical

Waypoints = Mapping[str, Sequence[int]]  # steps, by the trajectory of a train stage


def keep_waypoints(specs: Sequence[Spec]) -> str | None:
    """Note in the store the resumable points of all jobs; returns the note's name, or None where one job has no use for another's."""
    found: dict[str, set[int]] = {}
    plans = [Plan.of(spec) for spec in specs]
    for plan in plans:
        for stage in plan.stages.values():
            if stage.kind == "train" and stage.fields["resumable"]:
                found.setdefault(stage.trajectory, set()).add(stage.fields["stop"])
    made = {trajectory: sorted(steps) for trajectory, steps in found.items()}
    stores = {spec.store for spec in specs}
    if len(stores) != 1 or all(plan.passing(made).stages.keys() == plan.stages.keys() for plan in plans):
        return None
    text = canonical(made)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        write_aside(_path(stores.pop(), name), text.encode())
    except OSError:
        return None  # the store will say so itself; every job then trains to its own points
    return name


def read_waypoints(store: str, name: object) -> Waypoints:
    """What was noted under that name; nothing if it is gone, which costs steps and changes no result."""
    with suppress(OSError, ValueError):
        found = json.loads(_path(store, str(name)).read_text())
        return {str(trajectory): [int(step) for step in steps] for trajectory, steps in found.items()}
    return {}


def _path(store: str, name: str) -> Path:
    return Path(store) / "waypoints" / f"{name}.json"
