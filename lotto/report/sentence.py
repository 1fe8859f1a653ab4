"""A finding in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lotto.report.measures import MINUS, weights_percent

if TYPE_CHECKING:
    from lotto.report.finding import Finding, LevelMean
    from lotto.report.paired import Difference


def sentence(finding: Finding) -> str:
    """All that ``finding`` holds, the answer first; nothing it cannot show is claimed."""
    dense, phrase = finding.dense, finding.measure.phrase
    if dense is None:
        return f"The {phrase} of the dense network is not known, so no ticket can be compared with it."
    if finding.subject is None:
        return f"Only the dense network was trained: {phrase} {_percent(dense)} (n = {dense.n})."
    parts = [_answer(finding, dense, finding.subject), _interval(finding)]
    if finding.against_dense is not None:
        parts.append(f"Against the dense network it {_verb(finding.against_dense)}.")
    if finding.smallest is not None:
        parts += [_misses(finding.misses), _controls(finding.controls), _verdict(finding.controls)]
    return " ".join(filter(None, parts))


def _answer(finding: Finding, dense: LevelMean, subject: LevelMean) -> str:
    """Which ticket matches, by which accuracies."""
    phrase = finding.measure.phrase
    numbers = f"{_percent(subject)} against {_percent(dense)}"
    if math.isnan(finding.dense_sd):
        spread = "with one replicate there is no spread and no interval, and single accuracies are compared"
        rule = "is at least as accurate as"
    else:
        spread = f"one standard deviation is {_points(finding.dense_sd, 2)} points, n = {dense.n}"
        rule = "comes within one standard deviation of"
    if finding.smallest is None:
        return (
            f"No sparse ticket {rule} the dense network: the most accurate, {_where(subject)}, has "
            f"{phrase} {numbers} ({spread})."
        )
    return f"The smallest ticket that {rule} the dense network keeps {_where(subject)}: {phrase} {numbers} ({spread})."


def _interval(finding: Finding) -> str:
    """How sure the smallest matching density is; one replicate cannot say, as the answer tells."""
    interval = finding.interval
    if interval is None or interval.n < 2:
        return ""
    without = interval.share_without
    if finding.smallest is None:
        return f"One does in {_share(1 - without)} of the bootstrap resamples (n = {interval.n})."
    low, high = weights_percent(interval.low), weights_percent(interval.high)
    none = f"; none matches in {_share(without)} of the resamples" if without else ""
    end = "; no sparser one was trained" if interval.is_open else ""
    return f"The 95% bootstrap interval of that density is {low}% to {high}% (n = {interval.n}{none}{end})."


def _misses(misses: tuple[LevelMean, ...]) -> str:
    """The larger densities that fail to match: the smallest match is then one of several islands."""
    if not misses:
        return ""
    short = f"{_agree(misses, 'falls', 'fall')} short"
    return f"But not every larger ticket matches: {_listed(_where(mean) for mean in misses)} {short}."


def _controls(controls: dict[str, Difference]) -> str:
    if not controls:
        return "Without a control the accuracy alone shows no winning ticket."
    clauses = [f"{name} {_verb(control)}" for name, control in controls.items()]
    return f"Against the ticket at that level, {'; '.join(clauses)}."


def _verdict(controls: dict[str, Difference]) -> str:
    """Whether the controls lose, as they must beside a winning ticket."""
    if not controls:
        return ""
    standing = [name for name, control in controls.items() if not (control.is_reliable and control.mean < 0)]
    if not standing:
        return "Every control loses reliably, as it must beside a winning ticket."
    verb = _agree(standing, "is", "are")
    return f"A winning ticket must beat its controls: {_listed(standing)} {verb} not shown to lose."


def _verb(difference: Difference) -> str:
    """What the one side does against the other: ``loses 1.9 points (95% interval 1.1 to 2.7, n = 5)``."""
    if difference.n == 0:
        return "was not trained"
    sign = -1 if difference.mean < 0 else 1
    verb = "loses" if sign < 0 else "gains"
    if difference.n == 1 and difference.mean == 0:
        return "is equal (n = 1, no interval)"
    if difference.n == 1:
        return f"{verb} {_points(sign * difference.mean, 2)} points (n = 1, no interval)"
    decimals = _decimals(difference)
    if not difference.is_reliable:
        mean, low, high = (_points(value, decimals) for value in (difference.mean, difference.low, difference.high))
        return f"does not differ reliably ({mean} points, 95% interval {low} to {high}, n = {difference.n})"
    ends = sorted((sign * difference.low, sign * difference.high))
    low, high = (_points(end, decimals) for end in ends)
    return (
        f"{verb} {_points(sign * difference.mean, decimals)} points (95% interval {low} to {high}, n = {difference.n})"
    )


def _decimals(difference: Difference) -> int:
    """A tenth of a point says enough where the interval is wider than a point."""
    return 1 if difference.high - difference.low > 0.01 else 2


def _points(fraction: float, decimals: int) -> str:
    """A difference of accuracies in percentage points, signed below zero even where it rounds to zero."""
    return f"{100 * fraction:.{decimals}f}".replace("-", MINUS)


def _percent(mean: LevelMean) -> str:
    return f"{100 * mean.accuracy:.2f}%"


def _share(share: float) -> str:
    """A share in whole percent, which is 0% or 100% only where it is none or all."""
    if 0 < share < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 < share < 1 else f"{100 * share:.0f}%"


def _where(mean: LevelMean) -> str:
    return f"{weights_percent(mean.density)}% of the weights (level {mean.level})"


def _listed(texts: Iterable[str]) -> str:
    *head, last = texts
    return f"{', '.join(head)} and {last}" if head else last


def _agree(subjects: tuple[object, ...] | list[str], singular: str, plural: str) -> str:
    return singular if len(subjects) == 1 else plural
