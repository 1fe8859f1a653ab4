"""Data sets small enough to check by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image
from torch import nn

from lotto.data.augment import Augmentation
from lotto.data.base import Labelled, ResidentData
from lotto.data.facts import Facts
from lotto.data.normalise import Scale
from lotto.seeds import Streams

CONF = Path(__file__).parents[2] / "conf" / "data"


class TinySet(ResidentData):
    """23 images to train on, 4 to validate on and 5 to test on, told apart by their pixels and labels."""

    def __init__(
        self, augment: Sequence[Augmentation] = (), normalise: nn.Module | None = None, split_seed: int = 0
    ) -> None:
        facts = Facts(23, 4, 5, (2, 6, 5), 27, {})
        super().__init__(facts, normalise or Scale(1), augment, split_seed)

    def read(self) -> tuple[Labelled, Labelled]:
        pixels = torch.randint(256, (32, 2, 6, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(7))
        return Labelled(pixels[:27], torch.arange(27)), Labelled(pixels[27:], torch.arange(5))


def config(name: str, /, **changed: Any) -> dict[str, Any]:
    """The plain mapping of ``conf/data/<name>.yaml`` with some fields changed."""
    return {**yaml.safe_load((CONF / f"{name}.yaml").read_text()), **changed}


def replicates(count: int) -> list[Streams]:
    return [Streams(3, replicate) for replicate in range(count)]


def write_image(path: Path, size: tuple[int, int] = (8, 8), mode: str = "RGB", seed: int = 0) -> None:
    """Noise as a PNG file of ``size`` (width, height)."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)
