"""What two masks have in common, beside what chance alone would give them in common.

Chance draws the kept weights of every layer anew, as many as there are, uniformly and for each of the two masks by itself: layers that are
pruned less overlap more for that reason alone, which must not count. The number of weights in common, X, is then hypergeometric in a
layer of n weights of which the masks keep a and b, and the sum of its layers' in the whole network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import fftconvolve
from scipy.stats import hypergeom

if TYPE_CHECKING:
    from torch import Tensor

# Standard deviations around the mean of X beyond which its tail, that of a sum of independent draws at most, is below rounding.
_REACH = 12
# The distribution of a sum is known to the rounding of a Fourier transform: no smaller probability is claimed of it.
SMALLEST = 1e-12


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

    def at_least(self, common: int) -> float:
        """The probability of ``common`` weights or more; where it is smaller than ``SMALLEST``, that."""
        return self._probability(self.mass[max(0, common - self.first) :])

    def at_most(self, common: int) -> float:
        """The probability of ``common`` weights or fewer; where it is smaller than ``SMALLEST``, that."""
        return self._probability(self.mass[: max(0, common - self.first + 1)])

    def _probability(self, mass: np.ndarray) -> float:
        return float(np.clip(mass.sum() / self.mass.sum(), SMALLEST, 1.0))


@dataclass(frozen=True)
class Shared:
    """What two masks share of one layer, or of the whole network.

    Args:
        places: weights of the dense layer.
        one: those that the first mask keeps.
        other: those that the second keeps.
        both: those that both keep.
    """

    places: int
    one: int
    other: int
    both: int
    chance: Chance

    @classmethod
    def of(cls, one: Tensor, other: Tensor) -> Shared:
        """Of two masks of one layer, bool tensors of one shape."""
        places, first, second, both = one.numel(), int(one.sum()), int(other.sum()), int((one & other).sum())
        return cls(places, first, second, both, Chance.of(places, first, second))

    def __add__(self, more: Shared) -> Shared:
        """Of two layers together."""
        return Shared(
            self.places + more.places,
            self.one + more.one,
            self.other + more.other,
            self.both + more.both,
            self.chance + more.chance,
        )

    @property
    def iou(self) -> float:
        """Intersection over union of the kept weights; 1 for two empty masks."""
        union = self.one + self.other - self.both
        return self.both / union if union else 1.0

    @property
    def hamming(self) -> int:
        """Places where the masks differ."""
        return self.one + self.other - 2 * self.both

    @property
    def hamming_chance(self) -> float:
        """Places where they would differ by chance, on average."""
        return self.one + self.other - 2 * self.chance.mean

    @property
    def z(self) -> float:
        """How many standard deviations of chance the common weights lie above its mean; NaN where it leaves no choice."""
        return self.chance.z(self.both)

    @property
    def p(self) -> float:
        """The probability that chance gives as many common weights or more: of one layer to its last digit."""
        return float(hypergeom.sf(self.both - 1, self.places, self.one, self.other))


def shared(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> tuple[Shared, dict[str, Shared]]:
    """What two masks of one network share as a whole, and in every layer by its name."""
    layers = {name: Shared.of(kept, other[name]) for name, kept in one.items()}
    whole, *rest = layers.values()
    return sum(rest, whole), layers
