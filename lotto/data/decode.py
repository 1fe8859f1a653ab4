"""Reading many image files at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from lotto.data.images import fit, read_image, to_array
from lotto.errors import BadRequest

# Images that a process is given at a time.
_CHUNK = 128


def decode(paths: Sequence[Path], shape: tuple[int, int, int], size: int | None, workers: int | None) -> np.ndarray:
    """All images as one uint8 array ``[n, C, H, W]``, read by ``workers`` processes (one a core if None).

    Raises:
        BadRequest: an image cannot be read or, with ``size`` null, has another height and width than ``shape``.
    """
    images = np.empty((len(paths), *shape), dtype=np.uint8)
    chunks = [paths[first : first + _CHUNK] for first in range(0, len(paths), _CHUNK)]
    decode_chunk = partial(_decode_chunk, shape=shape, size=size)
    workers = min(os.cpu_count() or 1 if workers is None else workers, len(chunks))
    if workers <= 1:
        _collect(map(decode_chunk, chunks), images)
        return images
    # Processes, since with small images most of the time goes into Python code, where threads wait for each other.
    with ProcessPoolExecutor(workers) as pool:
        try:
            _collect(pool.map(decode_chunk, chunks), images)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return images


def _decode_chunk(paths: Sequence[Path], shape: tuple[int, int, int], size: int | None) -> np.ndarray:
    return np.stack([_decode_one(path, shape, size) for path in paths])


def _decode_one(path: Path, shape: tuple[int, int, int], size: int | None) -> np.ndarray:
    image = read_image(path, shape[0])
    if size is not None:
        return to_array(fit(image, size, size))
    if image.size != (shape[2], shape[1]):
        raise BadRequest(
            f"data.size=null asks for images of one size, but {path} has {image.size[0]}x{image.size[1]} pixels where "
            f"the first image has {shape[2]}x{shape[1]}: set data.size to scale all of them."
        )
    return to_array(image)


def _collect(chunks: Iterable[np.ndarray], images: np.ndarray) -> None:
    """Fills ``images`` chunk by chunk, with a progress bar in a terminal."""
    console = Console(stderr=True)
    total = -(-len(images) // _CHUNK)
    shown = track(chunks, "Decoding images", total=total, console=console, disable=not sys.stderr.isatty())
    for number, chunk in enumerate(shown):
        images[number * _CHUNK : number * _CHUNK + len(chunk)] = chunk
