"""Which networks a probe looks at, and for which rows: the stages of probes. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from lotto.entry import Entry, Reading
from lotto.errors import BadRequest
from lotto.fields import near
from lotto.recipe import Recipe
from lotto.stage import Stage

if TYPE_CHECKING:
    from lotto.request.probe import ProbeSpec

Rows = Sequence[tuple[Recipe, tuple[Entry, ...]]]
Place = tuple[str, int, int]  # branch, level and sample: what a row is called in every replicate


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

# The trained network of another level, on the same branch: of the level before, or of a level by its number.
_BEFORE, _LEVEL = "previous", re.compile(r"level(\d+)")


def check_role(field: str, written: object) -> str:
    """The role, if there is one of that name; raises BadRequest."""
    if isinstance(written, str) and (written == _BEFORE or _LEVEL.fullmatch(written)):
        return written
    if written in ROLES:
        return str(written)
    allowed = (*ROLES, _BEFORE)
    raise BadRequest(
        f"{field}={written} is unknown: choose from {', '.join(allowed)}, or level3, that of level 3"
        f"{near(str(written), allowed) or '.'}"
    )


def levels_named(roles: Iterable[str]) -> tuple[int, ...]:
    """The levels that roles name by their numbers."""
    return tuple(int(found[1]) for role in roles if (found := _LEVEL.fullmatch(role)))


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
                places = {_place(entry): entry for entry in entries}
                for entry in filter(probe.reads, entries):
                    if networks := _networks(probe, recipe, entry, places):
                        files = {f"file{i}": recipe.from_file(file) for i, file in enumerate(probe.files, 1)}
                        stage = _stage(recipe, probe.config, networks | files, probe.data)
                        yield Reading(probe.name, entry, stage)


def _networks(
    probe: ProbeSpec, recipe: Recipe, entry: Entry, places: Mapping[Place, Entry], suffix: str = ""
) -> dict[str, Stage]:
    """Every network by its role; none at all where one of them is of a level that this row has no other of."""
    found = {}
    for role in probe.networks:
        level = _other_level(role, entry)
        other = (
            entry
            if level is None
            else places.get((entry.branch if level else "ticket", level, entry.sample * (level > 0)))
        )
        if other is None or level == entry.level:
            return {}
        found[f"{role}{suffix}"] = other.trained if level is not None else _OF_ENTRY[role](recipe, entry)
    found |= {
        f"step{step}{suffix}": recipe.at_step(entry.trained, step)
        for step in probe.steps
        if step >= entry.trained.fields["start"]
    }
    start = _start(recipe, entry)
    return found | {f"copy{noise}{suffix}": _copy(recipe, start, noise) for noise in range(1, probe.copies + 1)}


def _other_level(role: str, entry: Entry) -> int | None:
    """The level that the role names, relative to the row's or by its number; None for a role of the row's own level."""
    if role == _BEFORE:
        return entry.level - 1
    found = _LEVEL.fullmatch(role)
    return int(found[1]) if found else None


def _between_replicates(probe: ProbeSpec, rows: Rows) -> Iterator[Reading]:
    """A reading for every two replicates of a row; the later one's networks have the roles with a prime."""
    for (recipe, entries), (other, others) in combinations(rows, 2):
        ours, theirs = ({_place(entry): entry for entry in every} for every in (entries, others))
        for entry in filter(probe.reads, entries):
            if match := theirs.get(_place(entry)):
                networks = _networks(probe, recipe, entry, ours) | _networks(probe, other, match, theirs, "'")
                pair = f"{recipe.replicate}-{other.replicate}"
                if networks:
                    yield Reading(probe.name, entry, _stage(recipe, probe.config, networks, probe.data), pair)


def _place(entry: Entry) -> Place:
    return entry.branch, entry.level, entry.sample


def _copy(recipe: Recipe, start: Stage, noise: int) -> Stage:
    """A ticket, or the dense network at the rewinding point, trained with other noise: data order, augmentation and dropout."""
    return recipe.training(
        start,
        start=recipe.spec.rewind.at,
        stop=recipe.spec.train.steps,
        hold=recipe.last_rate(),
        noise=noise,
        settings=recipe.of_tickets(),
    )


def _stage(recipe: Recipe, fields: Mapping[str, Any], networks: Mapping[str, Stage], with_data: bool) -> Stage:
    """A probe of ``networks``, by the role each plays in it."""
    data = {"data": dict(recipe.spec.data.identity)} if with_data else {}
    return Stage("probe", {**recipe.network(), **recipe.streams, **data, "probe": dict(fields)}, networks)
