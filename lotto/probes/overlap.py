"""Whether two replicates keep the same weights, beside what chance alone would give them in common.

Chance draws the kept weights of every layer anew, as many as there are, uniformly and for each of the two masks by itself: layers that are
pruned less overlap more for that reason alone, which must not count. The number of weights in common, X, is then hypergeometric in a
layer of n weights of which the masks keep a and b, and the sum of its layers' in the whole network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve
from scipy.stats import hypergeom

from lotto.probes.subject import Numbers, Subject

# Standard deviations around the mean of X beyond which its tail, that of a sum of independent draws at most, is below rounding.
_REACH = 12


@dataclass(frozen=True)
class Chance:
    """The distribution of X, the number of weights that two masks have in common by chance.

    Args:
        first: the value of X that ``mass`` begins at.
        mass: probabilities of ``first``, ``first + 1``, …; what lies beyond is below rounding.
        kept: weights of both masks together, a + b.
    """

    first: int
    mass: np.ndarray
    kept: int
    mean: float = 0.0
    variance: float = 0.0

    @classmethod
    def of(cls, places: int, one: int, other: int) -> Chance:
        """For masks that keep ``one`` and ``other`` of the same ``places``."""
        mean = one * other / places
        variance = mean * (1 - other / places) * (places - one) / max(1, places - 1)
        reach = _REACH * math.sqrt(variance) + _REACH
        least = max(0, one + other - places, math.floor(mean - reach))
        most = min(one, other, math.ceil(mean + reach))
        mass = hypergeom.pmf(np.arange(least, most + 1), places, one, other)
        return cls(least, mass, one + other, mean, variance)

    def __add__(self, other: Chance) -> Chance:
        """Of two layers together."""
        mass = np.clip(fftconvolve(self.mass, other.mass), 0, None)
        return Chance(
            self.first + other.first,
            mass,
            self.kept + other.kept,
            self.mean + other.mean,
            self.variance + other.variance,
        )

    @property
    def iou(self) -> float:
        """E[X / (a + b - X)], the intersection over union to be expected; 1 for two empty masks."""
        common = np.arange(self.first, self.first + len(self.mass))
        union = self.kept - common
        share = np.divide(common, union, out=np.ones(len(common)), where=union > 0)
        return float((self.mass * share).sum() / self.mass.sum())

    def z(self, common: int) -> float:
        """How many standard deviations ``common`` lies above what is expected; NaN where chance leaves no choice."""
        return (common - self.mean) / math.sqrt(self.variance) if self.variance > 0 else math.nan


def probe(subject: Subject, numbers: Numbers) -> None:
    """Of the masks of two replicates, for every layer and for the whole network: what they share.

    ``iou`` is the intersection over union of the kept weights and ``hamming`` the fraction of places where the masks differ;
    ``iou_chance`` and ``hamming_chance`` are their expectations by chance, exact up to rounding. ``z`` is how many standard deviations
    of chance the common weights lie above its mean, and ``p``, of a layer, the exact probability that chance gives as many or more.
    Dense networks share everything, which chance gives them as well: ``z`` has no value there.
    """
    one, other = subject.mask(subject.network("trained")), subject.mask(subject.network("trained'"))
    both = (one & other).counts()
    chances = {}
    for name, kept in one.items():
        places, first, second = kept.numel(), int(kept.sum()), int(other[name].sum())
        chances[name] = Chance.of(places, first, second)
        _note(numbers, chances[name], places, both[name], name)
        numbers.add("p", float(hypergeom.sf(both[name] - 1, places, first, second)), layer=name)
    whole, *rest = chances.values()
    _note(numbers, sum(rest, whole), one.total, sum(both.values()))


def _note(numbers: Numbers, chance: Chance, places: int, common: int, layer: str = "") -> None:
    union = chance.kept - common
    numbers.add("iou", common / union if union else 1.0, layer=layer)
    numbers.add("iou_chance", chance.iou, layer=layer)
    numbers.add("hamming", (chance.kept - 2 * common) / places, layer=layer)
    numbers.add("hamming_chance", (chance.kept - 2 * chance.mean) / places, layer=layer)
    numbers.add("z", chance.z(common), layer=layer)
