"""From a configuration to a data set."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate

from lotto.data.facts import facts
from lotto.data.interface import Data
from lotto.data.part import Part
from lotto.errors import BadRequest

# Fields that say what the set is; its constructor is given the facts made of them.
_DECLARATIONS = frozenset({"name", "declared_by", "examples", "input_shape", "classes", "validation", "part"})


def build(config: Mapping[str, Any]) -> Data:
    """The data set that the mapping ``config`` describes, not yet loaded: a ``ResidentData`` or a ``StreamedData``.

    Raises:
        BadRequest: a field is unknown, missing, not allowed or contradicts another.
    """
    settings = {field: value for field, value in config.items() if field not in _DECLARATIONS}
    try:
        make = instantiate(settings, _partial_=True, _convert_="all")
    except InstantiationException as error:
        if isinstance(error.__cause__, BadRequest):
            raise error.__cause__ from error
        raise BadRequest(f"data cannot be built as configured: {error}") from error
    _check_fields(make.func, make.keywords, str(config.get("name")))
    data = make(facts=facts({**config, "part": None}))
    if config.get("part") is not None:
        data.narrow(Part.read(config["part"]))
    return data


def _check_fields(constructor: type[Data], given: Mapping[str, Any], name: str) -> None:
    parameters = {field: p for field, p in inspect.signature(constructor).parameters.items() if field != "facts"}
    if unknown := sorted(set(given) - set(parameters)):
        allowed = sorted(_DECLARATIONS | set(parameters))
        raise BadRequest(f"data.{unknown[0]} is not a field of data={name}: {', '.join(allowed)} are allowed.")
    needed = {field for field, p in parameters.items() if p.default is p.empty}
    if missing := sorted(field for field in needed if given.get(field) is None):
        raise BadRequest(f"data.{missing[0]} is missing: data={name} needs it.")
