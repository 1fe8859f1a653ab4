"""Every YAML of the model group describes a network that can be built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lotto.errors import BadRequest
from lotto.models.anatomy import counts, kinds
from lotto.models.build import build, skeleton
from lotto.models.init import BATCHNORM, BIASES, WEIGHTS

FOLDER = Path(__file__).parents[2] / "conf" / "model"
FILES = sorted(FOLDER.glob("*.yaml"))
# Not for images, or not written yet.
OF_THEIR_OWN = ("candidates", "custom")
WEIGHTS_OF = {
    "lenet": 266_200,
    "conv2": 4_300_992,
    "conv4": 2_425_024,
    "conv6": 2_261_184,
    "resnet20": 270_896,
    "wrn22_2": 1_076_912,
    "vgg16": 14_715_584,
    "vgg19": 20_024_000,
}


def read(name: str) -> dict:
    config = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{name}.yaml"))
    assert isinstance(config, dict)
    return config


def shape_for(name: str) -> tuple[int, int, int]:
    if name.startswith("modular"):
        return (1, 2, 10)
    return (1, 28, 28) if name == "lenet" else (3, 32, 32)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_file_says_what_it_is_and_how_it_is_initialised(file: Path) -> None:
    assert file.read_text().startswith("# ")
    config = read(file.stem)
    assert list(config["init"]) == ["weights", "biases", "batchnorm"]
    for known, option in zip((WEIGHTS, BIASES, BATCHNORM), config["init"].values(), strict=True):
        assert option is None or option in known


@pytest.mark.parametrize("name", [file.stem for file in FILES if file.stem not in OF_THEIR_OWN])
def test_file_builds_a_classifier_for_its_images(name: str) -> None:
    shape = shape_for(name)
    model = skeleton(read(name), shape, classes=10)
    with torch.device("meta"):
        assert model(torch.zeros(2, *shape)).shape == (2, 10)
    assert list(kinds(model).values()).count("output") == 1
    if name in WEIGHTS_OF:
        assert sum(counts(model).values()) == WEIGHTS_OF[name]


@pytest.mark.parametrize("name", ["lenet", "conv6", "resnet20"])
def test_file_builds_with_numbers(name: str) -> None:
    model = build(read(name), shape_for(name), classes=10, seed_number=0)
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert not model.get_parameter("fc.bias").any()


def test_custom_asks_for_its_class() -> None:
    with pytest.raises(BadRequest, match=r"model\._target_ is missing"):
        build(read("custom"), (3, 32, 32), 10, seed_number=0)
