"""Several processes (ranks) that train one network together: each has its rows of every batch, and what they compute is added up.

Lightning starts the processes, or finds those that torchrun started, and gives each its device. The batch of a recipe is the whole one,
however many processes share it: they come to what one process comes to, up to rounding.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import lightning
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments import ClusterEnvironment, LightningEnvironment, TorchElasticEnvironment
from lightning.fabric.strategies import DDPStrategy as FabricStrategy
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from lotto.data.share import Share
from lotto.errors import BadRequest, RankLost
from lotto.locks import is_gone, signature
from lotto.request.hardware import HardwareSpec

# The others wait while the first prunes, publishes or waits for another run: only a process that is gone ends the waiting.
LONG = timedelta(days=7)
# All come to the end of a training within this time, unless one of them cannot.
MEETING = timedelta(seconds=60)


class Ranks:
    """This process among those that train together.

    Attributes:
        share: its part of every batch.
        length: examples in the batch that is computed now.
    """

    def __init__(self, share: Share) -> None:
        self.share = share
        self.length = 0
        # Words and meetings go beside the numbers: a process that missed an exchange of numbers must not take a word for one.
        self._words: Any = dist.new_group(backend="gloo", timeout=LONG)

    @property
    def first(self) -> bool:
        """Whether this is the process that plans, writes and reports."""
        return self.share.rank == 0

    @property
    def rows(self) -> slice:
        """This process's rows of the present batch."""
        return self.share.rows(self.length)

    def begin(self, length: int) -> slice:
        """A batch of so many examples is computed from here on; this process's rows of it."""
        self.length = length
        return self.rows

    def tell(self, message: Any) -> None:
        """The first process says what all do next."""
        with self._present():
            dist.broadcast_object_list([message], src=0, group=self._words)

    def hear(self) -> Any:
        """What the first process says."""
        heard: list[Any] = [None]
        with self._present():
            dist.broadcast_object_list(heard, src=0, group=self._words)
        return heard[0]

    def gather(self) -> None:
        """Wait until all have come so far, however long it takes."""
        self.same(None)

    def same(self, value: Any) -> bool:
        """Whether all have the same value."""
        values: list[Any] = [None] * self.share.count
        with self._present():
            dist.all_gather_object(values, value, group=self._words)
        return all(other == value for other in values)

    def add_up(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sums over all processes, of all tensors in one exchange."""
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        self.total_(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]

    def total_(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over all processes."""
        with self._present():
            dist.all_reduce(tensor)

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """All come to the end together, be it with the same error; where one alone fails, the others would wait for it in vain.

        Raises:
            RankLost: not all came.
        """
        failed: Exception | None = None
        try:
            yield
        except RankLost:
            raise
        except Exception as reason:
            failed = reason
        try:
            dist.monitored_barrier(self._words, MEETING)
        except RuntimeError:
            cause = f"{type(failed).__name__}: {failed}".splitlines()[0] if failed else "they did not come to the end"
            raise RankLost(
                f"Rank {self.share.rank} of the {self.share.count} processes of hardware.devices={self.share.count} failed alone or "
                f"lost the others ({cause}); what was finished is in the store, the same command goes on."
            ) from failed
        if failed is not None:
            raise failed

    @contextmanager
    def _present(self) -> Iterator[None]:
        """Where another process is gone, this one cannot go on: the first says so, the others leave without a word.

        Raises:
            RankLost: in the first process.
        """
        try:
            yield
        except RuntimeError as reason:
            if not self.first:
                raise SystemExit(1) from None
            raise RankLost(
                f"Another of the {self.share.count} processes of hardware.devices={self.share.count} has ended; what was finished is in "
                "the store, the same command goes on."
            ) from reason


class Exchange:
    """After the backward pass over every rank's rows: the gradients of the whole batch, its losses and its logits, in one exchange."""

    def __init__(self, ranks: Ranks, parameters: Sequence[nn.Parameter]) -> None:
        self._ranks, self._parameters = ranks, list(parameters)
        self._reached: list[bool] = []
        self._flags = torch.empty(0)

    @torch.no_grad()
    def __call__(self, losses: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """From losses ``[R, b]`` and logits ``[R, b, classes]`` of the own rows to those of the whole batch."""
        own = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        whole = [self._among_others(losses), self._among_others(logits)]
        *gradients, reached, losses, logits = self._ranks.add_up([*own, self._flagged(losses), *whole])
        for place, (parameter, gradient) in enumerate(zip(self._parameters, gradients, strict=True)):
            if parameter.grad is not None:
                parameter.grad.copy_(gradient)
            elif reached[place] > 0:
                parameter.grad = own[place].copy_(gradient)
        return losses, logits

    def _among_others(self, own: Tensor) -> Tensor:
        """Own rows at their place, and zero for those of the others."""
        whole = own.new_zeros(own.shape[0], self._ranks.length, *own.shape[2:])
        whole[:, self._ranks.rows] = own
        return whole

    def _flagged(self, like: Tensor) -> Tensor:
        """Which parameters have a gradient here: one that no rank's forward pass reached has none in one process either."""
        reached = [parameter.grad is not None for parameter in self._parameters]
        if reached != self._reached:
            self._reached, self._flags = reached, torch.tensor(reached, dtype=like.dtype, device=like.device)
        return self._flags


class Unwrapped(DDPStrategy):
    """Lightning's processes and devices without its wrapper, which takes a ``training_step`` for one pass forward and one back."""

    def __init__(self) -> None:
        super().__init__(cluster_environment=_environment())

    def configure_ddp(self) -> None:
        """``Exchange`` adds the gradients up."""


@contextmanager
def joined(hardware: HardwareSpec) -> Iterator[Ranks]:
    """With all processes of ``hardware.devices``, which Lightning starts unless torchrun has.

    Raises:
        BadRequest: Lightning cannot have them.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    try:
        fabric = lightning.Fabric(
            accelerator=hardware.accelerator,
            devices=hardware.devices or "auto",
            strategy=FabricStrategy(
                cluster_environment=_environment(), process_group_backend=_backend(hardware), timeout=LONG
            ),
        )
        fabric.launch()
    except (ValueError, TypeError, MisconfigurationException) as reason:
        raise BadRequest(
            f"hardware.devices={hardware.devices} is impossible here: {str(reason).splitlines()[0]}"
        ) from None
    ranks = Ranks(Share(fabric.global_rank, fabric.world_size))
    if ranks.first:
        ranks.tell(signature())
        yield ranks
        ranks.tell(None)  # but not where an error ends it: the others may be waiting for something else
    else:
        done = threading.Event()
        threading.Thread(target=_leave_after, args=(ranks.hear(), done), daemon=True).start()
        yield ranks
        done.set()


def _leave_after(first: str, done: threading.Event) -> None:
    """End this process, wherever it waits, once the first one is seen to be gone from this machine."""
    while not done.wait(1):
        if is_gone(first):
            os._exit(1)


def _environment() -> ClusterEnvironment:
    # Whatever a cluster says of its own tasks: the processes of a run are torchrun's or Lightning's.
    return TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()


def _backend(hardware: HardwareSpec) -> str:
    # Tensors of the CPU are exchanged as well, where a network is tried before it is trained.
    return "cpu:gloo,cuda:nccl" if hardware.accelerator != "cpu" and torch.cuda.is_available() else "gloo"
