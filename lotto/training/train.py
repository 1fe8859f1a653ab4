"""Train stages, stacked or alone: read what they start from, fit, and publish one artifact each."""

from __future__ import annotations

import ctypes
import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lotto.data.interface import Data
from lotto.energy import measuring
from lotto.errors import TERMINATED, StageFailed
from lotto.models.anatomy import counts
from lotto.request.hardware import HardwareSpec
from lotto.stage import Stage, stack_name
from lotto.stages import mask_counts, mask_in, model_of, streams_of, under
from lotto.store import Store
from lotto.training.engine import check_split, is_slimmed, network_for
from lotto.training.fit import Fit, chunks
from lotto.training.member import Fitted, Member
from lotto.training.network import Tensors
from lotto.training.ranks import Ranks, Unwrapped
from lotto.training.recorded import Recordings
from lotto.training.signals import Requests
from lotto.training.slim import Slim, slim_network
from lotto.versions import versions
from lotto.zeroed import pinned, zeroed_in

_PRECISIONS: dict[str, Any] = {"32": "32-true", "tf32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}
# Parameters of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


@dataclass(frozen=True)
class Stack:
    """Train stages that share everything but their replicate and where they start from, and are trained in one fit.

    Args:
        stages: in a fixed order, which is part of what decides the bits.
        prefixes: for every stage the earlier point of its training to go on from, or None.
        sparse: the weights that are kept as their values.
        found: the step to begin at, where an earlier training found it (a parent ``found``).
    """

    stages: tuple[Stage, ...]
    prefixes: tuple[Stage | None, ...]
    sparse: tuple[str, ...] = ()
    found: int | None = None

    @property
    def name(self) -> str:
        """Names the stack's unfinished work; the same stages in the same order go on from it."""
        return stack_name([stage.key for stage in self.stages])

    @property
    def first(self) -> int:
        """The absolute step that this fit begins at."""
        prefix = self.prefixes[0]
        if prefix is None and self.found is not None:
            return self.found
        return int(prefix.fields["stop"] if prefix else self.stages[0].fields["start"])

    @property
    def recipe(self) -> Any:
        return self.stages[0].fields


def placed(stack: Stack, store: Store) -> Stack:
    """The stack with the step that its training goes on from, where an earlier training found it."""
    found = stack.stages[0].parents.get("found")
    return stack if found is None else replace(stack, found=store.record(found.key)["result"]["found_step"])


class StoredCheckpoints:
    """A stack's checkpoint in the store's scratch: at most one every ``seconds``, and one at once when the process is asked to leave.

    Of several ``ranks`` that train together the first one keeps it, and all go on from it.
    """

    def __init__(self, store: Store, name: str, seconds: float, requests: Requests, ranks: Ranks | None = None) -> None:
        self._store, self._name, self._seconds, self._requests, self._ranks = store, name, seconds, requests, ranks
        self._keeps = ranks is None or ranks.first
        self._last = time.monotonic()

    def load(self) -> tuple[Tensors, dict[str, Any]] | None:
        kept = self._store.load_scratch(self._name)
        if self._ranks is not None and not self._ranks.same(kept and kept[1]["step"]):
            raise StageFailed(
                f"The processes of hardware.devices={self._ranks.share.count} read different checkpoints in {self._store.root}: the store "
                "must lie where all of them see it alike."
            )
        return kept

    def asked(self) -> bool:
        return self._keeps and self._requests.waiting

    def due(self) -> bool:
        return self._keeps and (self.asked() or time.monotonic() - self._last >= self._seconds)

    def save(self, tensors: Tensors, state: dict[str, Any]) -> None:
        self._store.save_scratch(self._name, tensors, state)
        self._last = time.monotonic()
        self._requests.hand_on()


def train_stack(
    stack: Stack,
    store: Store,
    data: Data,
    hardware: HardwareSpec,
    asked: str,
    recordings: Recordings | None,
    advance: Callable[[int, float | None], None],
    wanted: set[str],
    ranks: Ranks | None = None,
) -> tuple[list[str], int]:
    """Train a stack and publish the artifacts among ``wanted``.

    Args:
        asked: the engine of ``engine=``.
        recordings: of the network's forward pass, if it may be recorded.
        ranks: the processes that train it together, if they are several; all are to call this with the same stack.

    Returns:
        One sentence for every member whose loss was not finite, which is not published; and the steps taken, by all members together.
    """
    stack = placed(stack, store)
    with _in_step(ranks):
        members = [_member(stage, prefix, store) for stage, prefix in zip(stack.stages, stack.prefixes, strict=True)]
        model = model_of(stack.recipe).train().requires_grad_(True)
        if ranks is not None:
            check_split(model, tuple(stack.recipe["input_shape"]), ranks)
        if stack.recipe["precision"] == "64":
            model = model.double()
        slim = _slim(model, members, stack, asked) if ranks is None else None
        network = (
            slim if isinstance(slim, Slim) else network_for(model, members, stack.sparse, asked, recordings, ranks)
        )
    requests = Requests()
    fit = Fit(
        network,
        members,
        stack.recipe,
        stack.first,
        data,
        StoredCheckpoints(store, stack.name, hardware.checkpoint_every, requests, ranks),
        advance,
        hardware.graph and ranks is None,
        ranks,
        model,
    )
    if hardware.compile:
        network.compile()
    # Where an earlier training found its very last step there is nothing left to train, and all to measure.
    steps = chunks(stack.first, stack.recipe["stop"], stack.recipe["evaluate_every"]) or [(stack.first, stack.first)]
    trainer = trainer_for(hardware, ranks)
    trainer.callbacks.append(requests)  # type: ignore[attr-defined]
    with requests.kept():
        with _let_go_of(trainer, fit), _in_step(ranks):
            measured = hardware.energy.measured and (ranks is None or ranks.first)
            with torch.random.fork_rng(), interruptible(), measuring(measured) as power:
                trainer.fit(fit, DataLoader(steps, batch_size=None))  # type: ignore[arg-type]
            outcome, trained, ran = fit.outcome, fit.trained, {"device": fit.trained_on, "times": fit.times}
        weights = sum(counts(model).values())
        record = {
            "engine": network.engine,
            "sparse": list(stack.sparse),
            **({"not_slimmed": slim} if isinstance(slim, str) else {}),
            "compiled": hardware.compile,
            "stack": [stage.key for stage in stack.stages],
            "ranks": 1 if ranks is None else ranks.share.count,
            **ran,
            **({} if power.watts is None else {"watts": power.watts}),
            "versions": versions(),
        }
        failures = []
        for stage, member, fitted in zip(stack.stages, members, outcome, strict=True):
            if not fitted.finite:
                failures.append(
                    f"The loss of {member.name} was not finite: lower train.lr={stage.fields['lr']:g}, or lengthen train.warmup."
                )
            elif stage.key in wanted:
                first = stack.found if stack.found is not None else stage.fields["start"]
                _publish(stage, member, fitted, first, weights, record, store)
        if ranks is None or ranks.first:
            store.discard(stack.name)
    return failures, trained


def _slim(model: nn.Module, members: list[Member], stack: Stack, asked: str) -> Slim | str | None:
    """The smaller network, if the rule says so, or in words why it cannot be."""
    if len(members) > 1 or not members[0].zeroed or not is_slimmed(1, stack.recipe, asked, 1):
        return None
    return slim_network(model, members[0], tuple(stack.recipe["input_shape"]))


def _in_step(ranks: Ranks | None) -> AbstractContextManager[None]:
    return nullcontext() if ranks is None else ranks.in_step()


@contextmanager
def _let_go_of(trainer: lightning.Trainer, fit: Fit) -> Iterator[None]:
    """Frees both in the end. Lightning's objects refer to each other: left to the collector, a fit's tensors outlive it by ten fits."""
    try:
        yield
    finally:
        trainer.strategy.optimizers = []
        vars(fit).clear()
        vars(trainer).clear()


@contextmanager
def interruptible() -> Iterator[None]:
    """Lightning answers an interrupt by ending the process without a word; here it stays the interrupt that it was.

    A request to terminate ends it as well, but not as if all were done: exit status 143, as of a process that the signal killed.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException:
        raise SystemExit(TERMINATED) from None
    except SystemExit as ended:
        if not isinstance(ended.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def _member(stage: Stage, prefix: Stage | None, store: Store) -> Member:
    origin = store.tensors(stage.parents["start"].key)
    mask, zeroed = mask_in(origin), zeroed_in(origin)
    name = f"replicate {stage.fields['replicate']}, {stage.key[:8]}"
    if prefix is None:
        return Member(
            name, streams_of(stage.fields), under(origin, "weights/"), mask, under(origin, "optimizer/"), zeroed=zeroed
        )
    point, result = store.tensors(prefix.key), store.record(prefix.key)["result"]
    carry = result["carry"]
    return Member(
        name,
        streams_of(stage.fields),
        under(point, "weights/"),
        mask,
        under(point, "optimizer/"),
        store.metrics(prefix.key)[: carry["evaluations"]],
        carry.get("best"),
        result["wall_seconds"],
        tuple(carry["pending"]),
        under(point, "regimen/"),
        zeroed,
    )


def _publish(
    stage: Stage, member: Member, fitted: Fitted, first: int, weights: int, record: dict[str, Any], store: Store
) -> None:
    """Store what a fit made of a member; ``first`` is the step at which its training, this fit or an earlier one, began."""
    tensors: dict[str, Tensor] = {f"weights/{name}": tensor for name, tensor in fitted.state.items()} | fitted.own
    own_mask = mask_in(tensors)
    mask = member.mask if own_mask is None else own_mask
    _check_pruned_are_zero(member.name, under(tensors, "weights/"), pinned(mask, member.zeroed))
    remaining, total = (weights, weights) if mask is None else (mask.remaining, mask.total)
    result = {
        **fitted.results,
        "weights_remaining": remaining,
        "weights_total": total,
        "train_steps": fitted.results.get("stopped_at", stage.fields["stop"]) - first,
    }
    if own_mask is not None:
        result |= mask_counts(own_mask)
        tensors |= {f"mask/{name}": kept.to(torch.uint8) for name, kept in own_mask.items()}
    if stage.fields["resumable"]:
        result["carry"] = fitted.carry
        tensors |= {f"optimizer/{name}": tensor for name, tensor in fitted.slots.items()}
        tensors |= {f"regimen/{name}": tensor for name, tensor in fitted.regimen.items()}
    store.publish(stage.key, {**stage.description, **record, "result": result}, tensors, fitted.metrics)


def _check_pruned_are_zero(name: str, state: Tensors, held: Mapping[str, Tensor]) -> None:
    """The invariant of every sparse training: what was pruned, or zeroed with it, is exactly zero at the end."""
    for tensor, zero in held.items():
        if bool((state[tensor].cpu()[zero.cpu()] != 0).any()):
            raise StageFailed(
                f"Pruned weights of {tensor} came back in {name}: train.optimizer moves weights that have no gradient, "
                "which keeps no ticket sparse."
            )


def trainer_for(hardware: HardwareSpec, ranks: Ranks | None = None) -> lightning.Trainer:
    # Lightning's hints are about loaders and checkpoints that lotto does itself.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    return lightning.Trainer(
        accelerator=hardware.accelerator,
        devices=1 if ranks is None else ranks.share.count,
        strategy="auto" if ranks is None else Unwrapped(),
        use_distributed_sampler=False,  # its batches are chunks of steps, which all ranks take
        precision=_PRECISIONS[hardware.precision],
        max_epochs=1,
        deterministic=hardware.deterministic,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _keep_freed_memory() -> None:
    """Have glibc keep what is freed: by default it maps every large tensor anew, and a convolution's step spends a third on page faults."""
    threshold, never = 1 << 30, (1 << 31) - 1
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, threshold)
        mallopt(_M_TRIM_THRESHOLD, never)


def device_kind(hardware: HardwareSpec) -> str:
    """``cpu`` or ``cuda``: what the engine's rule asks for."""
    return "cuda" if hardware.accelerator != "cpu" and torch.cuda.is_available() else "cpu"


def prepare_device(hardware: HardwareSpec) -> None:
    """Threads and the treatment of tiny numbers, for the whole process."""
    if hardware.threads:
        torch.set_num_threads(hardware.threads)
    if device_kind(hardware) == "cuda":
        torch.set_float32_matmul_precision("high" if hardware.precision == "tf32" else "highest")
        torch.backends.cudnn.allow_tf32 = hardware.precision == "tf32"
    _keep_freed_memory()
    # Adam's averages of vanishing gradients become denormal, which a CPU computes with many times slower.
    torch.set_flush_denormal(True)
