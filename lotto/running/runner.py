"""Runs the stages of a plan that are not stored yet, in waves: everything cheap that is ready, then a stack of trainings."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lotto.data.base import ResidentData
from lotto.data.build import build as build_data
from lotto.data.interface import Data
from lotto.errors import BadRequest, LottoError, RankLost, StoreUnwritable
from lotto.locks import Locks
from lotto.plan import Plan
from lotto.probes.run import run_probe
from lotto.pruning.criterion import criterion_name
from lotto.pruning.prune import emptied_sentence
from lotto.request.hardware import HardwareSpec
from lotto.running.companies import Companies
from lotto.running.engines import Engines
from lotto.running.orders import order
from lotto.running.stacking import stacks
from lotto.running.store_cache import StoreCache
from lotto.stage import Stage, canonical
from lotto.stages import run_stage
from lotto.store import Store
from lotto.training.ranks import Ranks
from lotto.training.train import Stack, device_kind, placed, prepare_device, train_stack
from lotto.versions import versions

if TYPE_CHECKING:
    from lotto.running.progress import Progress

POLL_SECONDS = 0.5


class Runner:
    """One process's work on a plan.

    Args:
        missing: the stages of ``plan`` to run.
    """

    def __init__(
        self,
        plan: Plan,
        missing: Mapping[str, Stage],
        store: Store,
        hardware: HardwareSpec,
        engine: str,
        progress: Progress,
    ) -> None:
        self.plan, self.store, self.hardware, self.progress = plan, store, hardware, progress
        self.missing = dict(missing)
        self.failed: dict[str, str] = {}
        self.steps = 0  # trained by this process
        # Told the keys of every fit, once they are stored.
        self.published: Callable[[set[str]], None] = lambda keys: None
        self._data: dict[str, Data] = {}
        self.ranks: Ranks | None = None  # the processes that train with this one, which do what it tells them
        # A batch that several processes share is that of one replicate.
        alone = hardware.devices != 1
        self._engines = Engines("alone" if alone else engine, device_kind(hardware), store, progress.note)
        self._recorded = {} if alone else self._recorded_stacks()
        self._labels = {entry.trained.key: entry for entry in plan.entries}
        self._may_be_last = {entry.limit.ticket.key for entry in plan.entries if entry.limit is not None}
        self._companies = Companies(plan)
        self._locks = Locks(store.root)
        self._done = 0  # steps of the fit that runs now

    def run(self) -> dict[str, str]:
        """Run everything that can be run.

        Returns:
            For every stage that failed, the sentence that says why; stages that need one are not run.

        Raises:
            BadRequest: something about the request shows only now, before anything was trained in vain.
        """
        prepare_device(self.hardware)
        for stage in self.missing.values():
            if stage.kind == "train":
                self._engines.engine(stage)  # may refuse the one asked for
        stored = [stage for key, stage in self.plan.stages.items() if key not in self.missing and self.store.has(key)]
        cached, owed = self.plan.steps(stored), self.plan.steps(self.missing.values())
        self.progress.start(cached + owed, cached)
        if probes := sum(stage.kind == "probe" for stage in self.missing.values()):
            self.progress.note(f"{probes:,} probe{'s' if probes > 1 else ''} to read beside the training")
        try:
            with self._locks.beating():
                while ready := self._ready():
                    trainings = [stage for stage in ready if stage.kind == "train"]
                    cheap = [stage for stage in ready if stage.kind != "train" and not _takes_long(stage)]
                    for stage in cheap:
                        if stage.key in self.missing:  # and not left out since
                            self._run_cheap(stage)
                    slow = [stage for stage in ready if _takes_long(stage) and stage.key in self.missing]
                    others = [self._run_locked(stage) for stage in slow]
                    if not cheap and not any(others):
                        self._train_some(trainings)
        finally:
            self.progress.finish()
        return self.failed

    def _ready(self) -> list[Stage]:
        return [
            stage
            for stage in self.missing.values()
            if not any(need.key in self.missing or need.key in self.failed for need in self.plan.needs(stage))
        ]

    def _run_cheap(self, stage: Stage) -> None:
        try:
            self._compute(stage)
        except (BadRequest, StoreUnwritable):
            raise
        except Exception as reason:
            self._fail([stage], reason)
        else:
            self._leave_out_what_is_past(stage)

    def _leave_out_what_is_past(self, stage: Stage) -> None:
        """A ticket may be the last that its search comes to: the levels behind it are not trained."""
        if stage.key in self._may_be_last:
            wanted = self.plan.missing(self.store.has, self.store.record)
            self.missing = {key: stage for key, stage in self.missing.items() if key in wanted}

    def _compute(self, stage: Stage) -> None:
        if not self.store.verify(stage.key):  # another process may have made it
            data = self._data_of(stage) if "data" in stage.fields else None
            rows: list[dict[str, Any]] = []
            tensors: dict[str, torch.Tensor] = {}
            result: dict[str, Any] = {}
            if stage.kind == "probe":
                rows = run_probe(stage, self.store, data, self._device)
            else:
                tensors, result = run_stage(stage, self.store, data, self._device)
            record = {**stage.description, "result": result, "versions": versions()}
            self.store.publish(stage.key, record, tensors, rows)
            if empty := result.get("emptied"):
                criterion = stage.fields.get("criterion")
                name = criterion_name(criterion["_target_"]) if criterion else stage.kind
                self.progress.note(f"Warning: {emptied_sentence(empty, name)} ({stage.key[:8]})")
            if warning := result.get("warning"):
                self.progress.note(f"Warning: {warning} ({stage.key[:8]})")
        del self.missing[stage.key]

    def _run_locked(self, stage: Stage) -> bool:
        """Run a stage that takes long, unless another process is at it; returns whether it is done with."""
        taken = self._locks.take({stage.key})
        if not taken:
            return False
        try:
            self._compute(stage)
        except (BadRequest, StoreUnwritable):
            raise
        except Exception as reason:
            self._fail([stage], reason)
        finally:
            self._locks.release(taken)
        return True

    def _train_some(self, ready: list[Stage]) -> None:
        """Train the first stack that no other process is at; wait a moment if there is none."""
        locks = self._locks
        whole = self._companies.complete(ready, self.missing, self.failed)
        for stack in stacks(whole, self.plan, self._engines.rule, self._recorded):
            wanted = {stage.key for stage in stack.stages if stage.key in self.missing}
            # The first lock decides whose the stack is: two processes at it at once would each get a part, and other bits.
            taken = locks.take({min(wanted)})
            if not taken:
                continue
            taken |= locks.take(wanted - taken)
            try:
                # Another process may have finished some of them before its lock was free.
                published = {key for key in taken if self.store.verify(key)}
                for key in published:
                    del self.missing[key]
                if taken - published:
                    self._train(self._part(stack, wanted, taken - published), taken - published)
                return
            finally:
                locks.release(taken)
        time.sleep(POLL_SECONDS)
        for stage in self._ready():
            if self.store.has(stage.key):
                del self.missing[stage.key]

    def _part(self, stack: Stack, wanted: set[str], mine: set[str]) -> Stack:
        """The whole stack if all that it still owes is this process's to train, else the part that is."""
        if wanted == mine:
            return stack
        kept = [index for index, stage in enumerate(stack.stages) if stage.key in mine]
        return replace(
            stack, stages=tuple(stack.stages[i] for i in kept), prefixes=tuple(stack.prefixes[i] for i in kept)
        )

    def _train(self, stack: Stack, wanted: set[str]) -> None:
        stack = placed(stack, self.store)
        entries = [self._labels[stage.key] for stage in stack.stages if stage.key in self._labels]
        level = min((entry.level for entry in entries), default=0)
        branch = ", ".join(dict.fromkeys(entry.branch for entry in entries)) or _purpose(stack)
        steps = stack.recipe["stop"] - stack.first
        self.progress.stage(level=level, branch=branch, replicates=len(stack.stages), steps=steps)
        self._done = 0
        self._locks.note(
            doing={"level": level, "branch": branch, "replicates": len(stack.stages)},
            steps=steps * len(stack.stages),
            done=0,
            began=time.monotonic(),
        )
        if self.ranks is not None:
            self.ranks.tell(order(stack))
            self.ranks.gather()
        try:
            sentences, steps = train_stack(
                stack,
                self.store,
                self._data_of(stack.stages[0]),
                self.hardware,
                self._engines.asked,
                self._engines.engine(stack.stages[0]).recordings,
                self._advance,
                wanted,
                self.ranks,
            )
        except (BadRequest, BrokenPipeError, StoreUnwritable):
            raise
        except Exception as reason:
            self._fail([stage for stage in stack.stages if stage.key in wanted], reason)
            if isinstance(reason, RankLost):
                raise
            return
        self.steps += steps
        for stage in stack.stages:
            self.missing.pop(stage.key, None)
            if stage.key in wanted and self.store.has(stage.key):
                self._failure(stage).unlink(missing_ok=True)
            elif stage.key in wanted:
                sentence = next((s for s in sentences if stage.key[:8] in s), "It was not published.")
                self._note_failure(stage, sentence, "")
        self.published(wanted - self.failed.keys())

    def _advance(self, steps: int, accuracy: float | None) -> None:
        self._done += steps
        self._locks.note(done=self._done)
        self.progress.advance(steps, accuracy)

    def _fail(self, stages: list[Stage], reason: Exception) -> None:
        sentence = (
            str(reason) if isinstance(reason, LottoError) else f"{type(reason).__name__}: {str(reason) or 'no message'}"
        )
        for stage in stages:
            self.missing.pop(stage.key, None)
            if not self.store.has(stage.key):  # of a stack some may have been published before it failed
                self._note_failure(stage, sentence.splitlines()[0], traceback.format_exc())

    def _note_failure(self, stage: Stage, sentence: str, trace: str) -> None:
        path = self._failure(stage)
        self.failed[stage.key] = f"{sentence} ({path})"
        self.progress.note(f"{stage.kind} {stage.key[:8]} failed: {sentence}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"stage": stage.description, "reason": sentence, "traceback": trace}, indent=1))
        except OSError:
            self.failed[stage.key] = sentence  # the disk that failed the stage may fail its note too

    def _failure(self, stage: Stage) -> Path:
        """Where the sentence, the traceback and the configuration of a failed stage are kept, until it succeeds."""
        return self.store.root / "failed" / f"{stage.key}.json"

    @property
    def _device(self) -> torch.device:
        return torch.device(device_kind(self.hardware))

    def _data_of(self, stage: Stage) -> Data:
        identity = canonical(stage.fields["data"])
        if identity not in self._data:
            data = build_data(self.plan.data[identity])
            if isinstance(data, ResidentData):
                data.cache = StoreCache(self.store)
            data.load()
            self._data[identity] = data
        return self._data[identity]

    def load_data(self) -> None:
        """Read every data set that the missing stages need, so that what is wrong with one shows before anything is trained."""
        for stage in self.missing.values():
            if "data" in stage.fields:
                self._data_of(stage)

    def _recorded_stacks(self) -> dict[str, tuple[str, ...]]:
        recorded: dict[str, tuple[str, ...]] = {}
        for key, stage in self.plan.stages.items():
            if stage.kind == "train" and key not in self.missing and self.store.has(key):
                company = tuple(self.store.record(key).get("stack", ()))
                recorded.update(dict.fromkeys(company, company))
        return recorded


def _takes_long(stage: Stage) -> bool:
    """Whether two processes had better not do it both: what is read off networks, and what scores images or in rounds."""
    return stage.kind == "probe" or (
        stage.kind == "prune" and ("data" in stage.fields or stage.fields.get("rounds", 1) > 1)
    )


def _purpose(stack: Stack) -> str:
    """What is trained that is no row of the results."""
    if any(stage.fields["noise"] for stage in stack.stages):
        return "copies with other noise"
    return "rewinding point" if stack.recipe["resumable"] else "copies of the search"
