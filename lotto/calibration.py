"""What a fit costs here: seconds per step, per evaluated example and besides, timed on made-up images through the run's own engines.

No data set is read and no stage is made. A measurement is kept in the store, under a name made of all that decides it.
"""

from __future__ import annotations

import math
import statistics
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lotto.bench.data import MadeUp
from lotto.data.base import ResidentData
from lotto.data.build import build as build_data
from lotto.errors import BadRequest, StageFailed
from lotto.estimate import Notes, machine
from lotto.mask import Mask
from lotto.models.build import build as build_model
from lotto.seeds import Streams
from lotto.spec import Spec
from lotto.stages import model_of
from lotto.store import Store
from lotto.training.engine import network_for
from lotto.training.fit import LONGEST_CHUNK, Fit, chunks
from lotto.training.member import Member
from lotto.training.network import Network, Tensors, state_of
from lotto.training.recorded import Recordings
from lotto.training.train import device_kind, interruptible, prepare_device, trainer_for

# Images of a training set are drawn as many as there are, up to so many bytes: gathered from a cache they would come too fast.
TRAINING_BYTES = 64 * 1024**2
# At least so many intervals are timed, and one more before them to warm up.
LEAST_INTERVALS = 4
# Steps after which a GPU has recorded what it will repeat.
WARM_UP = 10
# Seconds that one evaluation may take: of a large network on a CPU fewer examples are evaluated than there are.
LONGEST_EVALUATION = 0.4
# Examples in the smallest evaluation that is timed, and in the test split.
FEW = 50

# What a train stage's fields say that makes no step longer.
_NOT_THE_TIME = frozenset(
    {"seed", "replicate", "noise", "start", "stop", "resumable", "hold", "lr", "lr_schedule", "warmup"}
)


class Cost(NamedTuple):
    """What fits of one kind cost.

    Args:
        step: seconds of a training step of all replicates together.
        example: seconds of evaluating one example, by all of them.
        besides: seconds of a fit that are neither: what comes before its first step and after its last.
        low: lower quartile of the timed intervals, as a multiple of their median.
        high: the upper one.
    """

    step: float
    example: float
    besides: float
    low: float = 1.0
    high: float = 1.0


@dataclass(frozen=True, eq=False)
class Case:
    """A kind of fit to be timed.

    Args:
        fields: a train stage's.
        kept: for every masked weight how many remain, of how many; empty for a dense network.
        sparse: the weights that are kept as their values.
    """

    fields: Mapping[str, Any]
    members: int
    kept: Mapping[str, Sequence[int]]
    sparse: tuple[str, ...]

    @property
    def recipe(self) -> dict[str, Any]:
        """The fields that decide how long a step takes."""
        return {name: value for name, value in self.fields.items() if name not in _NOT_THE_TIME}


