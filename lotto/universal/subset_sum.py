"""The subset-sum problem behind strong tickets: which of n random numbers add up closest to a given one.

Lueker (1998; from memory): of n >= C log(2 / min(d, e)) numbers drawn from U[-1, 1], with probability 1 - d some subset comes within e of
any z in [-1/2, 1/2]; the same holds of products of two such numbers. So log(1 / e) candidates for each weight of a target suffice (Pensia
et al. 2020; Burkholz et al. 2022, On the existence of universal lottery tickets). ``curve`` measures how the error falls.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lotto.errors import BadRequest

Floats = NDArray[np.float64]
Chosen = NDArray[np.bool_]

# Up to here all 2^n sums are looked at; beyond, those of two halves are matched, which takes 2^(n/2) numbers of memory.
EXHAUSTIVE, LARGEST = 20, 44
# Burkholz et al. (2022): subsets of at most 5 of at most 30 candidates, behind a greedy phase.
FEW, POOL = 5, 30


def nearest(candidates: Floats, target: float) -> Chosen:
    """The subset whose sum is nearest to ``target``, the empty one included.

    Args:
        candidates: float64 ``[n]``, n at most ``LARGEST``.

    Returns:
        bool ``[n]``. Of subsets that are equally near one, always the same.

    Raises:
        BadRequest: there are too many candidates to look at.
    """
    if len(candidates) <= EXHAUSTIVE:
        return exhaustive(candidates, target)
    if len(candidates) <= LARGEST:
        return meet_in_the_middle(candidates, target)
    raise BadRequest(
        f"candidates={len(candidates)} are too many to look at every subset: at most {LARGEST}, or method.solver=greedy."
    )


def exhaustive(candidates: Floats, target: float) -> Chosen:
    """Looks at the sums of all 2^n subsets."""
    return _members(int(np.abs(sums(candidates) - target).argmin()), len(candidates))


def meet_in_the_middle(candidates: Floats, target: float) -> Chosen:
    """Sorts the sums of one half and looks, for every sum of the other, for what is missing (Horowitz & Sahni 1974)."""
    half = len(candidates) // 2
    left, right = sums(candidates[:half]), sums(candidates[half:])
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    above = np.searchsorted(ordered, target - left).clip(0, len(ordered) - 1)
    below = (above - 1).clip(0)
    errors = np.abs(np.stack([left + ordered[below], left + ordered[above]]) - target)
    side, place = np.unravel_index(int(errors.argmin()), errors.shape)
    match = order[(below, above)[side][place]]
    return np.concatenate([_members(int(place), half), _members(int(match), len(candidates) - half)])


def greedy(candidates: Floats, target: float) -> Chosen:
    """Adds what brings the sum nearest until nothing does, then the best ``FEW`` of the ``POOL`` next candidates.

    How the authors' two phases meet is not stated in what we have of them: here the second looks at the candidates that the first has left,
    the smallest first, for what is still missing. For any number of candidates; its sum is never farther off than the first phase's.
    """
    chosen = np.zeros(len(candidates), dtype=np.bool_)
    rest = target
    while not chosen.all():
        errors = np.where(chosen, np.inf, np.abs(rest - candidates))
        best = int(errors.argmin())
        if errors[best] >= abs(rest):
            break
        chosen[best] = True
        rest -= candidates[best]
    left = np.flatnonzero(~chosen)
    pool = left[np.argsort(np.abs(candidates[left]), kind="stable")[:POOL]]
    if len(pool):
        few = _few(len(pool))
        values = np.append(candidates[pool], 0.0)
        place = int(np.abs(values[few].sum(1) - rest).argmin())
        chosen[pool[few[place][few[place] < len(pool)]]] = True
    return chosen


def sums(candidates: Floats) -> Floats:
    """The sums of all subsets, float64 ``[2^n]``: bit i of the place says whether candidate i is in."""
    found = np.zeros(1)
    for candidate in candidates:
        found = np.concatenate([found, found + candidate])
    return found


def curve(numbers: int, draws: int, targets: int, product: bool, generator: np.random.Generator) -> Floats:
    """Errors of the best subsets, float64 ``[draws, targets]``: ``numbers`` candidates a draw, targets from U[-1, 1].

    Args:
        product: candidates are products of two numbers from U[-1, 1], else such numbers themselves.
    """
    made = np.empty((draws, targets))
    for draw in range(draws):
        candidates = generator.uniform(-1, 1, numbers)
        if product:
            candidates = candidates * generator.uniform(-1, 1, numbers)
        ordered = np.sort(sums(candidates))
        wanted = generator.uniform(-1, 1, targets)
        above = np.searchsorted(ordered, wanted).clip(1, len(ordered) - 1)
        made[draw] = np.minimum(np.abs(ordered[above] - wanted), np.abs(ordered[above - 1] - wanted))
    return made


def _members(place: int, count: int) -> Chosen:
    return np.array([place >> bit & 1 for bit in range(count)], dtype=np.bool_)


@cache
def _few(count: int) -> NDArray[Any]:
    """All subsets of at most ``FEW`` of ``count``, a row each, filled up with ``count``."""
    rows = [
        (*members, *[count] * (FEW - size))
        for size in range(FEW + 1)
        for members in itertools.combinations(range(count), size)
    ]
    return np.array(rows, dtype=np.intp)


SOLVERS = {"exact": nearest, "greedy": greedy}
