"""Lengths of training: ``500it``, ``160ep``, ``2ep100it`` or a bare number of iterations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lotto.errors import BadRequest

_WRITTEN = re.compile(r"(?:(?P<ep>\d+)ep)?(?:(?P<it>\d+)it)?")


@dataclass(frozen=True)
class Length:
    """A length in epochs plus iterations; ``steps`` turns it into optimizer steps."""

    epochs: int
    iterations: int

    @classmethod
    def parse(cls, written: object, field: str) -> Length:
        """Read ``written``; ``field`` is named in the sentence that refuses it."""
        text = str(written).strip()
        if text.isdecimal():
            return cls(0, int(text))
        found = _WRITTEN.fullmatch(text)
        if not text or found is None:
            raise BadRequest(
                f"{field}={written} is not a length: write iterations (500it), epochs (3ep) or both (2ep100it)."
            )
        return cls(int(found["ep"] or 0), int(found["it"] or 0))

    def steps(self, steps_per_epoch: int) -> int:
        return self.epochs * steps_per_epoch + self.iterations