class Calibration:
    """Measures each case once, and keeps what it came to in the store.

    Attributes:
        seconds: spent on measuring by this object; 0 if all was known.

    Raises:
        BadRequest: made-up images would not show what a step costs.
    """

    def __init__(self, spec: Spec, store: Store) -> None:
        self.seconds = 0.0
        self._spec, self._store, self._notes = spec, store, Notes(store)
        self._like = _resident(spec)
        self._device = torch.device(device_kind(spec.hardware))
        self._data: dict[int, MadeUp] = {}  # by the number of classes

    def cost(self, case: Case, recordings: Recordings | None, steps: int, seconds: float) -> Cost:
        """What a fit of this kind costs.

        Args:
            recordings: of the network's forward pass, if it may be recorded.
            steps: that all fits of its kind will take: the measurement takes no more, but for a few.
            seconds: for measuring.
        """
        name = self._identity(case)
        if found := self._notes.find(name):
            return Cost(**found["cost"])
        began = time.perf_counter()
        cost = self._measured(case, recordings, steps, seconds)
        self.seconds += time.perf_counter() - began
        self._notes.keep(name, {"cost": cost._asdict()})
        return cost

    def saving(self) -> float:
        """Seconds of writing one network into the store."""
        spec, work = self._spec, f"calibration-{uuid.uuid4().hex}"
        model = build_model(spec.model, spec.data.input_shape, spec.data.classes, 0)
        began = time.perf_counter()
        with suppress(StageFailed, OSError):
            self._store.save_scratch(work, {name: tensor.detach() for name, tensor in state_of(model).items()}, {})
        took = time.perf_counter() - began
        self._store.discard(work)
        return took

    # -- what decides a measurement ---------------------------------------------------------------------------------------------

    def _identity(self, case: Case) -> dict[str, Any]:
        data = self._spec.data
        return {
            "recipe": case.recipe,
            "members": case.members,
            "kept": {name: list(counts) for name, counts in case.kept.items()},
            "sparse": list(case.sparse),
            "engine": self._spec.engine,
            "examples": [data.train, data.validation, data.test],
            "device": str(self._device),
            "threads": self._spec.hardware.threads or torch.get_num_threads(),
            **machine(self._spec),
        }

    # -- measuring --------------------------------------------------------------------------------------------------------------

    def _measured(self, case: Case, recordings: Recordings | None, steps: int, seconds: float) -> Cost:
        with _undisturbed(), torch.random.fork_rng():
            prepare_device(self._spec.hardware)
            members = _members(case)
            data = self._data_for(case, members, recordings)
            warm = 1 if self._device.type == "cpu" else WARM_UP
            few = [(0, warm), (warm, warm + 2), (warm + 2, warm + 3)]
            first = self._timed(case, members, recordings, data, few, evaluate_every=warm + 3)
            two_steps, step_and_evaluation = (later - earlier for earlier, later in pairwise(first.stamps))
            step = two_steps / 2
            evaluation = max(0.0, step_and_evaluation - step)
            every = _half_interval(case, step, seconds / LEAST_INTERVALS - evaluation)
            interval = 2 * every * step + evaluation
            count = max(LEAST_INTERVALS, round(min(seconds, steps * step) / interval))
            # In turn, as many steps without an evaluation behind them and with one.
            timed = self._timed(
                case, members, recordings, data, chunks(0, 2 * every * (count + 1), every), evaluate_every=2 * every
            )
        return _cost(timed, every, data.sizes)

    def _timed(
        self,
        case: Case,
        members: Sequence[Member],
        recordings: Recordings | None,
        data: MadeUp,
        steps: list[tuple[int, int]],
        evaluate_every: int,
    ) -> _Timed:
        """With what happens at every step beside the optimizer's updates; without, where that ends the fit before its time: a search."""
        hardware = self._spec.hardware
        for regimen in (case.fields.get("regimen"), None):
            stamps: list[float] = []
            began = time.perf_counter()
            recipe = {
                **case.fields,
                "regimen": regimen,
                "stop": steps[-1][1],
                "evaluate_every": evaluate_every,
                "resumable": False,
                # Weights that hardly move stay finite, whatever the labels.
                "lr": case.fields["lr"] * 1e-9,
            }
            fit = Fit(
                self._network(case, members, recordings),
                members,
                recipe,
                0,
                data,
                _NoCheckpoints(),
                lambda taken, accuracy, stamps=stamps: stamps.append(time.perf_counter()),  # type: ignore[misc]
                hardware.graph,
                model=model_of(case.fields),
            )
            if hardware.compile:
                fit.network.compile()
            with interruptible():
                trainer_for(hardware).fit(fit, DataLoader(steps, batch_size=None))  # type: ignore[arg-type]
            timed = _Timed(began, stamps, time.perf_counter())
            if not fit.over:
                break
        return timed

    def _network(self, case: Case, members: Sequence[Member], recordings: Recordings | None) -> Network:
        model = model_of(case.fields).train().requires_grad_(True)
        if case.fields["precision"] == "64":
            model = model.double()
        return network_for(model, members, case.sparse, self._spec.engine, recordings)

    def _data_for(self, case: Case, members: Sequence[Member], recordings: Recordings | None) -> MadeUp:
        """As many images as the data set has, or as there is time for; the same ones for every case of as many classes."""
        classes = case.fields["classes"]
        if classes not in self._data:
            like = self._like
            largest = max(case.fields["batch_size"], TRAINING_BYTES // math.prod(like.input_shape))
            facts = replace(
                like.facts,
                classes=classes,
                train=min(like.sizes["train"], largest),
                validation=self._evaluated(self._network(case, members, recordings)),
                test=min(like.sizes["test"], FEW),
            )
            self._data[classes] = MadeUp(facts, like.normalise, like.augment)
            self._data[classes].place(self._device)
        return self._data[classes]

    @torch.no_grad()
    def _evaluated(self, network: Network) -> int:
        """Examples of an evaluation: all of the validation split if that is not too long."""
        whole = self._like.sizes["validation"] or self._like.sizes["test"]
        if self._device.type != "cpu":
            return whole
        few = min(whole, FEW)
        tensors = network.tensors()
        x = torch.zeros(few, *self._like.input_shape, dtype=next(iter(network.trained().values())).dtype)
        network.evaluate(tensors, x)
        began = time.perf_counter()
        network.evaluate(tensors, x)
        return max(few, min(whole, int(LONGEST_EVALUATION * few / (time.perf_counter() - began))))


class _Timed(NamedTuple):
    """When a fit began, had taken each of its chunks of steps, and had ended."""

    began: float
    stamps: list[float]
    ended: float


class _NoCheckpoints:
    """A fit that is thrown away has no unfinished work."""

    def load(self) -> None:
        return None

    def asked(self) -> bool:
        return False

    def due(self) -> bool:
        return False

    def save(self, tensors: Tensors, state: dict[str, Any]) -> None: ...


def _half_interval(case: Case, step: float, seconds: float) -> int:
    """Steps between two stamps: half an evaluation interval, or fewer where that takes longer than ``seconds``."""
    return max(1, min(int(seconds / (2 * step)), case.fields["evaluate_every"] // 2, LONGEST_CHUNK))


def _cost(timed: _Timed, every: int, sizes: Mapping[str, int]) -> Cost:
    """From a fit that evaluated after every second chunk of ``every`` steps; its first two chunks are warming up."""
    durations = [later - earlier for earlier, later in pairwise(timed.stamps)][1:]
    without, with_evaluation = durations[::2], durations[1::2]
    step = statistics.median(without) / every
    example = max(0.0, statistics.median(with_evaluation) - statistics.median(without)) / sizes["validation"]
    before = timed.stamps[0] - timed.began - every * step - sizes["validation"] * example
    after = timed.ended - timed.stamps[-1] - 2 * sizes["test"] * example
    intervals = [a + b for a, b in zip(without, with_evaluation, strict=True)]
    low, middle, high = statistics.quantiles(intervals, n=4)
    return Cost(step, example, max(0.0, before) + max(0.0, after), low / middle, high / middle)


def _members(case: Case) -> list[Member]:
    """Replicates with random masks of the case's counts."""
    generator = torch.Generator().manual_seed(0)
    state = {name: tensor.detach() for name, tensor in state_of(model_of(case.fields)).items()}
    made = []
    for replicate in range(case.members):
        mask = Mask({name: _random(state[name], kept, generator) for name, (kept, _) in case.kept.items()})
        masked = {name: tensor.clone() for name, tensor in mask.apply(state).items()}
        made.append(Member(f"replicate {replicate}", Streams(0, replicate), masked, mask if case.kept else None))
    return made


def _random(like: Tensor, kept: int, generator: torch.Generator) -> Tensor:
    mask = torch.zeros(like.numel(), dtype=torch.bool)
    mask[torch.randperm(like.numel(), generator=generator)[:kept]] = True
    return mask.view_as(like)


def _resident(spec: Spec) -> ResidentData:
    """The data set, not read: how its images are augmented and normalised is known without it."""
    data = build_data(spec.data_config)
    if not isinstance(data, ResidentData):
        raise BadRequest("images are decoded while training asks for them, which made-up ones do not show")
    return data


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What the whole process shares is left as it was."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
