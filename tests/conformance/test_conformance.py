"""Every control, method and criterion that has a YAML is found here, without being named."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

import lotto
from lotto.compose import CONF, imported
from lotto.controls.origin import Origin, Start
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.resnet import CifarResNet
from lotto.plan import Plan
from lotto.seeds import Streams
from lotto.spec import Spec
from lotto.structures.grouping import families_of
from lotto.structures.request import Structure
from lotto.training.network import state_of

# Controls that are the whole network: what they change must show in its weights.
DENSE = {"norm_l1", "norm_l2"}


def found(group: str) -> list[Path]:
    return sorted(path for path in (CONF / group).glob("*.yaml") if not path.stem.startswith("_"))


def read(path: Path) -> dict[str, Any]:
    config = yaml.safe_load(path.read_text())
    assert isinstance(config, dict)
    return config


def of_group(group: str) -> Any:
    files = found(group)
    assert files, group
    return pytest.mark.parametrize("file", files, ids=lambda file: file.stem)


def target(config: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    options = {name: value for name, value in config.items() if name != "_target_"}
    return imported("_target_", config["_target_"]), options


def assert_documented(function: Callable[..., Any], file: Path) -> None:
    assert file.read_text().startswith("# ")
    assert inspect.getdoc(function) or inspect.getdoc(inspect.getmodule(function))
    assert inspect.getdoc(inspect.getmodule(function))


def network(seed: int) -> nn.Module:
    """A residual network of 4 channels: convolutions, shortcuts, batch normalisation and a classifier with a bias."""
    torch.manual_seed(seed)
    model = CifarResNet((3, 8, 8), 10, depth=8, width=4)
    for name, tensor in state_of(model).items():
        if tensor.is_floating_point() and name not in kinds(model):
            nn.init.uniform_(tensor.detach())
    return model


def weights(seed: int) -> dict[str, torch.Tensor]:
    return {name: tensor.detach() for name, tensor in state_of(network(seed)).items()}


@of_group("controls")
def test_control(file: Path) -> None:
    config = read(file)
    assert list(config) == [file.stem]
    settings = config[file.stem]
    assert isinstance(settings.pop("needs_weights"), bool)
    needs_scores = settings.pop("needs_scores", False)
    assert settings.pop("samples") >= 1
    assert settings.pop("levels") is None
    function, options = target(settings)
    assert_documented(function, file)

    model, dense = network(1), weights(1)
    mask = lotto.prune(network(2), "magnitude", density=0.3, allocation="layerwise")
    ticket = Start(mask.apply(dense), mask)
    inverted = lotto.prune(network(3), "magnitude", density=0.3, allocation="layerwise") if needs_scores else None
    start = function(Origin(ticket, dense, weights, Streams(0, 0), level=3, sample=0, inverted=inverted), **options)

    whole = {name: tensor.numel() for name, tensor in mask.items()}
    assert start.mask.counts() == (whole if file.stem in DENSE else mask.counts())
    assert start.weights.keys() == dense.keys()
    assert all(start.weights[name].shape == dense[name].shape for name in dense)
    made = start.mask.apply(start.weights)
    assert any(not torch.equal(made[name], ticket.weights[name]) for name in kinds(model))
    # In every layer that is pruned, not in some.
    for name in kinds(model):
        assert not torch.equal(made[name], ticket.weights[name]), name
        assert not bool(made[name][~start.mask[name]].any())


# What a method needs beside its YAML.
NEEDED = {"universal": ["experiment=universal/weight"]}
# Methods that train no ticket, and so have no step to rewind to.
UNTRAINED = ("universal",)


@of_group("method")
@pytest.mark.parametrize("rewind_at", [0, 100])
def test_method(file: Path, rewind_at: int, spec_of: Callable[..., Spec]) -> None:
    config = read(file)
    assert config["name"] == file.stem
    assert_documented(imported("_target_", config["_target_"]), file)

    # Not every method's tickets are pruned by scores that a control could turn round.
    controls = ",".join(path.stem for path in found("controls") if not read(path)[path.stem].get("needs_scores"))
    spec = spec_of(
        *NEEDED.get(file.stem, []),
        f"method={file.stem}",
        "replicates=2",
        "schedule.levels=4",
        f"controls=[{controls}]",
        f"rewind.at={rewind_at}",
    )
    if file.stem in UNTRAINED and rewind_at:
        with pytest.raises(BadRequest, match=f"rewind.at={rewind_at}"):
            Plan.of(spec)
        return
    plan = Plan.of(spec)
    rows = Counter((entry.branch, entry.level, entry.replicate) for entry in plan.entries)
    expected = {("ticket", level, replicate): 1 for level in range(4) for replicate in range(2)}
    expected |= {
        (control.name, level, replicate): control.samples
        for control in spec.controls
        for level in range(1, 4)
        for replicate in range(2)
    }
    # A method may have branches of its own besides: searches that were not made, tickets trained on, masks that do not move.
    own = {branch for branch, _, _ in rows} - {"ticket", *controls.split(",")}
    assert {row: count for row, count in rows.items() if row[0] not in own} == expected

    tickets = {(e.level, e.replicate): e for e in plan.entries if e.branch == "ticket"}
    moves = [bool(entry.trained.fields.get("regimen")) for entry in tickets.values() if entry.level > 0]
    if not any(moves):
        assert len({entry.start.key for entry in tickets.values()}) == len(tickets)
    for entry in plan.entries:
        if entry.trained.kind != "train":
            assert file.stem in UNTRAINED
        elif "search" not in config:  # which brings its own length
            assert entry.trained.fields["stop"] == spec.train.steps
        assert entry.trained.fields["replicate"] == entry.replicate
        assert entry.trained.parents["start"].key == entry.start.key
        if entry.branch not in own | {"ticket"}:
            assert entry.start.key not in {ticket.start.key for ticket in tickets.values()}
    assert len({entry.trained.key for entry in plan.entries}) == len(plan.entries)


@of_group("prune")
def test_criterion(file: Path) -> None:
    config = read(file)
    assert config["name"] == file.stem
    function, _ = target(config["criterion"])
    assert_documented(function, file)

    model = network(1)
    model.train()
    before, mode = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    data = {"batches": [(torch.randn(4, 3, 8, 8), torch.arange(4))], "input_shape": (3, 8, 8), "initial": weights(2)}
    asked = {name: value for name, value in data.items() if name in inspect.signature(function).parameters}
    torch.set_rng_state(mode)
    scores = lotto.scores(model, file.stem, **asked)

    assert scores.keys() == kinds(model).keys()
    for name, tensor in scores.items():
        assert tensor.dtype in (torch.float32, torch.float64)
        assert tensor.shape == model.get_parameter(name).shape
        assert bool(tensor.isfinite().all())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert model.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert lotto.prune(model, file.stem, density=0.2, **asked).remaining == round(
        0.2 * sum(t.numel() for t in scores.values())
    )


@of_group("prune")
@pytest.mark.parametrize("structure", ["filter", "channel", "block", "nm"])
def test_criterion_of_groups(file: Path, structure: str) -> None:
    """Whatever scores the weights, whole groups of them go: nested masks, nothing changed in place, a smaller network."""
    function, _ = target(read(file)["criterion"])
    model = network(1)
    before = copy.deepcopy(model.state_dict())
    data = {"batches": [(torch.randn(4, 3, 8, 8), torch.arange(4))], "input_shape": (3, 8, 8), "initial": weights(2)}
    asked: dict[str, Any] = {
        name: value for name, value in data.items() if name in inspect.signature(function).parameters
    }
    asked["rounds"] = 3 if read(file).get("rounds", 1) > 1 else 1
    asked["input_shape"] = (3, 8, 8)
    if structure == "nm":
        asked["structure"] = Structure.read("nm", {"n": 1})
    else:
        asked |= {"structure": structure, "allocation": "uniform"}
    half = lotto.prune(model, file.stem, density=0.5, **asked)
    quarter = lotto.prune(model, file.stem, density=0.25, mask=half, **asked)
    assert quarter <= half
    assert quarter.remaining < half.remaining < half.total
    families = [] if structure == "nm" else families_of(Structure(structure), model, (3, 8, 8))
    for family in families:
        kept = family.weights(half) > 0
        left = dict(Mask.ones(half))
        family.prune(left, kept)
        assert half <= Mask(left)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


@of_group("train")
def test_a_training_preset_shows_its_loss(file: Path, spec_of: Callable[..., Spec]) -> None:
    """What is left to a default is told as a difference where a figure's two configurations are compared."""
    assert "loss" in spec_of(f"train={file.stem}").request["train"]
