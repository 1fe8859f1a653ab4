"""Whether building a model runs code that lotto did not write: a ticket may come from anyone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

_TARGET = re.compile(r"(lotto\.models\.[a-z0-9_]+)\.([A-Za-z]\w*)")


def is_ours(config: Mapping[str, Any]) -> bool:
    """Whether ``config`` builds one of lotto's own networks and names nothing else that would be called."""
    found = _TARGET.fullmatch(str(config.get("_target_")))
    if found is None or any(_calls(value) for value in config.values()):
        return False
    try:
        target = getattr(import_module(found[1]), found[2])
    except (ImportError, AttributeError):
        return False
    # What a module has merely imported is somebody else's.
    return getattr(target, "__module__", None) == found[1]


def _calls(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(_calls(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_calls(item) for item in value)
