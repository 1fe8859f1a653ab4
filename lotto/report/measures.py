"""What is measured of a trained network, and how its numbers are written."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lotto.errors import BadRequest

NO_SPREAD = "\N{EN DASH}"
"""Stands where a spread would, had there been more than one replicate."""

MINUS = "\N{MINUS SIGN}"

# Smaller p-values say more about the t distribution's tail than about a network.
LEAST_P = 0.001


@dataclass(frozen=True)
class Measure:
    """A column of results that reports summarise: its name, its name in a sentence, and whether it is a fraction."""

    column: str
    phrase: str
    is_fraction: bool = True

    def text(self, value: float) -> str:
        """``value`` alone: a fraction in percent with two decimals, a step as a whole number, nothing as a dash."""
        if math.isnan(value):
            return NO_SPREAD
        return self.number(value) if self.is_fraction else f"{value:,.0f}"

    def number(self, value: float) -> str:
        """``value`` in the digits of ``text`` as any program reads them."""
        return f"{100 * value:.2f}" if self.is_fraction else f"{value:.0f}"

    def difference(self, value: float) -> str:
        """A difference of two values, in percentage points for fractions, with a minus of its own width."""
        return self.text(value).replace("-", MINUS)

    def mean_and_spread(self, mean: float, sd: float) -> str:
        """``mean ± sd``, where the spread of a single replicate is a dash."""
        return f"{self.text(mean)} ± {self.text(sd)}"


ACCURACY = Measure("test_accuracy", "test accuracy at the end of training")
ACCURACY_EARLY_STOP = Measure("test_accuracy_early_stop", "test accuracy at early stop")
EARLY_STOP_STEP = Measure("early_stop_step", "early-stop iteration", is_fraction=False)

MEASURES = {measure.column: measure for measure in (ACCURACY, ACCURACY_EARLY_STOP, EARLY_STOP_STEP)}


def accuracy_measure(column: str) -> Measure:
    """The accuracy of that name; raises ``BadRequest`` where it is none."""
    measure = MEASURES.get(column)
    if measure is None or not measure.is_fraction:
        allowed = ", ".join(name for name, known in MEASURES.items() if known.is_fraction)
        raise BadRequest(f"measure={column} is not an accuracy of the table: use one of {allowed}")
    return measure


def weights_percent(density: float) -> str:
    """A density in percent as the field writes it on its axes: 100, 51.2, 3.5, 0.28."""
    percent = 100 * density
    if percent >= 99.95:
        return "100"
    return f"{percent:.1f}" if percent >= 1 else f"{percent:.2g}"


def p_text(p: float) -> str:
    """A p-value with three decimals; nothing as a dash."""
    if math.isnan(p):
        return NO_SPREAD
    return f"<{LEAST_P}" if p < LEAST_P else f"{p:.3f}"
