"""Lengths of training: ``500it``, ``160ep``, ``2ep100it`` or a bare number of iterations; and moments of it, as ``75%`` of its length."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from lotto.errors import BadRequest

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")
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


def moment(written: object, field: str, steps: int, steps_per_epoch: int) -> int:
    """A moment of a training of so many steps: a length from its beginning, or a share of it such as ``75%`` or 0.75.

    Args:
        field: named in the sentence that refuses it.

    Raises:
        BadRequest: it is neither, or lies beyond the end.
    """
    share = _share(written)
    at = round(share * steps) if share is not None else Length.parse(written, field).steps(steps_per_epoch)
    if not 0 <= at <= steps:
        raise BadRequest(f"{field}={written} lies beyond the {steps} steps of training: at most 100%.")
    return at


def _share(written: object) -> float | None:
    if isinstance(written, float):
        return written if math.isfinite(written) else None
    found = _PERCENT.fullmatch(str(written).strip())
    return float(found[1]) / 100 if found else None
