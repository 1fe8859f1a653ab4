"""Whether a claim holds: its rule, applied to what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lotto.reproduce.claim import Claim
from lotto.reproduce.quantity import Measured, Tables, measured

HOLDS = "holds"
DIRECTION = "holds at this scale only in direction"
FAILS = "does not hold"
UNTESTABLE = "not testable at this scale"
VERDICTS = (HOLDS, DIRECTION, FAILS, UNTESTABLE)


@dataclass(frozen=True)
class Verdict:
    """A claim beside what was measured.

    Args:
        verdict: one of ``VERDICTS``; of the mean over replicates.
        reason: why it is not testable, or what keeps the verdict from being certain.
    """

    claim: Claim
    found: Measured
    verdict: str
    reason: str

    @property
    def difference(self) -> float | None:
        """Measured less published, where both are numbers."""
        if self.found.value is None or math.isinf(self.found.value) or isinstance(self.claim.published, str):
            return None
        return self.found.value - self.claim.published


def judge(claim: Claim, tables: Tables) -> Verdict:
    """Apply the claim's rule: to the mean over replicates, saying beside it where the 95% interval reaches across the rule's bounds."""
    found = measured(claim, tables)
    if found.value is None:
        return Verdict(claim, found, UNTESTABLE, found.reason)
    if claim.holds.hold(found.value):
        verdict = HOLDS
    elif claim.direction is not None and claim.direction.hold(found.value):
        verdict = DIRECTION
    else:
        verdict = FAILS
    return Verdict(claim, found, verdict, _doubt(claim, found, verdict))


def _doubt(claim: Claim, found: Measured, verdict: str) -> str:
    words = [found.where] if found.where else []
    if found.n == 1:
        words.append("one replicate: no interval")
    elif not math.isnan(found.low):
        bounds = claim.direction if verdict == DIRECTION and claim.direction else claim.holds
        inside = [bounds.hold(end) for end in (found.low, found.high)]
        if inside != [verdict != FAILS] * 2:
            words.append("the interval reaches across the bound")
    return "; ".join(words)
