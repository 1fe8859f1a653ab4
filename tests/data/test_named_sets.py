"""The named sets: that they are read, split and declared as they are."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from lotto.data import vision
from lotto.data.build import build
from lotto.data.facts import facts
from lotto.errors import BadRequest
from tests.data.data_samples import CONF, config, replicates

NAMED = {
    "digits": (1197, 150, 450, (1, 8, 8), 10),
    "mnist": (55_000, 5_000, 10_000, (1, 28, 28), 10),
    "fashion_mnist": (55_000, 5_000, 10_000, (1, 28, 28), 10),
    "cifar10": (45_000, 5_000, 10_000, (3, 32, 32), 10),
    "cifar100": (45_000, 5_000, 10_000, (3, 32, 32), 100),
}


def write_idx(path: Path, values: np.ndarray) -> None:
    """The raw form of MNIST: two zero bytes, the type, the dimensions, their lengths, the bytes."""
    head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


@pytest.fixture
def mnist(tmp_path: Path) -> dict[str, Any]:
    """The configuration of an MNIST with 30 training and 12 test images."""
    rng, raw = np.random.default_rng(0), tmp_path / "MNIST" / "raw"
    for name, count in {"train": 30, "t10k": 12}.items():
        write_idx(raw / f"{name}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28)))
        write_idx(raw / f"{name}-labels-idx1-ubyte", np.arange(count) % 10)
    return config("mnist", root=str(tmp_path), examples={"train": 30, "test": 12}, validation=5)


@pytest.mark.parametrize("name", NAMED)
def test_facts_are_the_papers(name: str) -> None:
    known = facts(config(name))
    assert (known.train, known.validation, known.test, known.input_shape, known.classes) == NAMED[name]


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_file_says_what_it_is_and_is_named_after_it(path: Path) -> None:
    assert path.read_text().startswith("# ")
    assert config(path.stem)["name"] == path.stem


def test_digits_are_all_there_once() -> None:
    data = build(config("digits"))
    found = {split: list(data.evaluation_batches(split, 500)) for split in data.sizes}
    counts = {split: sum(len(y) for _, y in batches) for split, batches in found.items()}
    assert counts == data.sizes == {"train": 1197, "validation": 150, "test": 450}
    normalised = torch.cat([x for batches in found.values() for x, _ in batches])
    train = torch.cat([x for x, _ in found["train"]])
    assert float(train.mean()) == pytest.approx(0, abs=1e-3)
    assert float(train.std()) == pytest.approx(1, abs=1e-3)
    whole = normalised.mul(0.3763).add(0.3061).mul(16).round().flatten(1)
    assert sorted(map(tuple, whole.tolist())) == sorted(map(tuple, load_digits().data.tolist()))


def test_mnist_is_read_in_its_raw_form(mnist: dict[str, Any]) -> None:
    data = build(mnist)
    x, y = (torch.cat(tensors) for tensors in zip(*data.evaluation_batches("test", 5), strict=True))
    pixels = np.frombuffer((Path(mnist["root"]) / "MNIST/raw/t10k-images-idx3-ubyte").read_bytes()[16:], np.uint8)
    wanted = (torch.tensor(pixels.reshape(12, 1, 28, 28) / 255) - 0.1307) / 0.3081
    torch.testing.assert_close(x.double(), wanted, rtol=1e-5, atol=1e-6)
    assert y.tolist() == [n % 10 for n in range(12)]
    assert next(data.train_batches(replicates(2), 0, 1, 6, False))[0].shape == (2, 6, 1, 28, 28)
    assert data.sizes == {"train": 25, "validation": 5, "test": 12}


def test_missing_mnist_says_where_it_was_looked_for_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as error:
        build(config("mnist", root=str(tmp_path))).load()
    for part in (str(tmp_path / "MNIST" / "raw"), "data.root=", "data.download=true"):
        assert part in str(error.value)


def test_truncated_mnist_names_the_folder(mnist: dict[str, Any]) -> None:
    images = Path(mnist["root"]) / "MNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-100])
    with pytest.raises(BadRequest, match=r"MNIST cannot be read from .*MNIST/raw"):
        build(mnist).load()


def test_mnist_with_other_sizes_than_declared_is_refused(mnist: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="declare 31 train images"):
        build({**mnist, "examples": {"train": 31, "test": 12}}).load()


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_damaged_cifar_is_refused(name: str, tmp_path: Path) -> None:
    data = build(config(name, root=str(tmp_path)))
    (tmp_path / data.folder).mkdir()  # type: ignore[attr-defined]
    with pytest.raises(BadRequest, match="cannot be read"):
        data.load()


def test_cifar_images_come_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)

    class Read:
        def __init__(self, root: Path, train: bool, download: bool) -> None:
            self.data, self.targets = pixels, list(range(8))

    monkeypatch.setattr(vision.Cifar10, "dataset", Read)
    (tmp_path / "cifar-10-batches-py").mkdir()
    data = build(config("cifar10", root=str(tmp_path), examples={"train": 8, "test": 8}, validation=2))
    data.load()
    assert np.array_equal(data._splits["test"].images.numpy(), pixels.transpose(0, 3, 1, 2))  # type: ignore[attr-defined]
    assert next(data.train_batches(replicates(1), 0, 1, 6, False))[0].shape == (1, 6, 3, 32, 32)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"colour": 3}, r"data\.colour is not a field of data=digits"),
        ({"validation": 1.5}, r"data\.validation=1\.5"),
        ({"validation": -1}, r"data\.validation=-1"),
        ({"validation": 1347}, r"data\.validation=1347"),
        ({"validation": True}, r"data\.validation=True"),
        ({"examples": {"train": 9, "dev": 1}}, r"exactly train and test"),
        ({"examples": 9}, r"data\.examples=9"),
        ({"classes": None}, r"data\.classes is missing"),
        ({"normalise": None}, r"data\.normalise is missing"),
        ({"augment": [{"_target_": "lotto.data.augment.PadCrop", "padding": -1}]}, r"padding=-1"),
        ({"augment": [{"_target_": "lotto.data.augment.Nothing"}]}, r"data cannot be built as configured"),
        ({"normalise": {"_target_": "lotto.data.normalise.Channel", "mean": [0, 0], "std": [1, 1]}}, "has 2 values"),
    ],
)
def test_a_setting_that_cannot_be_is_one_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        build(config("digits", **changed))
