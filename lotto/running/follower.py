"""What the other processes of a run do (``hardware.devices``): they train what the first one says, and leave all else to it."""

from __future__ import annotations

import signal
import time

from lotto.errors import BadRequest, RankLost, StageFailed
from lotto.plan import Plan
from lotto.running.orders import Order
from lotto.running.progress import QuietProgress
from lotto.running.runner import POLL_SECONDS, Runner
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.store import Store
from lotto.training.ranks import Ranks, joined
from lotto.training.train import prepare_device, train_stack

# The first process decides what comes of these.
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
# For so long a file that another machine published may be unseen here.
UNSEEN_SECONDS = 120.0


def follow(spec: Spec) -> None:
    """Take part in the run of the first process until it ends."""
    plan, store = Plan.of(spec), Store(spec.store)
    with joined(spec.hardware) as ranks:
        Follower(plan, plan.stages, store, spec.hardware, spec.engine, QuietProgress()).follow(ranks)


class Follower(Runner):
    """Trains without publishing."""

    def follow(self, ranks: Ranks) -> None:
        for number in _IGNORED:
            signal.signal(number, lambda number, frame: None)
        prepare_device(self.hardware)
        try:
            self.load_data()
        except BadRequest as reason:
            raise StageFailed(f"Rank {ranks.share.rank} cannot read what the first one reads: {reason}") from None
        ranks.gather()
        while (order := ranks.hear()) is not None:
            self._assist(order, ranks)

    def _assist(self, order: Order, ranks: Ranks) -> None:
        stack = order.stack(self.plan)
        for stage in stack.stages:
            self._wait_for(stage)
        ranks.gather()
        try:
            train_stack(
                stack,
                self.store,
                self._data_of(stack.stages[0]),
                self.hardware,
                "alone",
                None,
                lambda steps, accuracy: None,
                set(),
                ranks,
            )
        except RankLost:
            raise
        except Exception:
            pass  # the same happened in all, and the first one reports it

    def _wait_for(self, stage: Stage) -> None:
        patient = time.monotonic() + UNSEEN_SECONDS
        while not all(self.store.has(need.key) for need in self.plan.needs(stage)) and time.monotonic() < patient:
            time.sleep(POLL_SECONDS)
