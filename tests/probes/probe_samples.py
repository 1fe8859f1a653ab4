"""Networks and data small enough to work out by hand what a probe must say of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lotto.data.facts import Facts
from lotto.data.interface import Batches, Data
from lotto.data.normalise import Scale
from lotto.data.share import Share
from lotto.mask import Mask
from lotto.probes.subject import Numbers, State, Subject
from lotto.seeds import Streams
from lotto.training.network import state_of

Labelled = tuple[Tensor, Tensor]


class Given(Data):
    """Splits given as tensors: x float32 ``[n, C, H, W]`` and y int64 ``[n]``."""

    def __init__(self, classes: int, batch_size: int | None = None, **splits: Labelled) -> None:
        sizes = {name: len(splits[name][1]) if name in splits else 0 for name in ("train", "validation", "test")}
        c, h, w = next(iter(splits.values()))[0].shape[1:]
        super().__init__(Facts(**sizes, input_shape=(c, h, w), classes=classes, identity={}), Scale(1))
        self.splits, self.fixed_batch_size = splits, batch_size

    def load(self) -> None: ...

    def place(self, device: torch.device | str) -> None: ...

    def train_batches(
        self,
        streams: Sequence[Streams],
        start: int,
        stop: int,
        batch_size: int,
        drop_last: bool,
        share: Share | None = None,
    ) -> Batches:
        raise AssertionError("a probe trains nothing")

    def evaluation_batches(
        self, split: str, batch_size: int, share: Share | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        self.check_split(split)
        x, y = self.splits[split]
        size = self.fixed_batch_size or batch_size
        return zip(x.split(size), y.split(size), strict=True)

    def labels(self, split: str) -> Tensor:
        return self.splits[split][1]

    def pick(self, split: str, indices: Tensor) -> Labelled:
        x, y = self.splits[split]
        return x[indices], y[indices]


def drawn(classes: int, shape: tuple[int, int, int], examples: int, seed: int = 0) -> Labelled:
    """Standard normal images and labels from a stream of their own."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(examples, *shape, generator=generator), torch.randint(classes, (examples,), generator=generator)


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state_of(module).items()}


def subject(
    networks: Mapping[str, Mapping[str, Tensor] | State],
    module: Callable[[], nn.Module],
    data: Data | None = None,
    replicate: int = 0,
) -> Subject:
    """A subject whose networks are dense where they are given as weights."""
    states = {role: given if isinstance(given, State) else State(given, None) for role, given in networks.items()}
    return Subject(states, lambda: module().eval(), Streams(0, replicate), torch.device("cpu"), data)


def sparse(given: Mapping[str, Tensor], mask: Mapping[str, Any]) -> State:
    """Weights under a mask that is given as nested lists or tensors."""
    kept = Mask({name: torch.as_tensor(values) for name, values in mask.items()})
    return State(kept.apply(given), kept)


def read(probe: Callable[..., None], of: Subject, **options: Any) -> dict[tuple[Any, ...], float | None]:
    """What a probe finds, by measure and then by the layer, the pair and the place on a curve, where it says them."""
    numbers = Numbers()
    probe(of, numbers, **options)
    found = {
        (row["measure"], *(row[place] for place in ("layer", "pair", "x") if place in row)): row["value"]
        for row in numbers.rows
    }
    assert len(found) == len(numbers.rows), "a number is given twice"
    return found
