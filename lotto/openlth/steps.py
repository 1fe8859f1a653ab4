"""Training steps as OpenLTH writes them in the names of its files: ``ep2_it218``. Imports no torch."""

from __future__ import annotations

import re

from lotto.errors import BadRequest
from lotto.lengths import Length

_WRITTEN = re.compile(r"model_ep(\d+)_it(\d+)\.pth")


def step_of(file: str) -> Length:
    """The step of ``model_ep{E}_it{I}.pth``.

    Raises:
        BadRequest: the name is another.
    """
    found = _WRITTEN.fullmatch(file)
    if found is None:
        raise BadRequest(f"{file} is not a name that OpenLTH gives a model: model_ep<epoch>_it<iteration>.pth.")
    return Length(int(found[1]), int(found[2]))


def file_at(iteration: int, iterations_per_epoch: int) -> str:
    """The name of the model's file at an iteration."""
    epochs, iterations = divmod(iteration, iterations_per_epoch)
    return f"model_ep{epochs}_it{iterations}.pth"
