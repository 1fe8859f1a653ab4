"""About how long a figure takes here, for a listing of all of them: each network is timed once, dense, for half a second."""

from __future__ import annotations

from collections.abc import Sequence

from lotto.ahead import device_words
from lotto.calibration import Calibration, Case
from lotto.plan import Plan
from lotto.running.engines import Engines
from lotto.spec import Spec
from lotto.stage import Stage, canonical
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep
from lotto.training.train import device_kind

SECONDS = 0.5


def about(planned: PlannedSweep, store: Store) -> float:
    """Seconds that all trainings of the points take on this device, as if all were dense and as many replicates wide as there are.

    Sparse and wider stacks are faster, so that this is rather too long; ``lotto reproduce NAME --plan`` looks closer. What is timed is
    kept in the store.

    Raises:
        LottoError: a network cannot be timed on made-up images.
    """
    total = 0.0
    by_data: dict[str, list[tuple[Spec, Plan]]] = {}
    for point in planned.points:
        by_data.setdefault(canonical(point.spec.data.identity), []).append((point.spec, point.plan))
    for points in by_data.values():
        spec, plan = points[0][0], Plan.union(plan for _, plan in points)
        calibration = Calibration(spec, store)
        engines = Engines(spec.engine, device_kind(spec.hardware), store, lambda reason: None)
        for stages in _alike(plan):
            total += _seconds(spec, plan, stages, calibration, engines)
    return total


def words(planned: PlannedSweep) -> str:
    """The device that it was timed on."""
    return device_words(planned.spec.hardware)


def _alike(plan: Plan) -> list[list[Stage]]:
    """Train stages whose steps take equally long, dense."""
    groups: dict[str, list[Stage]] = {}
    for stage in plan.stages.values():
        if stage.kind == "train":
            groups.setdefault(canonical(Case(stage.fields, 1, {}, ()).recipe), []).append(stage)
    return list(groups.values())


def _seconds(spec: Spec, plan: Plan, stages: Sequence[Stage], calibration: Calibration, engines: Engines) -> float:
    engine = engines.engine(stages[0])
    members = min(spec.replicates, engine.largest)
    steps = plan.steps(stages)
    cost = calibration.cost(Case(stages[0].fields, members, {}, ()), engine.recordings, steps // members, SECONDS)
    evaluations = steps / members / stages[0].fields["evaluate_every"]
    return steps / members * cost.step + evaluations * (spec.data.validation or spec.data.test) * cost.example
