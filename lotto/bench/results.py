"""All that one ``lotto bench`` found out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lotto.bench.settings import BenchSettings
from lotto.bench.summary import Block


@dataclass(frozen=True)
class BenchResults:
    """What the table and ``bench.json`` are made of.

    Args:
        command: as it would be typed.
        machine: what it was measured on, and with.
        start: seconds from process start to first step, once for every try; empty if that was not asked for.
    """

    command: str
    settings: BenchSettings
    machine: dict[str, Any]
    blocks: tuple[Block, ...]
    start: tuple[float, ...]
