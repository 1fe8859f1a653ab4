"""What a table of results says about the lottery ticket hypothesis."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from lotto.report.branches import TICKET, in_order
from lotto.report.matching import DensityInterval, bar, density_interval
from lotto.report.measures import ACCURACY, Measure, accuracy_measure
from lotto.report.paired import Difference, paired_difference
from lotto.report.sentence import sentence
from lotto.report.summary import by_replicate


@dataclass(frozen=True)
class LevelMean:
    """One level of the ticket: mean density and accuracy over its ``n`` replicates."""

    level: int
    density: float
    accuracy: float
    n: int


@dataclass(frozen=True)
class Finding:
    """The smallest matching ticket and what it is compared with.

    ``dense`` is None where the measure is not known for the dense network; ``dense_sd`` is NaN for one replicate.
    ``smallest`` is the matching level of smallest density, None where none matches; ``closest`` the most accurate
    sparse level, None where there is none; ``misses`` the levels of larger density that do not match. ``subject`` is
    the level compared: ``smallest``, or else ``closest``. ``against_dense`` is subject - dense; ``controls`` holds
    control - ticket there, with n = 0 for a control not trained there, and is empty where there is no control or
    nothing to compare. ``interval`` is that of the smallest matching density, over all levels; None where there is
    nothing to compare.
    """

    measure: Measure
    dense: LevelMean | None
    dense_sd: float
    smallest: LevelMean | None
    closest: LevelMean | None
    misses: tuple[LevelMean, ...]
    against_dense: Difference | None
    controls: dict[str, Difference]
    interval: DensityInterval | None

    @property
    def subject(self) -> LevelMean | None:
        """The level whose numbers are compared."""
        return self.smallest or self.closest

    @property
    def level(self) -> int | None:
        """Level of the smallest matching ticket."""
        return self.smallest.level if self.smallest else None

    @property
    def density(self) -> float | None:
        """Density of the smallest matching ticket."""
        return self.smallest.density if self.smallest else None

    @property
    def sentence(self) -> str:
        """The finding in words, with n and the interval of every difference."""
        return sentence(self)


def find(table: pd.DataFrame, measure: str = ACCURACY.column) -> Finding:
    """The smallest density at which the ticket still matches the dense network, and what the controls do there.

    A level *matches* when the ticket's mean accuracy is at least the dense network's mean accuracy minus the standard
    deviation of the dense accuracy over replicates (n - 1 in the denominator); the finding is the smallest density that
    matches, whatever happens at larger ones, and ``matching.density_interval`` is its interval. With one replicate there
    is no spread and the two accuracies are compared as they are. Differences are paired by replicate, a control's draws
    being averaged within a replicate first, with a 95% t interval.

    ``measure`` is ``test_accuracy`` (end of training) or ``test_accuracy_early_stop``; raises ``BadRequest`` for any
    other.
    """
    known = accuracy_measure(measure)
    accuracy, density = by_replicate(table, measure).dropna(), by_replicate(table, "density")
    levels = _ticket_levels(accuracy, density)
    dense = next((mean for mean in levels if mean.level == 0), None)
    sparse = [mean for mean in levels if mean.level != 0]
    if dense is None or not sparse:
        return Finding(known, dense, math.nan, None, None, (), None, {}, None)

    dense_sd = float(_replicates(accuracy, TICKET, 0).std(ddof=1))
    least = float(bar(dense.accuracy, dense_sd))
    matching = [mean for mean in sparse if mean.accuracy >= least]
    smallest = min(matching, key=lambda mean: mean.density, default=None)
    closest = max(sparse, key=lambda mean: mean.accuracy)
    subject = smallest or closest
    ticket = _replicates(accuracy, TICKET, subject.level)
    return Finding(
        measure=known,
        dense=dense,
        dense_sd=dense_sd,
        smallest=smallest,
        closest=closest,
        misses=tuple(mean for mean in sparse if mean.accuracy < least and mean.density > subject.density),
        against_dense=paired_difference(ticket, _replicates(accuracy, TICKET, 0)),
        controls={
            name: paired_difference(_replicates(accuracy, name, subject.level), ticket)
            for name in in_order(table["branch"])
            if name != TICKET
        },
        interval=density_interval(_by_level(accuracy), _by_level(density)),
    )


def _replicates(values: pd.Series, branch: str, level: int) -> pd.Series:
    """The values of one branch at one level by replicate; empty where it was not trained."""
    here = (values.index.get_level_values("branch") == branch) & (values.index.get_level_values("level") == level)
    return values[here].droplevel(["branch", "level"])


def _by_level(values: pd.Series) -> pd.DataFrame:
    """The ticket's values, a row per replicate and a column per level."""
    return values[TICKET].unstack("level")


def _ticket_levels(accuracy: pd.Series, density: pd.Series) -> list[LevelMean]:
    """The ticket's levels, densest first."""
    of_ticket = accuracy[accuracy.index.get_level_values("branch") == TICKET]
    means = []
    for level in of_ticket.index.unique("level"):
        here = _replicates(accuracy, TICKET, level)
        mean_density = float(_replicates(density, TICKET, level).mean())
        means.append(LevelMean(int(level), mean_density, float(here.mean()), len(here)))
    return sorted(means, key=lambda mean: -mean.density)
