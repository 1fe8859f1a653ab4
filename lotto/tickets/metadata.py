"""What a ticket says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any

from lotto.mask import Mask

FIELDS: dict[str, tuple[type | UnionType, str]] = {
    "model": (dict, "the model's configuration, as `lotto.models.build` takes it"),
    "input_shape": (list, "channels, height, width"),
    "classes": (int, "number of outputs"),
    "data": (dict | None, "identity of the data it was found on"),
    "method": (dict, "how it was found: method, criterion, branch, level, replicate, as the exporter gives them"),
    "pruning": (dict | None, "settings of the last pruning"),
    "density": (float, "weights_remaining / weights_total"),
    "weights_remaining": (int, "prunable weights that the mask keeps"),
    "weights_total": (int, "prunable weights of the dense network"),
    "rewind_step": (int | None, "absolute step that training goes on from"),
    "key": (str | None, "the artifact it was exported from"),
    "start": (str | None, "the artifact that holds its weights"),
    "seeds": (dict | None, "seed and replicate of its random streams"),
    "buffers": (list, "those of its weights that are not parameters"),
}
"""Type and meaning of every field of a ticket's metadata; a file adds format version, tensors and checksums."""


def metadata(
    mask: Mask,
    *,
    model: Mapping[str, Any],
    input_shape: Sequence[int],
    classes: int,
    data: Mapping[str, Any] | None,
    method: Mapping[str, Any],
    pruning: Mapping[str, Any] | None,
    rewind_step: int | None,
    key: str | None,
    start: str | None,
    seeds: Mapping[str, int] | None,
    buffers: Sequence[str],
) -> dict[str, Any]:
    """The metadata of a ticket with that mask: exactly ``FIELDS``, all of them JSON values."""
    return {
        "model": dict(model),
        "input_shape": list(input_shape),
        "classes": classes,
        "data": None if data is None else dict(data),
        "method": dict(method),
        "pruning": None if pruning is None else dict(pruning),
        **counts(mask),
        "rewind_step": rewind_step,
        "key": key,
        "start": start,
        "seeds": None if seeds is None else dict(seeds),
        "buffers": list(buffers),
    }


def counts(mask: Mask) -> dict[str, Any]:
    """The fields that follow from the mask."""
    return {"density": mask.density, "weights_remaining": mask.remaining, "weights_total": mask.total}


def misfit(found: Mapping[str, Any]) -> str | None:
    """The first field that is missing or of another type, or None."""
    return next((name for name, (kind, _) in FIELDS.items() if not isinstance(found.get(name, ...), kind)), None)
