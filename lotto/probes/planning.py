"""Which networks a probe looks at, and for which rows: the stages of probes. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from lotto.recipe import Entry, Reading, Recipe
from lotto.stage import Stage

if TYPE_CHECKING:
    from lotto.spec import ProbeSpec

Rows = Sequence[tuple[Recipe, tuple[Entry, ...]]]


def _start(recipe: Recipe, entry: Entry) -> Stage:
    # Of the dense network a training like a ticket's begins at the rewinding point, whatever came before it.
    return recipe.dense_point() if entry.level == 0 else entry.start


# The networks of a row by the role that they play in a probe.
_OF_ENTRY: dict[str, Callable[[Recipe, Entry], Stage]] = {
    "trained": lambda recipe, entry: entry.trained,
    "start": _start,
    "ticket": lambda recipe, entry: entry.ticket,
    "init": lambda recipe, entry: recipe.init(),
    "dense": lambda recipe, entry: recipe.dense_again(),
    "dense_start": lambda recipe, entry: recipe.dense_point(),
}
ROLES = tuple(_OF_ENTRY)


def readings(probes: Iterable[ProbeSpec], rows: Rows) -> Iterator[Reading]:
    """What every probe reads, by probe and then in the order of the rows.

    Args:
        rows: the entries of every replicate, with its recipe.
    """
    for probe in probes:
        if probe.across:
            yield from _between_replicates(probe, rows)
        else:
            for recipe, entries in rows:
                for entry in filter(probe.reads, entries):
                    yield Reading(
                        probe.name, entry, recipe.probe(probe.config, _networks(probe, recipe, entry), probe.data)
                    )


def _networks(probe: ProbeSpec, recipe: Recipe, entry: Entry, suffix: str = "") -> dict[str, Stage]:
    found = {f"{role}{suffix}": _OF_ENTRY[role](recipe, entry) for role in probe.networks}
    start = _start(recipe, entry)
    return found | {f"copy{noise}{suffix}": recipe.copy(start, noise) for noise in range(1, probe.copies + 1)}


def _between_replicates(probe: ProbeSpec, rows: Rows) -> Iterator[Reading]:
    """A reading for every two replicates of a row; the later one's networks have the roles with a prime."""
    for (recipe, entries), (other, others) in combinations(rows, 2):
        theirs = {_place(entry): entry for entry in others}
        for entry in filter(probe.reads, entries):
            if match := theirs.get(_place(entry)):
                networks = _networks(probe, recipe, entry) | _networks(probe, other, match, "'")
                pair = f"{recipe.replicate}-{other.replicate}"
                yield Reading(probe.name, entry, recipe.probe(probe.config, networks, probe.data), pair)


def _place(entry: Entry) -> tuple[str, int, int]:
    return entry.branch, entry.level, entry.sample
