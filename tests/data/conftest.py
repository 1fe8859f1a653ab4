"""Folders of images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.data_samples import write_image


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of cats and dogs: 10 a class to train on and 3 to test on, or 13 where it is not split."""

    def make(name: str = "images", split: bool = True, size: tuple[int, int] = (8, 8)) -> Path:
        root = tmp_path / name
        folders = {"train/": 10, "test/": 3} if split else {"": 13}
        for folder, count in folders.items():
            for label, kind in enumerate(("cat", "dog")):
                for number in range(count):
                    seed = 100 * label + number + 50 * (folder == "test/")
                    write_image(root / f"{folder}{kind}" / f"{number:02}.png", size, seed=seed)
        return root

    return make
