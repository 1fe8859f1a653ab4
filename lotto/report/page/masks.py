"""The mask of the first layer as a picture: pixels of the input, or filters."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lotto.report.branches import TICKET, in_order
from lotto.report.evidence import Evidence

UNITS = 12
"""Single units of a fully connected layer whose own masks are shown."""

FILTERS = 256
"""Filters of a convolution that are shown."""

BUDGET = 1_500_000
"""Characters that all pictures together may take; further replicates are left out."""


def first_layer_masks(table: pd.DataFrame, evidence: Evidence, budget: int = BUDGET) -> dict[str, Any] | None:
    """The first layer's mask of every row whose mask is its own; None where it has none or is no picture.

    A fully connected layer on images of ``C`` x ``H`` x ``W`` has, for every level, the number of kept connections of each
    pixel (channels together) and the masks of the units that keep most at the sparsest level; a convolution the masks of its filters.
    Replicates are left out that would take more than ``budget`` characters.
    A control that shares its ticket's mask, such as reinit, is not shown twice. Bits are packed, the highest first.
    """
    order, shape = evidence.layer_order(), evidence.input_shape()
    if not order or len(shape) != 3:
        return None
    layer = order[0]
    sample = next((mask for key in table["key"] if (mask := evidence.mask(key, layer)) is not None), None)
    if sample is None:
        return None
    picture = _picture(sample, shape)
    if picture is None:
        return None
    frames: dict[str, dict[str, dict[str, Any]]] = {}
    spent = 0
    for replicate, rows in table[table.get("sample", pd.Series(0, table.index)) == 0].groupby("replicate"):
        made = dict(_frames(rows, evidence, layer, picture))
        cost = sum(len(str(frame)) for levels in made.values() for frame in levels.values())
        if frames and spent + cost > budget:
            break
        spent += cost
        for branch, levels in made.items():
            frames.setdefault(branch, {})[str(replicate)] = levels
    replicates = int(table["replicate"].nunique())
    about = {"layer": layer, "shape": list(sample.shape), "replicates": replicates, **picture}
    return {**about, "frames": frames} if frames else None


def picture_of(layer: str, mask: np.ndarray, shape: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """How a single mask is drawn, and its picture; None where it is none."""
    picture = _picture(mask, shape) if len(shape) == 3 else None
    if picture is None:
        return None
    return {"layer": layer, "shape": list(mask.shape), **picture}, _frame(mask, picture, _fullest(mask, picture))


def _picture(mask: np.ndarray, shape: tuple[int, ...]) -> dict[str, Any] | None:
    """How the masks of this layer are to be drawn."""
    if mask.ndim == 2 and mask.shape[1] == math.prod(shape):
        return {"kind": "pixels", "image": list(shape), "units": min(UNITS, mask.shape[0])}
    if mask.ndim == 4:
        return {"kind": "filters", "filters": min(FILTERS, mask.shape[0])}
    return None


def _frames(
    rows: pd.DataFrame, evidence: Evidence, layer: str, picture: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of one replicate: for every branch with masks of its own the picture at each level."""
    masks = {
        str(branch): {
            int(level): mask
            for level, key in own.sort_values("level")[["level", "key"]].itertuples(index=False, name=None)
            if (mask := evidence.mask(str(key), layer)) is not None
        }
        for branch in in_order(rows["branch"])
        for own in [rows[rows["branch"] == branch]]
    }
    ticket = masks.get(TICKET, {})
    chosen = _fullest(ticket[max(ticket)], picture) if ticket else np.arange(picture.get("units", 0))
    for branch, levels in masks.items():
        if branch != TICKET and all(
            level in ticket and np.array_equal(mask, ticket[level]) for level, mask in levels.items()
        ):
            continue
        shown = {str(level): _frame(mask, picture, chosen) for level, mask in levels.items()}
        if branch == TICKET and levels:
            shown = {"0": _frame(np.ones_like(next(iter(levels.values()))), picture, chosen), **shown}
        yield branch, shown


def _fullest(mask: np.ndarray, picture: Mapping[str, Any]) -> np.ndarray:
    """The units that keep most, in their own order."""
    if picture["kind"] != "pixels":
        return np.arange(0)
    return np.sort(np.argsort(-mask.sum(axis=1, dtype=np.int64), kind="stable")[: picture["units"]])


def _frame(mask: np.ndarray, picture: Mapping[str, Any], chosen: np.ndarray) -> dict[str, Any]:
    if picture["kind"] == "filters":
        return {"kept": int(mask.sum(dtype=np.int64)), "bits": _packed(mask[: picture["filters"]])}
    channels, height, width = picture["image"]
    pixels = mask.reshape(-1, channels, height * width).sum(axis=(0, 1), dtype=np.int64)
    return {
        "kept": int(pixels.sum()),
        "pixels": pixels.tolist(),
        "units": chosen.tolist(),
        # A pixel of a unit is kept if any of its channels is.
        "bits": _packed(mask[chosen].reshape(len(chosen), channels, height * width).any(axis=1)),
    }


def _packed(mask: np.ndarray) -> str:
    return base64.b64encode(np.packbits(mask.astype(bool).ravel()).tobytes()).decode()
