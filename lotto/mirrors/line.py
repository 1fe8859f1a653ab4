"""A ticket line, level by level: what one run of a dashboard shows, read from the store alone. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lotto.entry import Entry
from lotto.plan import Plan
from lotto.results import result_row
from lotto.spec import Spec
from lotto.stage import canonical
from lotto.store import Store

if TYPE_CHECKING:
    from torch import Tensor

TRAINING = "training/"
"""Before the names of what was measured during training; columns of ``results.csv`` keep their own names."""

PLACE = ("level", "sample", "density")
"""Where in its line a record lies: part of every one."""

_NAMES = ("experiment", "method", "criterion", "branch", "replicate")


@dataclass(frozen=True)
class Row:
    """A trained ticket of a line.

    Args:
        results: its row of ``results.csv`` without ``cached``, which tells of a run and not of the ticket.
        metrics: one mapping for each evaluation.
        before: training steps of the line's earlier levels.
        began: the step that its training began from.
    """

    entry: Entry
    results: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    before: int
    began: int
    store: Store

    @property
    def name(self) -> str:
        """``level03``, with the draw of a control behind it if it is not the first."""
        return f"level{self.entry.level:02d}" + (f"-sample{self.entry.sample}" if self.entry.sample else "")

    def evaluations(self) -> Iterator[dict[str, Any]]:
        """What was measured during training, each with the step since the line began."""
        for measured in self.metrics:
            numbers = {f"{TRAINING}{name}": value for name, value in measured.items() if value is not None}
            yield {**self._place, f"{TRAINING}line_step": self.before + measured["step"] - self.began, **numbers}

    def outcome(self) -> dict[str, Any]:
        """The columns of ``results.csv`` that are known."""
        return {name: value for name, value in self.results.items() if name not in _NAMES and value is not None}

    def start(self) -> Mapping[str, Tensor]:
        """The tensors that its training began from, its mask among them."""
        return self.store.tensors(self.entry.start.key)

    @property
    def _place(self) -> dict[str, Any]:
        return {name: self.results[name] for name in PLACE}


@dataclass(frozen=True, eq=False)
class Line:
    """The tickets of one method, replicate and branch, from the densest to the sparsest.

    Args:
        entries: in the order in which their rows are mirrored.
        request: the composed configuration.
    """

    experiment: str
    method: str
    criterion: str
    branch: str
    replicate: int
    entries: tuple[Entry, ...]
    request: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method}-{self.criterion}-{self.branch}-replicate{self.replicate}"

    @property
    def series(self) -> str:
        """What its replicates have in common: one curve of a figure."""
        return f"{self.method} {self.criterion} {self.branch}"

    @cached_property
    def id(self) -> str:
        """The same for the same tickets of the same experiment, whichever run mirrors them."""
        keys = [entry.trained.key for entry in self.entries]
        names = [self.experiment, self.method, self.criterion, self.branch, self.replicate]
        return hashlib.sha256(canonical([names, keys]).encode()).hexdigest()[:16]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The whole request, flat, and the line's place in it."""
        place = {name: getattr(self, name) for name in (*_NAMES, "series")}
        return {**flat(self.request), **place}

    def rows(self, store: Store, spec: Spec, entries: Sequence[Entry]) -> Iterator[Row]:
        """The rows of ``entries``, which are stored."""
        for entry in entries:
            record, metrics = store.record(entry.trained.key), store.metrics(entry.trained.key)
            yield Row(
                entry=entry,
                results={name: value for name, value in result_row(spec, entry, record).items() if name != "cached"},
                metrics=metrics,
                before=sum(_steps(other) for other in self.entries if other.level < entry.level and other.sample == 0),
                # What starts at a step that was found in the dense training is measured there first.
                began=int(metrics[0]["step"]) if metrics else record["fields"].get("start", 0),
                store=store,
            )


def lines_of(spec: Spec, plan: Plan) -> list[Line]:
    """The lines of one experiment, in the order of the results table."""
    found: dict[tuple[str, int], list[Entry]] = {}
    for entry in plan.entries:
        found.setdefault((entry.branch, entry.replicate), []).append(entry)
    return [
        Line(
            spec.name,
            spec.method_name,
            spec.criterion_name,
            branch,
            replicate,
            tuple(sorted(entries, key=lambda entry: (entry.level, entry.sample))),
            spec.request,
        )
        for (branch, replicate), entries in found.items()
    ]


def _steps(entry: Entry) -> int:
    fields = entry.trained.fields
    return int(fields["stop"] - fields["start"]) if entry.trained.kind == "train" else 0


def flat(request: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings as one level. The names hold no dot, which dashboards read as nesting."""
    return dict(_flat(request))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}/{name}" if path else str(name))
    elif path:
        yield path, {} if isinstance(value, Mapping) else value
