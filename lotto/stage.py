"""Stages and their keys: what is to be made, from what, told apart from everything that changes no number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lotto.starts.source import Source

# Raised when what a kind of stage computes changes, so that older artifacts are not taken for new ones.
VERSIONS = {
    "init": 1,
    "train": 1,
    "prune": 1,
    "rewind": 1,
    "control": 1,
    "data": 1,
    "probe": 1,
    "overlap": 1,
    "head": 1,
    "construct": 1,
    "approximate": 1,
    "draw": 1,
    "sample": 1,
}

# The value of a field that has no effect. A field at this value is left out of the key, so that a new field keeps old keys.
NEUTRAL: dict[str, Any] = {
    "batch_norm": "follow",
    "drop_last": False,
    "exclude": [],
    "floor": 0,
    "hold": None,
    "keep": "highest",
    "label_smoothing": 0.0,
    "loss": "cross_entropy",
    "lr_schedule": {"name": "constant"},
    "noise": 0,
    "optimizer_state": "fresh",
    "path": "exponential",
    "precision": "32",
    "regimen": None,
    "regrow": False,
    "resumable": False,
    "rounds": 1,
    "sample": 0,
    "scale_penalty": 0.0,
    "start": 0,
    "structure": None,
    "unpruned": False,
    "warmup": 0,
    "weight_decay": 0.0,
}


def canonical(value: Any) -> str:
    """Canonical JSON: sorted names, no spaces, shortest form of every float that reads back to the same bits."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def stack_name(keys: Sequence[str]) -> str:
    """The name of the unfinished work of stages that are trained together."""
    return hashlib.sha256("/".join(keys).encode()).hexdigest()[:40]


def significant(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without those at their neutral value."""
    return {name: value for name, value in fields.items() if name not in NEUTRAL or NEUTRAL[name] != value}


@dataclass(frozen=True, eq=False)
class Stage:
    """One step of an experiment: parents' artifacts in, one artifact out.

    Args:
        kind: ``init``, ``train``, ``prune``, ``rewind``, ``draw`` (from the middle of a training), ``control``, ``probe``,
            ``overlap`` (of several masks) or ``head`` (a body under another output layer).
        fields: everything that changes a number, as JSON values.
        parents: the stages whose artifacts it reads, by the role they play.
        source: of a start that is read from a file, where that lies; the fields say what it holds.
    """

    kind: str
    fields: Mapping[str, Any]
    parents: Mapping[str, Stage] = field(default_factory=dict)
    source: Source | None = None

    def __post_init__(self) -> None:
        self.key  # noqa: B018 - parents' keys are known now; found later, a long line of levels would recurse through all of them

    @cached_property
    def key(self) -> str:
        """The artifact's address: 40 hexadecimal digits of SHA-256 over the stage's identity."""
        return self._hash(significant(self.fields))

    @cached_property
    def trajectory(self) -> str:
        """For a train stage: the path that its weights run along, whatever the step where it stops.

        Two train stages on one trajectory are points of the same training: the later can go on from the earlier.
        """
        along = {name: value for name, value in significant(self.fields).items() if name not in ("stop", "resumable")}
        return self._hash(along)

    @property
    def description(self) -> dict[str, Any]:
        """What ``stage.json`` says of the stage: enough to make it again."""
        return {
            "kind": self.kind,
            "version": VERSIONS[self.kind],
            "fields": dict(self.fields),
            "parents": {role: parent.key for role, parent in self.parents.items()},
        }

    def _hash(self, fields: Mapping[str, Any]) -> str:
        identity = {**self.description, "fields": fields}
        return hashlib.sha256(canonical(identity).encode()).hexdigest()[:40]
