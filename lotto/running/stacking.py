"""Which ready Train stages are trained together. Follows from the plan and the store alone, so that a run started again stacks alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from lotto.plan import Plan
from lotto.stage import Stage, canonical
from lotto.training.train import Stack

# Members of a stack may differ in these: whose weights, and in whose order the data come.
_OWN = ("seed", "replicate", "noise")


def stacks(
    ready: Iterable[Stage],
    plan: Plan,
    rule: Callable[[Stage, int], tuple[int, tuple[str, ...]]],
    recorded: Mapping[str, Sequence[str]],
) -> list[Stack]:
    """Group ready stages, in the plan's order.

    Args:
        rule: how many the stack of a stage may hold, and which of its weights are kept as their values in a stack of so many.
        recorded: for keys that were trained in a stack before, that stack's keys: what was published from a stack in part, or was
            damaged since, is trained in the same company again and comes to the same bits.
    """
    made: list[Stack] = []
    groups: dict[str, list[tuple[Stage, Stage | None]]] = {}
    again: set[tuple[str, ...]] = set()
    for stage in ready:
        company = tuple(recorded.get(stage.key, ()))
        if len(company) > 1 and all(key in plan.stages for key in company):
            if company not in again:
                again.add(company)
                members = [plan.stages[key] for key in company]
                made.append(Stack(tuple(members), tuple(map(plan.prefix, members)), rule(stage, len(members))[1]))
            continue
        prefix = plan.prefix(stage)
        groups.setdefault(signature(stage, prefix, rule(stage, 2)[1]), []).append((stage, prefix))
    for group in groups.values():
        size, _ = rule(group[0][0], 2)
        for first in range(0, len(group), size):
            part = group[first : first + size]
            sparse = rule(part[0][0], len(part))[1]
            made.append(Stack(tuple(stage for stage, _ in part), tuple(prefix for _, prefix in part), sparse))
    return made


def signature(stage: Stage, prefix: Stage | None, sparse: tuple[str, ...]) -> str:
    """Train stages of one signature may be stacked."""
    fields = {name: value for name, value in stage.fields.items() if name not in _OWN}
    # One that starts with optimizer state counts its steps from there, which those beside it would have to do as well.
    state = stage.parents["start"].fields.get("optimizer_state", "fresh")
    return canonical([fields, state, prefix.fields["stop"] if prefix else None, sparse])
