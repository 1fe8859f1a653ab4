"""What is known without reading: sizes, steps, identity."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lotto.data.build import build
from lotto.data.facts import facts, held_out, steps_per_epoch
from lotto.errors import BadRequest
from tests.data.data_samples import config, write_image


@pytest.mark.parametrize(
    ("train", "batch_size", "drop_last", "steps"),
    [
        (60_000, 128, False, 469),
        (50_000, 128, False, 391),
        (45_000, 64, True, 703),
        (10, 5, False, 2),
        (10, 11, False, 1),
    ],
)
def test_steps_per_epoch(train: int, batch_size: int, drop_last: bool, steps: int) -> None:
    assert steps_per_epoch(train, batch_size, drop_last) == steps


@pytest.mark.parametrize(("batch_size", "drop_last"), [(0, False), (11, True)])
def test_an_epoch_without_steps_is_refused(batch_size: int, drop_last: bool) -> None:
    with pytest.raises(BadRequest, match=f"batch_size={batch_size}"):
        steps_per_epoch(10, batch_size, drop_last)


@pytest.mark.parametrize(("amount", "held"), [(0, 0), (5, 5), (0.0, 0), (0.1, 3), (0.5, 13)])
def test_held_out_by_count_or_fraction(amount: float, held: int) -> None:
    assert held_out("validation", amount, 26) == held


@pytest.mark.parametrize("amount", [26, -1, 1.0, 0.99, -0.01, float("inf"), float("nan"), True, None, "some"])
def test_held_out_leaves_something_to_train_on(amount: Any) -> None:
    with pytest.raises(BadRequest, match=r"data\.validation="):
        held_out("validation", amount, 26)


def test_facts_import_no_torch(class_folders: Callable[..., Path]) -> None:
    described = json.dumps([config("mnist"), config("modular"), config("image_folder", root=str(class_folders()))])
    check = (
        "import json, sys; from lotto.data.facts import facts\n"
        "for described in json.loads(sys.argv[1]): facts(described)\n"
        "print([name for name in ('torch', 'torchvision', 'lightning') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check, described], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("split", [True, False])
def test_facts_of_a_folder_are_what_loading_finds(class_folders: Callable[..., Path], split: bool) -> None:
    described = config("image_folder", root=str(class_folders(split=split)), test_fraction=None if split else 0.25)
    known, data = facts(described), build(described)
    assert known == data.facts
    assert data.sizes == {"train": known.train, "validation": known.validation, "test": known.test}
    assert (known.validation, known.test) == (2, 6)
    for name, size in data.sizes.items():
        x, y = next(data.evaluation_batches(name, 100))
        assert (len(y), tuple(x.shape[1:])) == (size, known.input_shape)


def test_where_and_how_a_set_is_read_is_not_its_identity() -> None:
    moved = config("mnist", root="elsewhere", download=True, _target_="somewhere.Mnist")
    assert facts(moved).identity == facts(config("mnist")).identity


@pytest.mark.parametrize(
    "changed",
    [
        {"validation": 100},
        {"split_seed": 1},
        {"normalise": {"_target_": "lotto.data.normalise.PerImageL2"}},
        {"name": "other"},
    ],
    ids=str,
)
def test_what_changes_a_number_is_identity(changed: dict[str, Any]) -> None:
    assert facts(config("mnist", **changed)).identity != facts(config("mnist")).identity


def test_a_null_field_is_not_identity() -> None:
    described = config("mnist", augment=None)
    assert "augment" not in facts(described).identity


def test_identity_of_a_folder_follows_its_files_not_its_place(class_folders: Callable[..., Path]) -> None:
    root = class_folders()
    before = facts(config("image_folder", root=str(root))).identity
    assert json.loads(json.dumps(before)) == before
    moved = root.rename(root.with_name("moved"))
    assert facts(config("image_folder", root=str(moved))).identity == before
    write_image(moved / "train" / "cat" / "00.png", seed=999, mode="L")
    assert facts(config("image_folder", root=str(moved))).identity != before


def test_imagenet_is_declared_and_needs_no_folder() -> None:
    composed = {**config("image_stream"), **config("imagenet")}
    composed.pop("defaults")
    known = facts(composed)
    assert (known.train, known.test, known.input_shape, known.classes) == (1_281_167, 50_000, (3, 224, 224), 1000)
    with pytest.raises(BadRequest, match=r"data\.root is not set"):
        build(composed).load()
