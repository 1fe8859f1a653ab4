"""Images decoded while training goes on: the same batches however they are come by."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from lotto.data import image_stream
from lotto.data.build import build
from lotto.data.image_stream import StreamedData
from lotto.data.images import fit, read_image
from lotto.data.share import Share
from lotto.data.views import RandomView
from lotto.errors import BadRequest
from tests.data.data_samples import config, replicates, write_image

PLAIN = {"_target_": "lotto.data.normalise.Scale", "by": 1}


def stream(root: Path, /, **changed: Any) -> StreamedData:
    small = {"root": str(root), "size": 6, "resize": 8, "workers": 0, "normalise": PLAIN}
    data = build(config("image_stream", **{**small, **changed}))
    assert isinstance(data, StreamedData)
    return data


def batches(data: StreamedData, start: int, stop: int, count: int = 2) -> list[tuple[Tensor, Tensor]]:
    return list(data.train_batches(replicates(count), start, stop, 5, False))


def equal(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(p, q) for one, other in zip(a, b, strict=True) for p, q in zip(one, other, strict=True)
    )


@pytest.fixture
def root(class_folders: Callable[..., Path]) -> Path:
    return class_folders(size=(14, 11))


def test_shapes_and_partial_batches(root: Path) -> None:
    found = batches(stream(root), 0, 5)
    assert [tuple(x.shape) for x, _ in found] == [(2, n, 3, 6, 6) for n in (5, 5, 5, 3, 5)]
    assert found[0][0].dtype == torch.float32 and found[0][1].dtype == torch.int64


def test_any_step_can_be_the_first(root: Path) -> None:
    whole = batches(stream(root), 0, 8)
    for start in (1, 3, 4, 6):
        assert equal(batches(stream(root), start, 8), whole[start:])


def test_workers_change_nothing(root: Path) -> None:
    assert equal(batches(stream(root), 2, 6), batches(stream(root, workers=2), 2, 6))


def test_stacked_replicates_see_what_they_see_alone(root: Path) -> None:
    stacked = batches(stream(root), 0, 5)
    assert equal(batches(stream(root), 0, 5, count=1), [(x[:1], y[:1]) for x, y in stacked])


def test_shares_of_a_batch_are_the_batch_and_decode_their_own_rows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def read_and_count(path: str, channels: int) -> Image.Image:
        decoded.append(path)
        return read_image(path, channels)

    whole, held = batches(stream(root), 1, 5), list(stream(root).evaluation_batches("test", 2))
    monkeypatch.setattr(image_stream, "read_image", read_and_count)
    parts, tested = [], []
    for rank in range(2):
        data, share = stream(root), Share(rank, 2)
        parts.append(list(data.train_batches(replicates(2), 1, 5, 5, False, share)))
        assert len(decoded) == sum(x.shape[0] * x.shape[1] for x, _ in parts[-1])
        decoded.clear()
        tested += list(data.evaluation_batches("test", 2, share))
        decoded.clear()
    assert [(x.shape[1], y.shape[1]) for x, y in parts[0]] == [(2, 5), (2, 5), (1, 3), (2, 5)]
    joined = [(torch.cat([x, other], 1), y) for (x, y), (other, _) in zip(*parts, strict=True)]
    assert equal(joined, whole) and all(torch.equal(y, other) for (_, y), (_, other) in zip(*parts, strict=True))
    assert torch.equal(torch.cat([x for x, _ in tested]), torch.cat([x for x, _ in held]))
    assert torch.equal(torch.cat([y for _, y in tested]), torch.cat([y for _, y in held]))


def test_skipped_examples_are_not_decoded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def read_and_count(path: str, channels: int) -> Image.Image:
        decoded.append(path)
        return read_image(path, channels)

    monkeypatch.setattr(image_stream, "read_image", read_and_count)
    batches(stream(root), 3, 4, count=1)
    assert len(decoded) == 3


def test_views_change_with_epoch_and_replicate(root: Path) -> None:
    whole = list(stream(root).train_batches(replicates(2), 0, 2, 18, False))
    rows = {tuple(row.tolist()) for x, _ in whole for row in x.flatten(0, 1).flatten(1)}
    assert len(rows) > 18 * 3


def test_without_augmentation_training_sees_what_evaluation_sees(root: Path) -> None:
    data = stream(root, augment=None)
    trained = next(data.train_batches(replicates(1), 0, 1, 18, False))[0][0].flatten(1)
    evaluated = next(data.evaluation_batches("train", 18))[0].flatten(1)
    assert sorted(trained.tolist()) == sorted(evaluated.tolist())


def test_evaluation_scales_and_cuts_the_middle_out_in_order(root: Path) -> None:
    found = list(stream(root).evaluation_batches("test", 4))
    paths = sorted(root.glob("test/*/*.png"))
    wanted = [np.array(fit(Image.open(path), 8, 6)).transpose(2, 0, 1) for path in paths]
    assert torch.equal(torch.cat([x for x, _ in found]), torch.tensor(np.stack(wanted)).float())
    assert torch.cat([y for _, y in found]).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("size", [(14, 11), (45, 90), (90, 45), (26, 26), (31, 77)])
def test_the_view_of_evaluation_is_torchvisions(size: tuple[int, int], tmp_path: Path) -> None:
    write_image(tmp_path / "one.png", size)
    image = Image.open(tmp_path / "one.png")
    wanted = transforms.CenterCrop(21)(transforms.Resize(26)(image))
    assert np.array_equal(np.asarray(fit(image, 26, 21)), np.asarray(wanted))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_one_sentence(root: Path, workers: int) -> None:
    path = root / "test" / "dog" / "01.png"
    path.write_bytes(b"not an image")
    with pytest.raises(BadRequest) as error:
        list(stream(root, workers=workers).evaluation_batches("test", 2))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_batches_draw_nothing_from_the_global_stream(root: Path) -> None:
    before = torch.get_rng_state()
    batches(stream(root), 0, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_declared_sizes_are_checked_against_the_folder(root: Path) -> None:
    data = stream(root, examples={"train": 21, "test": 6}, classes=2)
    with pytest.raises(
        BadRequest, match="has 20 training and 6 test images of 2 classes where 21, 6 and 2 are declared"
    ):
        data.load()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"size": 9}, r"data\.resize=8 is not allowed with data\.size=9"), ({"size": None}, r"data\.size is missing")],
)
def test_contradictions_are_one_sentence(root: Path, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        stream(root, **changed)


def test_views_keep_to_their_area_and_ratio() -> None:
    view, draw = RandomView((0.1, 1.0), (0.8, 1.25)), random.Random(0)
    shares = []
    for _ in range(2000):
        left, top, right, bottom = view._box(100, 80, draw)
        width, height = right - left, bottom - top
        assert min(left, top) >= 0 and right <= 100 and bottom <= 80
        assert 0.76 < width / height < 1.32
        shares.append(width * height / 8000)
    assert 0.09 < min(shares) < 0.12
    assert max(shares) > 0.9


def test_a_view_that_cannot_be_drawn_is_the_middle() -> None:
    assert RandomView((1.0, 1.0), (0.8, 1.25))._box(400, 10, random.Random(0)) == (194, 0, 206, 10)


def test_half_of_the_views_are_mirrored(tmp_path: Path) -> None:
    write_image(tmp_path / "one.png")
    image = Image.open(tmp_path / "one.png")
    whole = RandomView((1.0, 1.0), (1.0, 1.0))
    seen = [np.array_equal(np.asarray(whole(image, 8, random.Random(n))), np.asarray(image)) for n in range(400)]
    assert 150 < sum(seen) < 250


@pytest.mark.parametrize(("scale", "ratio"), [((0, 1), (1, 1)), ((0.5, 2), (1, 1)), ((0.5, 1), (2, 1))])
def test_views_must_be_possible(scale: tuple[float, float], ratio: tuple[float, float]) -> None:
    with pytest.raises(BadRequest, match=r"data\.augment"):
        RandomView(scale, ratio)
