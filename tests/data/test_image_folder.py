"""A user's own images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lotto.data import decode
from lotto.data.base import ResidentData
from lotto.data.build import build
from lotto.errors import BadRequest
from tests.data.data_samples import config, write_image

PLAIN = {"_target_": "lotto.data.normalise.Scale", "by": 1}


class MemoryCache:
    """Keeps tensors for as long as the test lasts."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Tensor]] = {}

    def load(self, key_fields: dict[str, Any]) -> dict[str, Tensor] | None:
        return self.kept.get(repr(sorted(key_fields.items())))

    def save(self, key_fields: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        self.kept[repr(sorted(key_fields.items()))] = tensors


def folder(root: Path, /, **changed: Any) -> ResidentData:
    data = build(config("image_folder", **{"root": str(root), "normalise": PLAIN, "workers": 1, **changed}))
    assert isinstance(data, ResidentData)
    return data


def everything(data: ResidentData, split: str) -> tuple[Tensor, Tensor]:
    return next(data.evaluation_batches(split, 1000))


def pixels(path: Path) -> Tensor:
    return torch.tensor(np.array(Image.open(path)), dtype=torch.float32).permute(2, 0, 1)


def test_images_and_labels_are_the_files(class_folders: Callable[..., Path]) -> None:
    root = class_folders(size=(9, 7))
    x, y = everything(folder(root), "test")
    assert torch.equal(x, torch.stack([pixels(path) for path in sorted(root.glob("test/*/*.png"))]))
    assert y.tolist() == [0, 0, 0, 1, 1, 1]


def test_one_folder_is_shared_out_without_overlap(class_folders: Callable[..., Path]) -> None:
    root = class_folders(split=False)
    data = folder(root, test_fraction=0.25)
    found = torch.cat([everything(data, split)[0] for split in data.sizes])
    files = torch.stack([pixels(path) for path in root.glob("*/*.png")])
    assert list(data.sizes.values()) == [18, 2, 6]
    assert sorted(map(tuple, found.flatten(1).tolist())) == sorted(map(tuple, files.flatten(1).tolist()))


def test_workers_change_nothing(class_folders: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders()
    monkeypatch.setattr(decode, "_CHUNK", 7)
    one, two = (everything(folder(root, workers=workers), "train") for workers in (1, 2))
    assert torch.equal(one[0], two[0])


def test_grey_transparent_and_palette_images_become_rgb(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    for number, mode in enumerate(("L", "RGBA", "P")):
        write_image(root / "test" / "cat" / f"{number:02}.png", mode=mode)
    x, _ = everything(folder(root), "test")
    assert x.shape == (6, 3, 8, 8)
    assert torch.equal(x[0, 0], x[0, 1])


def test_one_channel_on_request(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    x, _ = everything(folder(root, channels=1), "test")
    grey = np.array(Image.open(root / "test" / "cat" / "00.png").convert("L"))
    assert torch.equal(x[0, 0], torch.tensor(grey, dtype=torch.float32))


def test_size_scales_the_shorter_side_and_cuts_the_middle_out(class_folders: Callable[..., Path]) -> None:
    root = class_folders(size=(12, 8))
    write_image(root / "train" / "dog" / "00.png", size=(30, 31))
    data = folder(root, size=8)
    assert data.input_shape == (3, 8, 8)
    assert torch.equal(everything(data, "test")[0][0], pixels(root / "test" / "cat" / "00.png")[:, :, 2:10])


def test_other_files_are_left_alone(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    (root / "train" / "cat" / "notes.txt").write_text("not an image")
    (root / "train" / "cat" / ".hidden.png").write_text("not an image")
    (root / ".cache").mkdir()
    assert folder(root).sizes["train"] == 18


def test_an_odd_size_is_named(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    write_image(root / "train" / "dog" / "03.png", size=(9, 8))
    with pytest.raises(BadRequest, match=r"dog/03\.png has 9x8 pixels where the first image has 8x8: set data\.size"):
        folder(root).load()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("damaged", [b"", b"not an image", "half"], ids=["empty", "text", "truncated"])
def test_a_damaged_image_is_named(
    class_folders: Callable[..., Path], damaged: bytes | str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "_CHUNK", 7)
    root = class_folders(size=(32, 32))
    path = root / "train" / "dog" / "05.png"
    path.write_bytes(path.read_bytes()[:1500] if isinstance(damaged, str) else damaged)
    with pytest.raises(BadRequest) as error:
        folder(root, workers=workers).load()
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="nowhere is not a folder"):
        folder(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"root": None}, r"data\.root is not set"),
        ({"test_fraction": 0.1}, r"data\.test_fraction=0\.1 contradicts"),
        ({"folders": {"train": "train", "dev": "test"}}, "only train and test are allowed"),
        ({"folders": {"test": "val"}}, "no folder val beside it"),
        ({"folders": {"train": "images"}}, "give a fraction"),
        ({"channels": 4}, r"data\.channels=4"),
        ({"size": 0}, r"data\.size=0"),
    ],
)
def test_contradictions_are_one_sentence(
    class_folders: Callable[..., Path], changed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        folder(class_folders(), **changed)


def test_a_class_without_images_is_refused(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    (root / "train" / "eel").mkdir()
    with pytest.raises(BadRequest, match="eel holds no image"):
        folder(root)


def test_a_class_that_is_only_tested_is_refused(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    write_image(root / "test" / "eel" / "00.png")
    with pytest.raises(BadRequest, match="has the class 'eel', which train has not"):
        folder(root)


def test_a_folder_that_changes_before_it_is_loaded_is_refused(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    data = folder(root)
    write_image(root / "test" / "cat" / "00.png", mode="L")
    with pytest.raises(BadRequest, match="has changed since it was listed"):
        data.load()


def test_images_are_decoded_once_for_all_splits_and_normalisations(
    class_folders: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, cache = class_folders(), MemoryCache()
    first = folder(root)
    first.cache = cache
    first.load()
    monkeypatch.setattr("lotto.data.image_folder.decode", lambda *_: pytest.fail("decoded again"))
    second = folder(root, validation=5, split_seed=4, augment=[{"_target_": "lotto.data.augment.HorizontalFlip"}])
    second.cache = cache
    assert torch.equal(everything(second, "test")[0], everything(first, "test")[0])


def test_other_pixels_are_kept_apart(class_folders: Callable[..., Path]) -> None:
    root, cache = class_folders(), MemoryCache()
    for changed in ({}, {"size": 6}, {"channels": 1}):
        data = folder(root, **changed)
        data.cache = cache
        data.load()
    assert len(cache.kept) == 3
