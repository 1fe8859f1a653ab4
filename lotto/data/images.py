"""Reading one image file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from lotto.errors import BadRequest

_MODES = {1: "L", 3: "RGB"}


def image_size(path: Path) -> tuple[int, int]:
    """Width and height, from the header of the image at ``path``; BadRequest if it cannot be read."""
    with _opened(path) as image:
        return image.size


def read_image(path: Path | str, channels: int) -> Image.Image:
    """The image at ``path`` as grey (1 channel) or RGB (3), however stored; BadRequest if it cannot be read."""
    with _opened(path) as image:
        return image.convert(_MODES[channels])


def fit(image: Image.Image, resize: int, size: int) -> Image.Image:
    """Scales the shorter side to ``resize`` pixels and cuts the ``size`` x ``size`` pixels in the middle out."""
    width, height = (side * resize // min(image.size) for side in image.size)
    if (width, height) != image.size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


def to_array(image: Image.Image) -> np.ndarray:
    """The pixels as uint8 ``[C, H, W]``."""
    pixels = np.array(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def _opened(path: Path | str) -> Iterator[Image.Image]:
    """The image file, still undecoded. What goes wrong with it, Pillow reports in many ways."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadRequest(
            f"data.root holds an image that cannot be read, {path}: replace or remove it ({error})."
        ) from error
