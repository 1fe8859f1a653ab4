"""Fits on made-up images, without a store: any module, any engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.utils.data import DataLoader

from lotto.data.augment import Augmentation
from lotto.data.base import Labelled, ResidentData
from lotto.data.facts import Facts
from lotto.data.normalise import Scale
from lotto.mask import Mask
from lotto.request.hardware import HardwareSpec
from lotto.seeds import Streams
from lotto.training.engine import network_for
from lotto.training.fit import Fit, chunks
from lotto.training.member import Checkpoints, Fitted, Member
from lotto.training.network import state_of
from lotto.training.ranks import Ranks
from lotto.training.recorded import Recordings
from lotto.training.train import trainer_for

IMAGE = (3, 16, 16)


class MadeUp(ResidentData):
    """Random images with random labels."""

    def __init__(self, shape: tuple[int, int, int] = IMAGE, augment: Sequence[Augmentation] = ()) -> None:
        facts = Facts(train=40, validation=12, test=12, input_shape=shape, classes=10, identity={})
        super().__init__(facts, Scale(255), augment)

    def read(self) -> tuple[Labelled, Labelled]:
        generator = torch.Generator().manual_seed(0)
        made = [
            Labelled(
                torch.randint(0, 256, (count, *self.input_shape), dtype=torch.uint8, generator=generator),
                torch.randint(0, 10, (count,), generator=generator),
            )
            for count in (52, 12)
        ]
        return made[0], made[1]


class NoCheckpoints:
    def load(self) -> None:
        return None

    def asked(self) -> bool:
        return False

    def due(self) -> bool:
        return False

    def save(self, tensors: object, state: object) -> None:
        raise AssertionError("nothing is due")


RECIPE = {
    "stop": 100,
    "evaluate_every": 40,
    "batch_size": 8,
    "drop_last": False,
    "lr": 0.002,
    "optimizer": {"_target_": "torch.optim.SGD", "momentum": 0.9},
    "weight_decay": 1e-4,
    "lr_schedule": {"name": "constant"},
    "warmup": 0,
    "hold": None,
    "label_smoothing": 0.0,
    "loss": "cross_entropy",
    "resumable": True,
    "precision": "64",
}


def members(make: Callable[[], nn.Module], count: int, density: float = 1.0) -> list[Member]:
    """Replicates with weights of their own and, below density 1, masks of their own on every weight."""
    made = []
    for replicate in range(count):
        torch.manual_seed(replicate)
        state = {name: tensor.detach().clone() for name, tensor in state_of(make()).items()}
        mask = None
        if density < 1:
            mask = Mask(
                {
                    name: torch.rand(t.shape) < density
                    for name, t in state.items()
                    if name.endswith("weight") and t.dim() > 1
                }
            )
            state = {name: tensor * mask[name] if name in mask else tensor for name, tensor in state.items()}
        made.append(Member(f"replicate {replicate}", Streams(7, replicate), state, mask))
    return made


def fitted(
    make: Callable[[], nn.Module],
    taking_part: Sequence[Member],
    asked: str,
    sparse: Sequence[str] = (),
    recordings: Recordings | None = None,
    shape: tuple[int, int, int] = IMAGE,
    hardware: HardwareSpec | None = None,
    graph: bool = True,
    compiled: bool = False,
    ranks: Ranks | None = None,
    augment: Sequence[Augmentation] = (),
    checkpoints: Checkpoints | None = None,
    **changes: object,
) -> list[Fitted]:
    recipe = {**RECIPE, **changes}
    model = make()
    if recipe["precision"] == "64":
        model = model.double()
    network = network_for(model.train(), taking_part, sparse, asked, recordings, ranks)
    if compiled:
        network.compile()
    data = MadeUp(shape, augment)
    fit = Fit(
        network,
        taking_part,
        recipe,
        0,
        data,
        checkpoints or NoCheckpoints(),
        lambda steps, accuracy: None,
        graph,
        ranks,
        model,
    )
    steps = chunks(0, recipe["stop"], recipe["evaluate_every"])
    hardware = hardware or HardwareSpec(accelerator="cpu", precision=str(recipe["precision"]))
    with torch.random.fork_rng():
        trainer_for(hardware, ranks).fit(fit, DataLoader(steps, batch_size=None))
    return fit.outcome


def worst_difference(together: Sequence[Fitted], apart: Sequence[Fitted]) -> float:
    """Over weights, statistics and optimizer state of all replicates; metrics must agree as well."""
    worst = 0.0
    for one, other in zip(together, apart, strict=True):
        assert one.state.keys() == other.state.keys() and one.slots.keys() == other.slots.keys()
        for mine, theirs in ((one.state, other.state), (one.slots, other.slots)):
            for name, tensor in theirs.items():
                assert mine[name].shape == tensor.shape and mine[name].dtype == tensor.dtype, name
                if tensor.numel():
                    worst = max(worst, float((mine[name].double() - tensor.double()).abs().max()))
        assert [row["val_accuracy"] for row in one.metrics] == [row["val_accuracy"] for row in other.metrics]
    return worst
