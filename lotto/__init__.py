"""lotto: a research framework for the Lottery Ticket Hypothesis.

Everything the command line does is a function here; each is imported when it is first used, so that ``import lotto`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lotto.api import run
    from lotto.mask import Mask
    from lotto.pruning.api import prune, scores
    from lotto.slimming import slim
    from lotto.tickets import Ticket, load_ticket, save_ticket

__all__ = ["Mask", "Ticket", "load_ticket", "prune", "run", "save_ticket", "scores", "slim"]

_HOMES = {
    "Mask": "lotto.mask",
    "Ticket": "lotto.tickets",
    "load_ticket": "lotto.tickets",
    "prune": "lotto.pruning.api",
    "run": "lotto.api",
    "save_ticket": "lotto.tickets",
    "scores": "lotto.pruning.api",
    "slim": "lotto.slimming",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lotto' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
