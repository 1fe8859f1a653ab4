"""Every probe that has a YAML is found here, without being named."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

import lotto
from lotto.compose import CONF, imported
from lotto.data.facts import SPLITS
from lotto.mask import Mask
from lotto.probes.options import check_options
from lotto.probes.planning import ROLES
from lotto.probes.subject import Numbers, State, Subject
from lotto.seeds import Streams
from tests.probes.probe_samples import Given, drawn, weights

FILES = sorted((CONF / "probes").glob("*.yaml"))
every_probe = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)

# What a configuration says of the stage; the rest are the function's own options.
OF_THE_STAGE = {
    "networks": [],
    "copies": 0,
    "across": False,
    "data": False,
    "files": [],
    "branches": [],
    "levels": None,
    "steps": [],
}
DENSE = {"init", "dense", "dense_start"}
QUICKER = {"points": 4, "vectors": 2, "tolerance": 0.1}  # what an option is set to here so that the test is quick
SHAPE, CLASSES = (3, 8, 8), 4
CURVE = [
    {"step": 0, "val_accuracy": 0.2},
    {"step": 30, "val_accuracy": 0.5, "train_accuracy": 0.97},
    {"step": 60, "val_accuracy": 0.96, "train_accuracy": 1.0},
]


def network() -> nn.Module:
    """Convolutions, batch normalisation and a classifier with a bias."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(54, CLASSES),
    )


def settings(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What ``file`` says of the stage, and the options of the function."""
    config = yaml.safe_load(file.read_text())
    assert list(config) == [file.stem]
    own = config[file.stem]
    return {name: own.pop(name, otherwise) for name, otherwise in OF_THE_STAGE.items()}, own


def data() -> Given:
    splits = {split: drawn(CLASSES, SHAPE, 24, seed) for seed, split in enumerate(SPLITS)}
    return Given(CLASSES, batch_size=16, **splits)


def networks(stage: Mapping[str, Any], dense: bool) -> dict[str, State]:
    """A network for every role, all different; those of one replicate have the same mask."""
    roles = [*stage["networks"], *(f"copy{number}" for number in range(1, stage["copies"] + 1))]
    roles += [f"step{step}" for step in stage["steps"]]
    made = {}
    for prime in ("", "'") if stage["across"] else ("",):
        torch.manual_seed(len(prime))
        mask = lotto.prune(network(), "magnitude", density=0.3, allocation="layerwise")
        for role in roles:
            # Biases and statistics as after some training.
            state = {
                name: tensor + 0.1 * torch.rand_like(tensor) if tensor.is_floating_point() else tensor
                for name, tensor in weights(network()).items()
            }
            kept = None if dense or role in DENSE else mask
            made[role + prime] = State(kept.apply(state) if kept is not None else state, kept, 60, CURVE)
    return made


def subject(stage: Mapping[str, Any], states: Mapping[str, State]) -> Subject:
    def module() -> nn.Module:
        return network().eval()

    return Subject(states, module, Streams(0, 0), torch.device("cpu"), data() if stage["data"] else None)


@every_probe
def test_probe_is_documented_and_its_options_are_its_functions(file: Path) -> None:
    stage, options = settings(file)
    assert file.read_text().startswith("# ")
    target = options.pop("_target_")
    function = imported("_target_", target)
    assert inspect.getdoc(function)
    assert inspect.getdoc(inspect.getmodule(function))
    check_options(f"probes.{file.stem}", target, function, options, data().sizes)
    taken = set(inspect.signature(function).parameters) - {"subject", "numbers"}
    assert set(options) == taken, "an option that the file does not show is found by nobody"
    assert set(stage["networks"]) <= set(ROLES)
    assert stage["networks"] or stage["copies"]
    assert stage["levels"] is None


@every_probe
@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
def test_probe_reads_and_changes_nothing(file: Path, dense: bool) -> None:
    stage, options = settings(file)
    function = imported("_target_", options.pop("_target_"))
    options |= {name: value for name, value in QUICKER.items() if name in options}
    states = networks(stage, dense)
    kept = {role: {name: tensor.clone() for name, tensor in state.weights.items()} for role, state in states.items()}
    masks = {role: state.mask and Mask({name: t.clone() for name, t in state.mask.items()}) for role, state in states.items()}  # fmt: skip

    first, again = Numbers(), Numbers()
    function(subject(stage, states), first, **options)
    # Built anew the module has other weights: they must not matter.
    torch.manual_seed(123)
    function(subject(stage, states), again, **options)

    assert first.rows
    assert first.rows == again.rows
    assert any(row["value"] is not None for row in first.rows)
    identity = [(row["measure"], row.get("layer"), row.get("pair"), row.get("x")) for row in first.rows]
    assert len(set(identity)) == len(identity), "a number is given twice"
    assert all(isinstance(row["measure"], str) and isinstance(row["value"], float | None) for row in first.rows)
    names = {name for name, _ in network().named_parameters()}
    assert {row["layer"] for row in first.rows if "layer" in row} <= names
    for role, state in states.items():
        assert state.mask == masks[role]
        assert_unchanged(state.weights, kept[role])


def assert_unchanged(now: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> None:
    assert now.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(now[name], tensor), name
        assert not now[name].requires_grad
        assert now[name].grad is None
