"""OpenLTH's four families of networks and the hyperparameters each comes with. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lotto.openlth.hashing import folder_name


@dataclass(frozen=True)
class Family:
    """Networks that share their data and their default hyperparameters.

    Args:
        name: how the networks' names begin.
        examples: training images; OpenLTH holds none out.
        ignored: the tensor that pruning leaves alone by default, if any.
        training: the default training group.
    """

    name: str
    dataset: str
    examples: int
    batch_size: int
    input_shape: tuple[int, int, int]
    ignored: str | None
    training: dict[str, Any]

    @property
    def iterations_per_epoch(self) -> int:
        """With the default batch size; the last batch of an epoch may be partial."""
        return -(-self.examples // self.batch_size)


_MOMENTUM = {"optimizer_name": "sgd", "momentum": 0.9, "weight_decay": 1e-4, "gamma": 0.1}
_CIFAR = {**_MOMENTUM, "lr": 0.1, "training_steps": "160ep", "milestone_steps": "80ep,120ep"}
_LENET = {"optimizer_name": "sgd", "lr": 0.1, "training_steps": "40ep"}
_IMAGENET = {
    **_MOMENTUM,
    "lr": 0.4,
    "training_steps": "90ep",
    "milestone_steps": "30ep,60ep,80ep",
    "warmup_steps": "5ep",
}

FAMILIES = {
    family.name: family
    for family in (
        Family("mnist_lenet", "mnist", 60_000, 128, (1, 28, 28), "fc.weight", _LENET),
        Family("cifar_resnet", "cifar10", 50_000, 128, (3, 32, 32), None, _CIFAR),
        Family("cifar_vgg", "cifar10", 50_000, 128, (3, 32, 32), "fc.weight", _CIFAR),
        Family("imagenet_resnet", "imagenet", 1_281_167, 1024, (3, 224, 224), None, _IMAGENET),
    )
}

# The default initialisation of every family, in OpenLTH's words.
WEIGHTS, BATCHNORM = "kaiming_normal", "uniform"


def default_groups(family: Family, model: str, rewinding_steps: str | None = None) -> dict[str, dict[str, Any]]:
    """All groups of a ``lottery`` run with default hyperparameters, rewound to ``rewinding_steps`` if given."""
    dataset = {"dataset_name": family.dataset, "batch_size": family.batch_size}
    groups: dict[str, dict[str, Any]] = {
        "dataset": dataset,
        "model": {"model_name": model, "model_init": WEIGHTS, "batchnorm_init": BATCHNORM},
        "pruning": {"pruning_strategy": "sparse_global", "pruning_layers_to_ignore": family.ignored},
        "training": family.training,
    }
    if rewinding_steps is not None:
        groups["pretrain_dataset"] = dataset
        groups["pretrain_training"] = {**family.training, "training_steps": rewinding_steps}
    return groups


def is_default_run(folder: str, family: Family, model: str, rewind_step: int) -> bool:
    """Whether a ``lottery_…`` folder's name is that of the default hyperparameters, rewound to ``rewind_step``."""
    epochs, iterations = divmod(rewind_step, family.iterations_per_epoch)
    written: set[str | None] = {f"{rewind_step}it", f"{epochs}ep{iterations}it"} if rewind_step else {None}
    if rewind_step and not iterations:
        written.add(f"{epochs}ep")
    return any(folder == folder_name("lottery", default_groups(family, model, steps)) for steps in written)
