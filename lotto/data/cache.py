"""Where decoded images are kept between runs."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor


class DataCache(Protocol):
    """Keeps tensors by the fields that determine them."""

    def load(self, key_fields: dict[str, Any]) -> dict[str, Tensor] | None:
        """The tensors kept under these fields, or None."""

    def save(self, key_fields: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Keeps the tensors under these fields."""
