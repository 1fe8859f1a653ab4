"""Every criterion with a YAML, under every allocation, on networks that are not made for pruning."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

import lotto
from lotto.compose import CONF, imported
from lotto.errors import BadRequest, LottoError
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.resnet import CifarResNet
from lotto.pruning.allocate import ALLOCATIONS
from tests.pruning.networks import Awkward, convolutional, drawn, images

FILES = sorted(path for path in (CONF / "prune").glob("*.yaml") if not path.stem.startswith("_"))
every_criterion = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: drawn(convolutional),
    "residual": lambda: drawn(lambda: CifarResNet((3, 8, 8), 4, depth=8, width=4)),
    "awkward": lambda: drawn(Awkward),
}
every_network = pytest.mark.parametrize("network", NETWORKS)


def config(file: Path) -> dict[str, Any]:
    made = yaml.safe_load(file.read_text())
    assert isinstance(made, dict)
    return made


def given(file: Path, model: nn.Module) -> dict[str, Any]:
    """What the criterion asks for; the weights at initialisation are the model's own, the other way round."""
    names = inspect.signature(imported("_target_", config(file)["criterion"]["_target_"])).parameters
    initial = {name: model.get_parameter(name).detach().flip(0) for name in kinds(model)}
    data = {"batches": [images(8), images(8, seed=1)], "input_shape": (3, 8, 8), "initial": initial}
    return {name: value for name, value in data.items() if name in names}


@contextmanager
def unwarned() -> Iterator[None]:
    """A global ranking may empty a layer of these small networks; what is told then has a test of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Pruning by .* leaves no weight")
        yield


@every_criterion
@every_network
def test_nothing_is_changed(file: Path, network: str) -> None:
    model = NETWORKS[network]()
    model.train()
    next(model.children()).eval()  # modes that differ from module to module
    frozen = next(model.parameters()).requires_grad_(False)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5) if parameter is not frozen else None
    before, state, modes = (
        copy.deepcopy(model.state_dict()),
        torch.get_rng_state(),
        [m.training for m in model.modules()],
    )
    with unwarned(), torch.no_grad():  # whoever calls may have switched gradients off
        lotto.scores(model, file.stem, **given(file, model))
        lotto.prune(model, file.stem, 0.3, **given(file, model))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == [
        False,
        *[True] * (len([*model.parameters()]) - 1),
    ]
    assert all(bool((p.grad == 0.5).all()) for p in model.parameters() if p is not frozen and p.grad is not None)
    assert frozen.grad is None


@every_criterion
@every_network
def test_the_same_answer_twice_whatever_the_random_state(file: Path, network: str) -> None:
    model = NETWORKS[network]()
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        found.append(lotto.scores(model, file.stem, **given(file, model)))
    assert all(torch.equal(found[0][name], found[1][name]) for name in kinds(model))
    with unwarned():
        masks = [lotto.prune(model, file.stem, 0.3, **given(file, model)) for _ in range(2)]
    assert masks[0] == masks[1]


@every_criterion
@pytest.mark.parametrize(
    "allocation", [name for name in ALLOCATIONS if name in ("layerwise", "global", "uniform", "erk", "er", "balanced")]
)
@every_network
def test_counts_are_exact_under_every_allocation(file: Path, allocation: str, network: str) -> None:
    model = NETWORKS[network]()
    total = sum(model.get_parameter(name).numel() for name in kinds(model))
    with unwarned():
        for density, rounds in ((0.5, 1), (0.111, 3), (0.05, 2)):
            mask = lotto.prune(model, file.stem, density, allocation=allocation, rounds=rounds, **given(file, model))
            assert (mask.remaining, mask.total) == (round(density * total), total)
            assert list(mask) == list(kinds(model))
            if allocation != "global":
                assert min(mask.counts().values()) >= 1
        assert lotto.prune(model, file.stem, 1, allocation=allocation, **given(file, model)) == Mask.ones(mask)


@every_criterion
def test_pruning_goes_on_within_a_mask(file: Path) -> None:
    model = NETWORKS["residual"]()
    with unwarned():
        first = lotto.prune(model, file.stem, 0.4, allocation="erk", **given(file, model))
        second = lotto.prune(model, file.stem, 0.2, allocation="erk", mask=first, **given(file, model))
    assert second <= first
    assert second.remaining == round(0.2 * first.total)
    # Its score must not bring back what is pruned, nor need it be a number there.
    scores = lotto.scores(model, file.stem, mask=first, **given(file, model))
    assert scores.keys() == kinds(model).keys()


@every_criterion
def test_equal_scores_keep_the_first_by_index(file: Path) -> None:
    """Weights and images of zeros: no gradient, no flow, no magnitude."""
    if file.stem == "random":
        pytest.skip("never equal")
    model = NETWORKS["conv"]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    asked = given(file, model) | (
        {"batches": [(torch.zeros(8, 3, 8, 8), torch.arange(8) % 4)]} if "batches" in given(file, model) else {}
    )
    with unwarned():
        mask = lotto.prune(model, file.stem, 0.25, **asked)
    kept = torch.cat([tensor.flatten() for tensor in mask.values()])
    assert bool(kept[: mask.remaining].all()) and not bool(kept[mask.remaining :].any())


@every_criterion
def test_what_it_lacks_is_one_sentence(file: Path) -> None:
    model = NETWORKS["conv"]()
    asked = given(file, model)
    for name in asked:
        with pytest.raises(BadRequest, match=rf"^The criterion {file.stem} .*give {name}="):
            lotto.scores(model, file.stem, **{other: value for other, value in asked.items() if other != name})
    with pytest.raises(BadRequest, match="unexpected keyword argument 'temprature'"):
        lotto.scores(model, file.stem, temprature=1, **asked)


@every_criterion
def test_numbers_that_are_none_are_one_sentence(file: Path) -> None:
    if file.stem in ("random", "block_random"):
        pytest.skip("it does not look at weights")
    model = NETWORKS["residual"]()  # criteria of blocks look at blocks alone
    with torch.no_grad():
        for name in kinds(model):
            model.get_parameter(name).flatten()[0] = float("nan")
    with pytest.raises(LottoError, match=r"not numbers|too large"):
        lotto.scores(model, file.stem, **given(file, model))


@every_criterion
def test_a_layer_that_is_emptied_is_named(file: Path) -> None:
    """A global ranking of a network whose first layer scores nothing: what is left of it is told."""
    model = NETWORKS["conv"]()
    asked = given(file, model)

    def without_the_first(module: nn.Module, **options: Any) -> dict[str, Tensor]:
        found = lotto.scores(module, file.stem, **{**asked, **options})
        return found | {"0.weight": torch.full_like(found["0.weight"], -1e30)}

    with pytest.warns(UserWarning, match=r"leaves no weight in 0\.weight"):
        lotto.prune(model, without_the_first, 0.3)
