"""Which train stages wait for one another, so that they are stacked alike however many processes share the work."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from graphlib import TopologicalSorter

from lotto.plan import Plan
from lotto.running.stacking import signature
from lotto.stage import Stage


class Companies:
    """The train stages of a plan that lie equally deep in it and are trained alike: what is stacked is stacked among them.

    A company is trained once all that is to come of it is ready. So its stacks follow from the plan and the store, and not from who was
    faster: one process, or several at one store, come to the same bits.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        needs = {key: [need.key for need in plan.needs(stage)] for key, stage in plan.stages.items()}
        self._depth: dict[str, int] = {}
        for key in TopologicalSorter(needs).static_order():
            above = max((self._depth[need] for need in needs[key]), default=0)
            self._depth[key] = above + (plan.stages[key].kind == "train")
        self._company = {
            key: f"{self._depth[key]} {signature(stage, plan.prefix(stage), ())}"
            for key, stage in plan.stages.items()
            if stage.kind == "train"
        }

    def complete(self, ready: Iterable[Stage], missing: Collection[str], failed: Collection[str]) -> list[Stage]:
        """Of the ``ready`` train stages those of whose company nobody is still to become ready, the least deep first.

        Args:
            missing: keys of the stages to run, the ready ones included.
            failed: keys of stages that failed; what needs one of them will not become ready.
        """
        ready = list(ready)
        present = {stage.key for stage in ready}
        lost = self._lost(missing, failed) if failed else set()
        waited_for = {
            self._company[key] for key in missing if key in self._company and key not in present and key not in lost
        }
        whole = [stage for stage in ready if self._company[stage.key] not in waited_for]
        return sorted(whole, key=lambda stage: self._depth[stage.key])

    def _lost(self, missing: Collection[str], failed: Collection[str]) -> set[str]:
        lost = set(failed)
        for key in self._depth:  # what a stage needs comes before it
            if key in missing and any(need.key in lost for need in self._plan.needs(self._plan.stages[key])):
                lost.add(key)
        return lost
