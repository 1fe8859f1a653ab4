"""Which images a folder of class folders holds. Imports no torch, since every plan over such a folder lists it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lotto.errors import BadRequest

_EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_FOLDERS = {"train": "train", "test": "test"}


@dataclass(frozen=True)
class Listing:
    """The images below ``root``, in order of their path, those of the training folder before those of the test folder.

    ``files`` holds (relative path, bytes); the label of an image is the place of its folder's name among the sorted
    ``classes``; ``test`` of the images are for testing: the last ones or, where ``sampled``, a random sample.
    """

    root: Path
    files: list[tuple[str, int]]
    classes: tuple[str, ...]
    test: int
    sampled: bool

    @property
    def train(self) -> int:
        """How many images are for training and validation."""
        return len(self.files) - self.test

    @cached_property
    def labels(self) -> list[int]:
        """The label of every file."""
        number = {name: label for label, name in enumerate(self.classes)}
        return [number[relative.split("/")[-2]] for relative, _ in self.files]

    def path(self, index: int) -> Path:
        """Where the image at ``index`` lies."""
        return self.root / self.files[index][0]

    def digest(self) -> str:
        """SHA-256 over every relative path and size, the same wherever the folder lies."""
        lines = "".join(f"{relative}\0{size}\n" for relative, size in self.files)
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def list_images(root: str | None, folders: Mapping[str, str] | None, test_fraction: float | None) -> Listing:
    """Lists ``<root>/<train>/<class>/*`` and ``<root>/<test>/<class>/*``, or else ``<root>/<class>/*``.

    Args:
        root: the folder, ``data.root``.
        folders: what the two folders are called, ``{train: train, test: test}`` if None.
        test_fraction: the fraction held out for testing where there are no two folders, else None.

    Raises:
        BadRequest: the folder or an image is missing, or its layout contradicts ``test_fraction``.
    """
    if root is None:
        raise BadRequest("data.root is not set: give the folder of your images with data.root=….")
    home, names = Path(root).expanduser(), {**_FOLDERS, **(folders or {})}
    if set(names) != set(_FOLDERS):
        raise BadRequest(f"data.folders names the splits {', '.join(sorted(names))}: only train and test are allowed.")
    if not home.is_dir():
        raise BadRequest(
            f"data.root={root} is not a folder (looked at {home.resolve()}): give the folder of your images."
        )
    if (home / names["train"]).is_dir():
        return _list_two(home, names, test_fraction)
    return _list_one(home, names, test_fraction)


def _list_two(home: Path, names: Mapping[str, str], test_fraction: float | None) -> Listing:
    if test_fraction is not None:
        raise BadRequest(
            f"data.test_fraction={test_fraction} contradicts the folder {home / names['train']}: "
            "leave it null where training and test images lie apart."
        )
    if not (home / names["test"]).is_dir():
        raise BadRequest(f"data.root={home} has a folder {names['train']} but no folder {names['test']} beside it.")
    train, classes = _list_classes(home, f"{names['train']}/")
    test, test_classes = _list_classes(home, f"{names['test']}/")
    if unknown := sorted(set(test_classes) - set(classes)):
        raise BadRequest(f"{home / names['test']} has the class {unknown[0]!r}, which {names['train']} has not.")
    return Listing(home, train + test, classes, len(test), sampled=False)


def _list_one(home: Path, names: Mapping[str, str], test_fraction: float | None) -> Listing:
    if not isinstance(test_fraction, float) or not 0 < test_fraction < 1:
        raise BadRequest(
            f"data.test_fraction={test_fraction} with no folder {names['train']} in {home}: give a fraction between 0 "
            "and 1, such as 0.1, to be held out for testing."
        )
    files, classes = _list_classes(home, "")
    return Listing(home, files, classes, round(test_fraction * len(files)), sampled=True)


def _list_classes(home: Path, prefix: str) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    """The images below ``<home>/<prefix>``, in order, and the sorted names of its class folders."""
    with os.scandir(home / prefix) as entries:
        classes = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    files: list[tuple[str, int]] = []
    for name in classes:
        images = sorted(_images(home, f"{prefix}{name}/"))
        if not images:
            raise BadRequest(
                f"{home / prefix / name} holds no image: each class folder holds at least one of {_formats()}."
            )
        files += images
    if not files:
        raise BadRequest(f"{home / prefix} holds no class folder: images are looked for in <class>/*.")
    return files, tuple(classes)


def _images(home: Path, folder: str) -> Iterator[tuple[str, int]]:
    with os.scandir(home / folder) as entries:
        for entry in entries:
            if entry.name.lower().endswith(_EXTENSIONS) and not entry.name.startswith("."):
                yield folder + entry.name, entry.stat().st_size


def _formats() -> str:
    return ", ".join(_EXTENSIONS)
