"""Spec -> stages: the graph of all that an experiment needs, each stage once. Pure; imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lotto.entry import Entry, Reading
from lotto.limit import Ends
from lotto.probes.planning import readings
from lotto.recipe import Recipe
from lotto.spec import Spec
from lotto.stage import Stage, canonical


@dataclass(frozen=True)
class Plan:
    """Stages by key, parents before children, and the rows that they fill: of the results, and of the probes.

    Args:
        data: configurations of all data sets that the stages name, by the canonical form of their identity.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    readings: tuple[Reading, ...] = ()
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec) -> Plan:
        """The plan of one experiment, all replicates."""
        recipes = [Recipe(spec, replicate) for replicate in range(spec.replicates)]
        rows = [(recipe, tuple(spec.method(recipe, **spec.method_options))) for recipe in recipes]
        read = tuple(readings(spec.probes, rows))
        data = {canonical(used.data.identity): used.data_config for recipe in recipes for used in recipe.specs}
        plan = cls.from_rows((entry for _, entries in rows for entry in entries), read, data)
        return plan.passing(spec.waypoints)

    @classmethod
    def from_rows(
        cls,
        entries: Iterable[Entry],
        readings: Iterable[Reading] = (),
        data: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Plan:
        made = cls({}, tuple(entries), tuple(readings), data or {})
        for stage in made.ends:
            _add(stage, made.stages)
        return made

    @classmethod
    def union(cls, plans: Iterable[Plan]) -> Plan:
        """One plan for several experiments: what they share is made once."""
        plans = list(plans)
        return cls.from_rows(
            (entry for plan in plans for entry in plan.entries),
            (reading for plan in plans for reading in plan.readings),
            {identity: config for plan in plans for identity, config in plan.data.items()},
        )

    @property
    def ends(self) -> Iterator[Stage]:
        """The stages that rows are read from; all others are there for their sake."""
        return self._ends(lambda entry: True)

    def _ends(self, wanted: Callable[[Entry], bool]) -> Iterator[Stage]:
        yield from (entry.trained for entry in self.entries if wanted(entry))
        yield from (reading.stage for reading in self.readings if wanted(reading.entry))

    def passing(self, waypoints: Mapping[str, Sequence[int]]) -> Plan:
        """The same plan, whose trainings store themselves at further steps on their way.

        Args:
            waypoints: steps by trajectory.
        """
        stages: dict[str, Stage] = {}
        for key, stage in self.stages.items():
            for stop in waypoints.get(stage.trajectory, ()) if stage.kind == "train" else ():
                if stage.fields["start"] < stop < stage.fields["stop"]:
                    point = Stage("train", {**stage.fields, "stop": stop, "resumable": True}, stage.parents)
                    stages[point.key] = point
            stages.setdefault(key, stage)
        return Plan(stages, self.entries, self.readings, self.data)

    def prefix(self, stage: Stage) -> Stage | None:
        """The latest earlier point of a train stage's own training that this plan can go on from."""
        if stage.kind != "train":
            return None
        earlier = [
            other
            for other in self._points.get(stage.trajectory, ())
            if other.fields["resumable"] and other.fields["stop"] < stage.fields["stop"]
        ]
        return max(earlier, key=lambda other: other.fields["stop"], default=None)

    def needs(self, stage: Stage) -> Iterator[Stage]:
        """What must be there before ``stage`` can run."""
        yield from stage.parents.values()
        if stage.kind == "probe":  # the mask of a trained network lies in what it was trained from
            yield from (parent.parents["start"] for parent in stage.parents.values() if parent.kind == "train")
        if prefix := self.prefix(stage):
            yield prefix

    def missing(
        self, has: Callable[[str], bool], record: Callable[[str], Mapping[str, Any]] | None = None
    ) -> dict[str, Stage]:
        """The stages to run: those of the rows that are not stored, and what they need that is not stored either.

        A stage that only finished stages need is not run again.

        Args:
            record: of what is stored, by key. With it the levels are left out that a search will not come to, because it has ended.
        """

        ends = None if record is None else Ends(has, record)

        def open_(entry: Entry) -> bool:
            return entry.limit is None or ends is None or not ends.reached(entry.limit)

        wanted: set[str] = set()
        pending = list(self._ends(open_))
        if record is not None:  # without these tickets nobody knows whether the search has ended
            pending += [entry.limit.ticket for entry in self.entries if entry.limit is not None and open_(entry)]
        while pending:
            stage = pending.pop()
            if stage.key not in wanted and not has(stage.key):
                wanted.add(stage.key)
                pending.extend(self.needs(stage))
        return {key: stage for key, stage in self.stages.items() if key in wanted}

    def steps(self, stages: Collection[Stage]) -> int:
        """Training steps that running ``stages`` costs, one for every replicate and batch."""
        return sum(self._cost(stage) for stage in stages if stage.kind == "train")

    def _cost(self, stage: Stage) -> int:
        prefix = self.prefix(stage)
        return int(stage.fields["stop"] - (prefix.fields["stop"] if prefix else stage.fields["start"]))

    @cached_property
    def _points(self) -> dict[str, list[Stage]]:
        points: dict[str, list[Stage]] = {}
        for stage in self.stages.values():
            if stage.kind == "train":
                points.setdefault(stage.trajectory, []).append(stage)
        return points


def _add(stage: Stage, stages: dict[str, Stage]) -> None:
    """Add ``stage`` behind everything it is made from, without recursion: a line of levels may be long."""
    pending = [(stage, False)]
    while pending:
        current, parents_done = pending.pop()
        if current.key in stages:
            continue
        if parents_done:
            stages[current.key] = current
        else:
            pending.append((current, True))
            pending.extend((parent, False) for parent in current.parents.values())
