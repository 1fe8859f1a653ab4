"""A stack in the words that processes with the same plan understand: its keys."""

from __future__ import annotations

from typing import NamedTuple

from lotto.plan import Plan
from lotto.training.train import Stack


class Order(NamedTuple):
    """The stack to train next."""

    stages: list[str]
    prefixes: list[str | None]
    sparse: list[str]

    def stack(self, plan: Plan) -> Stack:
        return Stack(
            tuple(plan.stages[key] for key in self.stages),
            tuple(plan.stages[key] if key else None for key in self.prefixes),
            tuple(self.sparse),
        )


def order(stack: Stack) -> Order:
    return Order(
        [stage.key for stage in stack.stages],
        [prefix.key if prefix else None for prefix in stack.prefixes],
        list(stack.sparse),
    )
