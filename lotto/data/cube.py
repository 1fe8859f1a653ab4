"""Points of a cube: where a function is approximated."""

from __future__ import annotations

from lotto.data.facts import Facts
from lotto.errors import BadRequest


class Cube:
    """No set of examples: its points have no labels, and what they are follows from the configuration (``lotto.universal.measure``).

    Raises:
        BadRequest: whatever is to be trained on it.
    """

    def __init__(self, facts: Facts, draw: str, low: float, high: float) -> None:
        raise BadRequest(
            "data=cube has points without labels, on which nothing can be trained: it is for method=universal."
        )
